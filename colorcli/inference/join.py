"""Joining predicted chroma with a frame's own lightness, at full size, strip by strip as in `preprocess`."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import AB_LIMIT, lab_to_linear_in_gamut, linear_to_srgb
from colorcli.inference.preprocess import look_up, strips

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CACHED_MATRICES = 16  # for bicubic scaling, megabytes each: enough for pictures of a few sizes
_CODES = 2**14 - 1


@torch.inference_mode()
def join(pixels: NDArray[np.generic], ab: Tensor) -> NDArray[np.generic]:
    """Combine the lightness of a frame with predicted chroma.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16, sRGB.
        ab: (1, 2, h, w) of any size, on the device to compute on; scaled bicubically to the frame and clamped.

    Returns:
        (H, W, 3) sRGB of the dtype of `pixels`, of the same lightness up to rounding; colors out of gamut lose chroma.
    """
    height, width = pixels.shape[:2]
    color = np.empty((height, width, 3), pixels.dtype.newbyteorder("="))
    out = torch.from_numpy(color)
    chroma_of = _scaled(ab.float(), height, width)
    for rows, lightness in strips(pixels, ab.device):
        chroma = chroma_of(rows).clamp(-AB_LIMIT, AB_LIMIT)
        out[rows] = _encoded(lab_to_linear_in_gamut(lightness, chroma), out.dtype)
    return color


def _scaled(ab: Tensor, height: int, width: int) -> Callable[[slice], Tensor]:
    """Return a function that computes rows of bicubically scaled ab: (1, 2, h, w) to (1, 2, n, width)."""
    if ab.shape[-2:] == (height, width):
        return lambda rows: ab[:, :, rows]
    wide = ab @ _bicubic(ab.shape[-1], width).to(ab.device)  # (1, 2, h, W)
    down = _bicubic(ab.shape[-2], height).T.to(ab.device)  # (H, h)

    def scaled_rows(rows: slice) -> Tensor:
        weights = down[rows]  # (n, h), zero except in a few columns
        used = weights.any(dim=0).nonzero()
        first, last = int(used[0]), int(used[-1]) + 1
        return weights[:, first:last] @ wide[:, :, first:last]

    return scaled_rows


@lru_cache(maxsize=_CACHED_MATRICES)
def _bicubic(before: int, after: int) -> Tensor:
    """Compute bicubic scaling as a matrix (before, after)."""
    return functional.interpolate(torch.eye(before)[None, :, None], (1, after), mode="bicubic")[0, :, 0]


def _encoded(linear: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert linear RGB (1, 3, n, W) in 0..1 to sRGB integers (n, W, 3)."""
    if dtype == torch.uint8:
        # A table over the square root is exact enough for 8 bits and takes half the time of the formula.
        index = linear.sqrt_().mul_(_CODES).add_(0.5).to(torch.int32)
        return torch.stack(look_up(_code_table().to(linear.device), index[0]).unbind(0), dim=-1)
    return linear_to_srgb(linear[0]).mul_(65535).add_(0.5).to(torch.int32).to(dtype).permute(1, 2, 0)


@cache
def _code_table() -> Tensor:
    linear = torch.linspace(0, 1, _CODES + 1, dtype=torch.float64) ** 2
    return linear_to_srgb(linear).mul_(255).add_(0.5).to(torch.uint8)
