"""The metrics of every table, written with the public interface that plugins use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from colorcli.color import rgb_to_lab
from colorcli.evaluation.metrics import formulas
from colorcli.evaluation.metrics.ciede2000 import ciede2000
from colorcli.metric import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from colorcli.metric import Colors


def _lab(colors: Colors) -> Tensor:
    return rgb_to_lab(colors.rgb)


def _rarity(colors: Colors) -> Tensor:
    return formulas.rarity(colors.ab)


def _moments(colors: Colors) -> formulas.Moments:
    return formulas.ssim_moments(colors.rgb)


def _colorfulness(colors: Colors) -> float:
    return formulas.colorfulness(colors.rgb)


class Auc(Metric):
    """Area under the cumulative error curve, with equal weight for every pixel."""

    name, heading, better = "auc", "AuC raw %", "higher"
    definition = "AuC raw: share of pixels whose ab error is at most t, mean over t = 0, 1, ... 150."

    def measure(self, predicted: Colors, true: Colors) -> Tensor:
        return formulas.error_histogram(formulas.distances(predicted.ab, true.ab))

    def figure(self, means: Tensor) -> Tensor:
        return 100 * formulas.auc(means)


class RebalancedAuc(Metric):
    """Area under the cumulative error curve, with more weight for rare colors."""

    name, heading, better = "auc_rebalanced", "AuC rebalanced %", "higher"
    definition = (
        "AuC rebalanced: the same, each pixel weighted by the inverse of the published ImageNet frequency of its true "
        "color (nearest of 313 bins)."
    )

    def measure(self, predicted: Colors, true: Colors) -> Tensor:
        return formulas.error_histogram(formulas.distances(predicted.ab, true.ab), true.once(_rarity))

    def figure(self, means: Tensor) -> Tensor:
        return 100 * formulas.auc(means)


class Rmse(Metric):
    """Root mean square of the ab distance."""

    name, heading, better = "rmse", "RMSE ab", "lower"
    definition = "RMSE: of the ab distance, over all pixels of the set."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return float(formulas.distances(predicted.ab, true.ab).double().square().mean())

    def figure(self, means: Tensor) -> Tensor:
        return means.sqrt()


class L1(Metric):
    """Mean absolute difference of ab."""

    name, heading, better = "l1", "L1 ab", "lower"
    definition = "L1: mean absolute ab difference, over both channels."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return float((predicted.ab - true.ab).abs().double().mean())


class Psnr(Metric):
    """Peak signal-to-noise ratio."""

    name, heading, better = "psnr", "PSNR dB", "higher"
    definition = "PSNR: on the colorized picture, unrounded RGB in gamut; mean over the pictures."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return formulas.psnr(predicted.rgb, true.rgb)


class Ssim(Metric):
    """Structural similarity."""

    name, heading, better, decimals = "ssim", "SSIM", "higher", 3
    definition = "SSIM: likewise, with an 11x11 Gaussian window of sigma 1.5, mean of R, G and B."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return formulas.ssim(predicted.rgb, true.rgb, true.once(_moments))


class Ciede2000(Metric):
    """Mean CIEDE2000 difference."""

    name, heading, better, decimals = "ciede2000", "CIEDE2000", "lower", 2
    definition = "CIEDE2000: likewise, mean over the pixels, kL = kC = kH = 1."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return float(ciede2000(predicted.once(_lab), true.once(_lab)).mean(dtype=torch.float64))


class Colorfulness(Metric):
    """Colorfulness after Hasler and Süsstrunk (2003)."""

    name, heading, alone = "colorfulness", "colorfulness", True
    definition = "Colorfulness: after Hasler and Süsstrunk, with signed differences, mean over the pictures."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return predicted.once(_colorfulness)


class ColorfulnessDelta(Metric):
    """Difference between the mean colorfulness and that of the photographs."""

    name, heading, better = "colorfulness_delta", "delta", "lower"
    definition = "Delta: absolute difference between mean colorfulness and the photographs'."

    def measure(self, predicted: Colors, true: Colors) -> Tensor:
        found = predicted.once(_colorfulness), true.once(_colorfulness)
        return torch.tensor(found, dtype=torch.float64)

    def figure(self, means: Tensor) -> Tensor:
        return (means[..., 0] - means[..., 1]).abs()


class UnsignedColorfulness(Metric):
    """Colorfulness without signs, a mistake in many published tables, for comparison with them."""

    name, heading, alone = "colorfulness_unsigned", "colorfulness of abs(R - G)", True
    definition = (
        "Colorfulness of abs(R - G): with unsigned differences, a mistake in many published tables, to compare with "
        "them."
    )

    def measure(self, predicted: Colors, true: Colors) -> float:
        return formulas.colorfulness(predicted.rgb, unsigned=True)


# In the order of the columns.
STANDARD: tuple[Metric, ...] = (
    Auc(),
    RebalancedAuc(),
    Rmse(),
    L1(),
    Psnr(),
    Ssim(),
    Ciede2000(),
    Colorfulness(),
    ColorfulnessDelta(),
)
