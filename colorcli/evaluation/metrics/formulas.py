"""Formulas of the metrics: pure functions on tensors, each with its range and source.

Chroma is (2, H, W) ab in about -128..127; pictures are (3, H, W) sRGB in 0..1. The figures of a set do not depend on
the order or the batches in which its pictures are measured.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

_THRESHOLDS = 151  # 0..150
_GRID = 10
_REACH = 13  # the lattice of bins covers ab in -130..130
_SSIM_WINDOW, _SSIM_SIGMA = 11, 1.5


def distances(predicted: Tensor, true: Tensor) -> Tensor:
    """Compute e = |ab_predicted - ab_true| at every pixel: (2, H, W) and (2, H, W) to (H, W), 0 or more.

    Raises:
        ValueError: a color is not finite, or the shapes differ.
    """
    _check_same_shape(predicted, true)
    e = torch.hypot(*(predicted - true))
    if not torch.isfinite(e).all():
        raise ValueError("Colors must be finite.")
    return e


def error_histogram(e: Tensor, weights: Tensor | None = None) -> Tensor:
    """Compute the histogram of errors, rounded up to integers; the histograms of several pictures can be added.

    Args:
        e: errors of any shape, 0 or more.
        weights: the weight of each pixel, of the same shape; None for equal weights.

    Returns:
        (152,) float64: the weight in each of 0, (0, 1], ... (149, 150], and above.
    """
    least = e.ceil().clamp(max=_THRESHOLDS).long().flatten()
    counted = torch.ones_like(least, dtype=torch.float64) if weights is None else weights.flatten().double()
    return torch.bincount(least, weights=counted, minlength=_THRESHOLDS + 1)


def auc(histogram: Tensor) -> Tensor:
    """Compute the area under the cumulative error curve, 0..1 (Zhang 2016, section 3.1).

    This is the mean over the thresholds t = 0, 1, ... 150 of the share of pixels with an error of at most t.

    Args:
        histogram: (..., 152) from `error_histogram`, or sums or means of several: unweighted for the raw AuC, weighted
            by `rarity` for the rebalanced one.

    Returns:
        (...).

    Raises:
        ValueError: a histogram is empty.
    """
    pixels = histogram.sum(dim=-1)
    if not (pixels > 0).all():
        raise ValueError("A histogram must count at least one pixel.")
    return histogram.cumsum(dim=-1)[..., :_THRESHOLDS].mean(dim=-1) / pixels


def rarity(true: Tensor) -> Tensor:
    """Weight each pixel of (2, H, W) by 1 / p(q), where q is the nearest of the 313 bins: (H, W) float64, 5 to 2e8.

    p is the frequency of each bin in ImageNet as published by Zhang 2016, neither smoothed further nor mixed with a
    uniform distribution. Weights are not normalized per picture: a picture with rare colors counts more than another.
    """
    a, b = (true / _GRID).round().clamp(-_REACH, _REACH).long().add(_REACH).unbind(0)
    return 1 / _prior()[a, b]


@cache
def _prior() -> Tensor:
    """Arrange the published prior on the lattice of bins, (27, 27); other points get the value of the nearest bin.

    The bins are all corners of the lattice cells that contain colors in gamut, so the lattice point nearest to a color
    is its nearest bin. prior.csv contains prior_probs.npy and pts_in_hull.npy from
    https://github.com/richzhang/colorization (BSD-2-Clause).
    """
    rows = csv.DictReader(
        (files("colorcli.evaluation.metrics") / "prior.csv").read_text(encoding="ascii").splitlines()
    )
    table = torch.tensor([[float(value) for value in row.values()] for row in rows], dtype=torch.float64)
    axis = torch.arange(-_REACH, _REACH + 1, dtype=torch.float64) * _GRID
    nearest = torch.cdist(torch.cartesian_prod(axis, axis), table[:, :2]).argmin(dim=1)
    return table[nearest, 2].view(len(axis), len(axis))


def psnr(predicted: Tensor, true: Tensor) -> float:
    """Compute the peak signal-to-noise ratio of (3, H, W) and (3, H, W), unrounded RGB, in dB; infinite if equal.

    Raises:
        ValueError: the shapes differ.
    """
    _check_same_shape(predicted, true)
    error = float(functional.mse_loss(predicted.double(), true.double()))
    return -10 * math.log10(error) if error else math.inf


def ssim(predicted: Tensor, true: Tensor, moments: Moments | None = None) -> float:
    """Compute the structural similarity of (3, H, W) and (3, H, W), -1..1 (Wang 2004): the mean of R, G and B.

    An 11x11 Gaussian of sigma 1.5 where it fits whole, K1 = 0.01, K2 = 0.03.

    Args:
        predicted: sRGB in 0..1.
        true: sRGB in 0..1.
        moments: moments of `true`, if they are already computed.

    Raises:
        ValueError: the shapes differ, or a side is shorter than 11 pixels.
    """
    _check_same_shape(predicted, true)
    if min(true.shape[-2:]) < _SSIM_WINDOW:
        raise ValueError(f"Pictures must be at least {_SSIM_WINDOW} pixels a side, got {tuple(true.shape[-2:])}.")
    x, (y, my, vy) = predicted.double(), moments or ssim_moments(true)
    mx, square, product = _window_means(torch.stack((x, x * x, x * y)))
    vx, cov = square - mx**2, product - mx * my
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(likeness.mean())


class Moments(NamedTuple):
    """A picture (3, H, W) and the means and variances in its SSIM windows, float64."""

    picture: Tensor
    mean: Tensor
    variance: Tensor


def ssim_moments(picture: Tensor) -> Moments:
    """Compute the moments of a picture (3, H, W), which can be compared with any number of others."""
    x = picture.double()
    mean, square = _window_means(torch.stack((x, x * x)))
    return Moments(x, mean, square - mean**2)


def _window_means(planes: Tensor) -> Tensor:
    """Average (N, C, H, W) over the Gaussian window: (N, C, H - 10, W - 10)."""
    offset = torch.arange(_SSIM_WINDOW, dtype=torch.float64) - _SSIM_WINDOW // 2
    kernel = (-(offset**2) / (2 * _SSIM_SIGMA**2)).softmax(dim=0).tolist()
    return _convolve(_convolve(planes, -2, kernel), -1, kernel)


def _convolve(planes: Tensor, dim: int, kernel: Sequence[float]) -> Tensor:
    """Convolve along a dimension; on a CPU this is twenty times as fast as conv2d in float64."""
    length = planes.shape[dim] - len(kernel) + 1
    total = planes.narrow(dim, 0, length) * kernel[0]
    for start, weight in enumerate(kernel[1:], 1):
        total.add_(planes.narrow(dim, start, length), alpha=weight)
    return total


def colorfulness(picture: Tensor, *, unsigned: bool = False) -> float:
    """Compute the colorfulness of a picture (3, H, W): 0 for gray, over 100 for the most colorful photographs.

    M = sqrt(var rg + var yb) + 0.3 sqrt(mean rg^2 + mean yb^2), rg = R - G and yb = (R + G) / 2 - B in -255..255,
    both signed (Hasler and Süsstrunk 2003, section 4).

    Args:
        picture: (3, H, W) sRGB in 0..1.
        unsigned: use |rg| and |yb|, as many published tables do by mistake, for comparison with them.
    """
    red, green, blue = picture.double() * 255
    opponents = torch.stack((red - green, (red + green) / 2 - blue)).flatten(1)
    if unsigned:
        opponents = opponents.abs()
    spread, mean = opponents.var(dim=1, correction=0).sum().sqrt(), opponents.mean(dim=1).norm()
    return float(spread + 0.3 * mean)


def _check_same_shape(predicted: Tensor, true: Tensor) -> None:
    if predicted.shape != true.shape:
        raise ValueError(f"Both must have the same shape, got {tuple(predicted.shape)} and {tuple(true.shape)}.")
