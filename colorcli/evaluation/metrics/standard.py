"""The metrics of every table, by the interface that plugins have."""

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
    """Area under the cumulative error curve, every pixel alike."""

    name, heading, better = "auc", "AuC raw %", "higher"
    definition = "AuC raw: mean share of pixels whose predicted ab is at most 0, 1, ... 150 from the true one."

    def measure(self, predicted: Colors, true: Colors) -> Tensor:
        return formulas.error_histogram(formulas.distances(predicted.ab, true.ab))

    def figure(self, means: Tensor) -> Tensor:
        return 100 * formulas.auc(means)


class RebalancedAuc(Metric):
    """Area under the cumulative error curve, pixels of rare colors counting more."""

    name, heading, better = "auc_rebalanced", "AuC rebalanced %", "higher"
    definition = (
        "AuC rebalanced: the same, a pixel of the set counting one over the published ImageNet share of the nearest "
        "of 313 bins of its true color."
    )

    def measure(self, predicted: Colors, true: Colors) -> Tensor:
        return formulas.error_histogram(formulas.distances(predicted.ab, true.ab), true.once(_rarity))

    def figure(self, means: Tensor) -> Tensor:
        return 100 * formulas.auc(means)


class Rmse(Metric):
    """Root mean square of the ab distance."""

    name, heading, better = "rmse", "RMSE ab", "lower"
    definition = "RMSE: of the distance of predicted ab, over all pixels of the set."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return float(formulas.distances(predicted.ab, true.ab).double().square().mean())

    def figure(self, means: Tensor) -> Tensor:
        return means.sqrt()


class L1(Metric):
    """Mean absolute difference of ab."""

    name, heading, better = "l1", "L1 ab", "lower"
    definition = "L1: mean absolute difference of predicted ab, over both channels."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return float((predicted.ab - true.ab).abs().double().mean())


class Psnr(Metric):
    """Peak signal-to-noise ratio."""

    name, heading, better = "psnr", "PSNR dB", "higher"
    definition = "PSNR: of the joined picture in gamut, unrounded RGB; mean of the pictures."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return formulas.psnr(predicted.rgb, true.rgb)


class Ssim(Metric):
    """Structural similarity."""

    name, heading, better, decimals = "ssim", "SSIM", "higher", 3
    definition = "SSIM: the same, 11x11 Gaussian of sigma 1.5, mean of R, G and B."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return formulas.ssim(predicted.rgb, true.rgb, true.once(_moments))


class Ciede2000(Metric):
    """Mean CIEDE2000 difference."""

    name, heading, better, decimals = "ciede2000", "CIEDE2000", "lower", 2
    definition = "CIEDE2000: the same, mean of the pixels, kL = kC = kH = 1."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return float(ciede2000(predicted.once(_lab), true.once(_lab)).mean(dtype=torch.float64))


class Colorfulness(Metric):
    """Colorfulness of Hasler and Suesstrunk."""

    name, heading, alone = "colorfulness", "colorfulness", True
    definition = "Colorfulness: of Hasler and Süsstrunk, signed differences, mean of the pictures."

    def measure(self, predicted: Colors, true: Colors) -> float:
        return predicted.once(_colorfulness)


class ColorfulnessDelta(Metric):
    """How far the mean colorfulness is from that of the photographs."""

    name, heading, better = "colorfulness_delta", "delta", "lower"
    definition = "Delta: between its mean and the photographs' own, without the sign."

    def measure(self, predicted: Colors, true: Colors) -> Tensor:
        found = predicted.once(_colorfulness), true.once(_colorfulness)
        return torch.tensor(found, dtype=torch.float64)

    def figure(self, means: Tensor) -> Tensor:
        return (means[..., 0] - means[..., 1]).abs()


class UnsignedColorfulness(Metric):
    """Colorfulness with the mistake of many published tables, to compare with them."""

    name, heading, alone = "colorfulness_unsigned", "colorfulness of abs(R - G)", True
    definition = (
        "Colorfulness of abs(R - G): with the differences' signs lost, a mistake of many published tables, for "
        "comparing with those only."
    )

    def measure(self, predicted: Colors, true: Colors) -> float:
        return formulas.colorfulness(predicted.rgb, unsigned=True)


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
"""In the order of the columns."""
