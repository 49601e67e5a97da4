"""How near colors are to the true ones: pure functions on tensors, each with its range and source.

Chroma is (2, H, W) ab in about -128..127, pictures are (3, H, W) sRGB in 0..1. A figure of a set is the same in
whatever order and however many at a time its pictures come.
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
    """Measure e = |ab_predicted - ab_true| at every pixel: (2, H, W) and (2, H, W) to (H, W), 0 or more.

    Raises:
        ValueError: a color is not finite, or the sizes differ.
    """
    _check_alike(predicted, true)
    e = torch.hypot(*(predicted - true))
    if not torch.isfinite(e).all():
        raise ValueError("Colors that are not finite cannot be compared.")
    return e


def error_histogram(e: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sort pixels by the least whole threshold that their error does not exceed; histograms of pictures add up.

    Args:
        e: errors of any shape, 0 or more.
        weights: how much each pixel counts, of the same shape; None for 1.

    Returns:
        (152,) float64: the weight in each of 0, (0, 1], ... (149, 150], and beyond.
    """
    least = e.ceil().clamp(max=_THRESHOLDS).long().flatten()
    counted = torch.ones_like(least, dtype=torch.float64) if weights is None else weights.flatten().double()
    return torch.bincount(least, weights=counted, minlength=_THRESHOLDS + 1)


def auc(histogram: Tensor) -> Tensor:
    """Compute the area under the cumulative error curve, 0..1 (Zhang 2016, section 3.1).

    It is the mean over the thresholds t = 0, 1, ... 150 of the share of pixels with an error of t or less.

    Args:
        histogram: (..., 152) of `error_histogram`, or sums or means of such: plain for the raw AuC, weighted by
            `rarity` for the rebalanced one.

    Returns:
        (...).

    Raises:
        ValueError: there is no pixel in one.
    """
    pixels = histogram.sum(dim=-1)
    if not (pixels > 0).all():
        raise ValueError("There are no pixels to compare.")
    return histogram.cumsum(dim=-1)[..., :_THRESHOLDS].mean(dim=-1) / pixels


def rarity(true: Tensor) -> Tensor:
    """Weigh every pixel of (2, H, W) by 1 / p(q), q its nearest of the 313 bins: (H, W) float64, 5 to 2e8.

    p is the share of each bin among the colors of ImageNet as published by Zhang 2016, neither smoothed anew nor
    mixed. The weights are of single pixels and of the whole set: a picture of rare colors counts more than another.
    """
    a, b = (true / _GRID).round().clamp(-_REACH, _REACH).long().add(_REACH).unbind(0)
    return 1 / _prior()[a, b]


@cache
def _prior() -> Tensor:
    """Lay the published prior out on the lattice of bins, (27, 27): a point that is no bin has the nearest bin's.

    The bins are all corners of the lattice's cells that have colors in gamut, so a color's nearest lattice point
    is its nearest bin. prior.csv holds the numbers of prior_probs.npy and pts_in_hull.npy in
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
    """Compute the peak signal-to-noise ratio of (3, H, W) and (3, H, W) in dB, over unrounded RGB; equal ones: inf.

    Raises:
        ValueError: the sizes differ.
    """
    _check_alike(predicted, true)
    error = float(functional.mse_loss(predicted.double(), true.double()))
    return -10 * math.log10(error) if error else math.inf


def ssim(predicted: Tensor, true: Tensor, moments: Moments | None = None) -> float:
    """Compute the structural similarity of (3, H, W) and (3, H, W), -1..1 (Wang 2004): the mean of R, G and B.

    An 11x11 Gaussian of sigma 1.5 where it fits whole, K1 = 0.01, K2 = 0.03.

    Args:
        predicted: sRGB in 0..1.
        true: sRGB in 0..1.
        moments: those of `true`, where they are known.

    Raises:
        ValueError: the sizes differ, or a side has less than 11 pixels.
    """
    _check_alike(predicted, true)
    if min(true.shape[-2:]) < _SSIM_WINDOW:
        raise ValueError(f"SSIM needs {_SSIM_WINDOW} pixels a side, and this has {tuple(true.shape[-2:])}.")
    x, (y, my, vy) = predicted.double(), moments or ssim_moments(true)
    mx, square, product = _windowed(torch.stack((x, x * x, x * y)))
    vx, cov = square - mx**2, product - mx * my
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(likeness.mean())


class Moments(NamedTuple):
    """What SSIM needs of one picture, float64: itself (3, H, W), its windows' means and variances."""

    picture: Tensor
    mean: Tensor
    variance: Tensor


def ssim_moments(picture: Tensor) -> Moments:
    """Compute what SSIM needs of one of its two pictures (3, H, W), however many it is compared with."""
    x = picture.double()
    mean, square = _windowed(torch.stack((x, x * x)))
    return Moments(x, mean, square - mean**2)


def _windowed(planes: Tensor) -> Tensor:
    """Average (N, C, H, W) over the Gaussian window: (N, C, H - 10, W - 10)."""
    offset = torch.arange(_SSIM_WINDOW, dtype=torch.float64) - _SSIM_WINDOW // 2
    kernel = (-(offset**2) / (2 * _SSIM_SIGMA**2)).softmax(dim=0).tolist()
    return _weighed(_weighed(planes, -2, kernel), -1, kernel)


def _weighed(planes: Tensor, dim: int, kernel: Sequence[float]) -> Tensor:
    """Convolve along a dimension; on a CPU twenty times as fast as conv2d is in float64."""
    length = planes.shape[dim] - len(kernel) + 1
    total = planes.narrow(dim, 0, length) * kernel[0]
    for start, weight in enumerate(kernel[1:], 1):
        total.add_(planes.narrow(dim, start, length), alpha=weight)
    return total


def colorfulness(picture: Tensor, *, unsigned: bool = False) -> float:
    """Compute the colorfulness of a picture (3, H, W): 0 for gray, over 100 for the most colorful photographs.

    M = sqrt(var rg + var yb) + 0.3 sqrt(mean rg^2 + mean yb^2), rg = R - G and yb = (R + G) / 2 - B in -255..255,
    both signed (Hasler and Suesstrunk 2003, section 4).

    Args:
        picture: (3, H, W) sRGB in 0..1.
        unsigned: take |rg| and |yb| instead, as many published tables do by mistake, to compare with them.
    """
    red, green, blue = picture.double() * 255
    opponents = torch.stack((red - green, (red + green) / 2 - blue)).flatten(1)
    if unsigned:
        opponents = opponents.abs()
    spread, mean = opponents.var(dim=1, correction=0).sum().sqrt(), opponents.mean(dim=1).norm()
    return float(spread + 0.3 * mean)


def _check_alike(predicted: Tensor, true: Tensor) -> None:
    if predicted.shape != true.shape:
        raise ValueError(f"{tuple(predicted.shape)} cannot be compared with {tuple(true.shape)}: the sizes differ.")
