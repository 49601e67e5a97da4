"""Joining predicted chroma with a frame's own lightness, at full size, strip by strip as in `preprocess`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from colorcli.color import AB_LIMIT, lab_to_linear_in_gamut, linear_to_srgb
from colorcli.inference.join_table import Palette
from colorcli.inference.preprocess import bicubic, look_up, strips
from colorcli.inference.transfer import as_tensor, download

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CODES = 2**14 - 1
_DTYPES = {1: torch.uint8, 2: torch.uint16}  # by bytes per sample


@torch.inference_mode()
def join(pixels: NDArray[Any] | Tensor, ab: Tensor, strip: int | None = None) -> NDArray[Any]:
    """Combine the lightness of a frame with predicted chroma.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16, sRGB: an array, or a tensor on the device of `ab`.
        ab: (1, 2, h, w) of any size, on the device to compute on; scaled bicubically to the frame and clamped.
        strip: pixels that are processed at a time; None for what suits the device.

    Returns:
        (H, W, 3) sRGB of the dtype of `pixels`, of the same lightness up to rounding; colors out of gamut lose chroma.
        On a CPU, the chroma of gray frames of 8 bits is rounded, see `join_table`.
    """
    if not isinstance(pixels, Tensor) and ab.device.type == "cpu" and pixels.ndim == 2 and pixels.dtype.itemsize == 1:
        return _palette().join(as_tensor(pixels), ab.float())  # in a fraction of the time
    return _computed(pixels, ab, strip)


def _computed(pixels: NDArray[Any] | Tensor, ab: Tensor, strip: int | None = None) -> NDArray[Any]:
    """Join any frame, by computing the color of each pixel."""
    height, width = pixels.shape[:2]
    dtype = pixels.dtype if isinstance(pixels, Tensor) else _DTYPES[pixels.dtype.itemsize]
    out = torch.empty((height, width, 3), dtype=dtype, device=ab.device)
    scaled = _Scaled(ab.float(), height, width)
    for rows, lightness in strips(pixels, ab.device, strip):
        chroma = scaled.rows(rows).clamp(-AB_LIMIT, AB_LIMIT)
        out[rows] = _encoded(lab_to_linear_in_gamut(lightness, chroma), dtype)
    color: NDArray[Any] = download(out).numpy()
    return color


class _Scaled:
    """Planes (1, 2, h, w), scaled bicubically to a height and a width, as many rows as are needed."""

    def __init__(self, planes: Tensor, height: int, width: int) -> None:
        before = planes.shape[-2:]
        self._down = bicubic(before[0], height, planes.device) if before != (height, width) else None
        if self._down:
            planes = planes @ bicubic(before[1], width, planes.device).weights.T  # (1, 2, h, W)
        self._wide = planes

    def rows(self, rows: slice) -> Tensor:
        """Return some rows: (1, 2, n, W)."""
        if self._down is None:
            return self._wide[:, :, rows]
        near = self._down.columns(rows)
        return self._down.weights[rows, near] @ self._wide[:, :, near]


def _encoded(linear: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert linear RGB (1, 3, n, W) in 0..1 to sRGB integers (n, W, 3)."""
    if dtype == torch.uint8:
        # A table over the square root is exact enough for 8 bits and takes half the time of the formula.
        index = linear.sqrt_().mul_(_CODES).add_(0.5).to(torch.int32)
        return torch.stack(look_up(_code_table(linear.device), index[0]).unbind(0), dim=-1)
    return linear_to_srgb(linear[0]).mul_(65535).add_(0.5).to(torch.int32).to(dtype).permute(1, 2, 0)


@cache
def _palette() -> Palette:
    return Palette(lambda lightness, ab: _encoded(lab_to_linear_in_gamut(lightness, ab), torch.uint8))


@cache
def _code_table(device: torch.device) -> Tensor:
    linear = torch.linspace(0, 1, _CODES + 1, dtype=torch.float64) ** 2
    return linear_to_srgb(linear).mul_(255).add_(0.5).to(torch.uint8).to(device)
