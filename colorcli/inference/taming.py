"""Taming what any colorizer may do: color in the darkest tones, and splashes of color that nothing explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from colorcli.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

_DARK = 25.0  # L* below which tones are dark
_QUANTILE = 0.9  # quantile of a picture's chroma below which chroma is ordinary
_REACH = 1.5  # times the ordinary chroma is left as it is
_MIN_SPLASH = 20.0  # ab; chroma below this is never a splash
_GRAY = 3.0  # ab; chroma below this looks gray
_TONES = 20.0, 90.0  # L* in which color would show


@dataclass(frozen=True)
class Taming:
    """How much the chroma of a colorizer is reduced; 0 for nothing, 1 for most.

    Attributes:
        shadows: reduction in tones below L* 25, stronger the darker they are: in black, all chroma is removed.
        splashes: reduction of chroma above 1.5 times the 0.9 quantile of the picture's chroma, and above 20.

    Raises:
        UsageError: a value is not between 0 and 1.
    """

    shadows: float = 0.0
    splashes: float = 0.0

    def __post_init__(self) -> None:
        for name in ("shadows", "splashes"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must be between 0 and 1, got {getattr(self, name):g}.")

    def __call__(self, ab: Tensor, lightness: Tensor) -> Tensor:
        """Reduce chroma.

        Args:
            ab: (B, 2, h, w).
            lightness: (B, 1, H, W) L* in 0..100.
        """
        if self.shadows:
            small = lightness.float()
            if small.shape[-2:] != ab.shape[-2:]:
                small = functional.interpolate(small, ab.shape[-2:], mode="bilinear", antialias=True)
            dark = 1 - (small / _DARK).clamp(0, 1)
            ab = ab * (1 - self.shadows * dark * dark * (3 - 2 * dark))
        if self.splashes:
            chroma = _chroma(ab)
            flat = chroma.flatten(1)  # kthvalue has no limit of size, as quantile has
            ordinary = flat.kthvalue(round(_QUANTILE * (flat.shape[1] - 1)) + 1, dim=1).values.reshape(-1, 1, 1, 1)
            limit = (_REACH * ordinary).clamp(min=_MIN_SPLASH)
            excess = (chroma - limit).clamp(min=0)
            ab = ab * (1 - self.splashes * excess / chroma.clamp(min=1e-6))
        return ab


def gray_share(ab: Tensor, lightness: Tensor) -> Tensor:
    """Measure which share of each picture stayed gray although it is neither black nor white.

    Args:
        ab: (B, 2, h, w).
        lightness: (B, 1, H, W) L* in 0..100.

    Returns:
        (B,) the share 0..1 of each picture's places with a chroma below 3 and L* from 20 to 90.
    """
    small = functional.interpolate(lightness.float(), ab.shape[-2:], mode="bilinear", antialias=True)
    gray = (_chroma(ab) < _GRAY) & (small > _TONES[0]) & (small < _TONES[1])
    shares: Tensor = gray.float().mean(dim=(1, 2, 3))
    return shares


def _chroma(ab: Tensor) -> Tensor:
    """Compute chroma (B, 1, h, w) from ab (B, 2, h, w); norm(dim=1) takes 70 times as long."""
    return torch.hypot(ab[:, :1], ab[:, 1:])
