"""Joining predicted chroma with a frame's own lightness, at full size, strip by strip as in `preprocess`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from colorcli.color import AB_LIMIT, lab_to_linear_in_gamut, linear_to_srgb
from colorcli.inference.preprocess import bicubic, look_up, strips
from colorcli.inference.transfer import download

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CODES = 2**14 - 1
_DTYPES = {1: torch.uint8, 2: torch.uint16}  # by bytes


@torch.inference_mode()
def join(pixels: NDArray[Any] | Tensor, ab: Tensor, strip: int | None = None) -> NDArray[Any]:
    """Combine the lightness of a frame with predicted chroma.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16, sRGB: an array, or a tensor on the device of `ab`.
        ab: (1, 2, h, w) of any size, on the device to compute on; scaled bicubically to the frame and clamped.
        strip: pixels that are processed at a time; None for what suits the device.

    Returns:
        (H, W, 3) sRGB of the dtype of `pixels`, of the same lightness up to rounding; colors out of gamut lose chroma.
    """
    height, width = pixels.shape[:2]
    dtype = pixels.dtype if isinstance(pixels, Tensor) else _DTYPES[pixels.dtype.itemsize]
    out = torch.empty((height, width, 3), dtype=dtype, device=ab.device)
    chroma_of = _scaled(ab.float(), height, width)
    for rows, lightness in strips(pixels, ab.device, strip):
        chroma = chroma_of(rows).clamp(-AB_LIMIT, AB_LIMIT)
        out[rows] = _encoded(lab_to_linear_in_gamut(lightness, chroma), dtype)
    color: NDArray[Any] = download(out).numpy()
    return color


def _scaled(ab: Tensor, height: int, width: int) -> Callable[[slice], Tensor]:
    """Return a function that computes rows of bicubically scaled ab: (1, 2, h, w) to (1, 2, n, width)."""
    if ab.shape[-2:] == (height, width):
        return lambda rows: ab[:, :, rows]
    wide = ab @ bicubic(ab.shape[-1], width, ab.device)  # (1, 2, h, W)
    down = bicubic(ab.shape[-2], height, ab.device).T  # (H, h)
    reach = bicubic(ab.shape[-2], height, torch.device("cpu")).T  # asking the device would wait for it

    def scaled_rows(rows: slice) -> Tensor:
        used = reach[rows].any(dim=0).nonzero()  # of (n, h) weights, zero except in a few columns
        first, last = int(used[0]), int(used[-1]) + 1
        return down[rows, first:last] @ wide[:, :, first:last]

    return scaled_rows


def _encoded(linear: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert linear RGB (1, 3, n, W) in 0..1 to sRGB integers (n, W, 3)."""
    if dtype == torch.uint8:
        # A table over the square root is exact enough for 8 bits and takes half the time of the formula.
        index = linear.sqrt_().mul_(_CODES).add_(0.5).to(torch.int32)
        return torch.stack(look_up(_code_table(linear.device), index[0]).unbind(0), dim=-1)
    return linear_to_srgb(linear[0]).mul_(65535).add_(0.5).to(torch.int32).to(dtype).permute(1, 2, 0)


@cache
def _code_table(device: torch.device) -> Tensor:
    linear = torch.linspace(0, 1, _CODES + 1, dtype=torch.float64) ** 2
    return linear_to_srgb(linear).mul_(255).add_(0.5).to(torch.uint8).to(device)
