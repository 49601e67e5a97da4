"""Between a frame and the network: lightness out of its pixels, and chroma back beside that lightness.

Full-size work is done in strips of rows that fit the processor's cache, so that memory does not grow with the
picture and a large one is not slowed by its size.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import (
    AB_LIMIT,
    LUMINANCE_WEIGHTS,
    grey_to_lightness,
    lab_to_linear_in_gamut,
    linear_to_srgb,
    luminance_to_lightness,
    srgb_to_linear,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_STRIP = {"cpu": 2**17, "cuda": 2**24}  # pixels
_STRIP_ELSEWHERE = 2**23
_KEPT_MATRICES = 16  # of bicubic scaling, megabytes each: as many as pictures of a few sizes need
_CODES = 2**14 - 1


def small_lightness(pixels: NDArray[np.generic], size: tuple[int, int], device: torch.device) -> Tensor:
    """Compute the lightness of a frame at the network's size, antialiased.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16, sRGB.
        size: (h, w) of the network's input.
        device: where to compute.

    Returns:
        (1, 1, h, w) float32, L* in 0..100.
    """
    # Rows first: each strip is squeezed to w columns while it is in the cache.
    squeezed = [
        functional.interpolate(lightness, (lightness.shape[-2], size[1]), mode="bilinear", antialias=True)
        for _, lightness in _strips(pixels, device)
    ]
    return functional.interpolate(torch.cat(squeezed, dim=-2), size, mode="bilinear", antialias=True)


@torch.inference_mode()
def join(pixels: NDArray[np.generic], ab: Tensor) -> NDArray[np.generic]:
    """Give a frame chroma: its own lightness beside the predicted ab.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16, sRGB.
        ab: (1, 2, h, w) of any size, on the device to compute on; scaled to the frame bicubically and clamped.

    Returns:
        (H, W, 3) sRGB of the dtype of `pixels`: of the same lightness to rounding, brought into gamut by less chroma.
    """
    height, width = pixels.shape[:2]
    colour = np.empty((height, width, 3), pixels.dtype.newbyteorder("="))
    out = torch.from_numpy(colour)
    chroma_of = _scaled(ab.float(), height, width)
    for rows, lightness in _strips(pixels, ab.device):
        chroma = chroma_of(rows).clamp(-AB_LIMIT, AB_LIMIT)
        out[rows] = _encoded(lab_to_linear_in_gamut(lightness, chroma), out.dtype)
    return colour


def _scaled(ab: Tensor, height: int, width: int) -> Callable[[slice], Tensor]:
    """Scale ab (1, 2, h, w) bicubically; what is returned gives rows of it: (1, 2, n, width)."""
    if ab.shape[-2:] == (height, width):
        return lambda rows: ab[:, :, rows]
    wide = ab @ _bicubic(ab.shape[-1], width).to(ab.device)  # (1, 2, h, W)
    down = _bicubic(ab.shape[-2], height).T.to(ab.device)  # (H, h)

    def scaled_rows(rows: slice) -> Tensor:
        weights = down[rows]  # (n, h), zero but for a few columns
        used = weights.any(dim=0).nonzero()
        first, last = int(used[0]), int(used[-1]) + 1
        return weights[:, first:last] @ wide[:, :, first:last]

    return scaled_rows


def _strips(pixels: NDArray[np.generic], device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Cut a frame into strips of rows: (rows, lightness (1, 1, n, W))."""
    height, width = pixels.shape[:2]
    rows = max(1, _STRIP.get(device.type, _STRIP_ELSEWHERE) // width)
    for start in range(0, height, rows):
        part = slice(start, min(start + rows, height))
        yield part, _lightness(_as_tensor(pixels[part]).to(device))[None, None]


def _as_tensor(pixels: NDArray[np.generic]) -> Tensor:
    """Look at an array as torch can: contiguous, in this machine's byte order, writable though nobody writes."""
    return torch.from_numpy(np.require(pixels, pixels.dtype.newbyteorder("="), ["C_CONTIGUOUS", "WRITEABLE"]))


def _lightness(pixels: Tensor) -> Tensor:
    """Look up the lightness of (n, W) or (n, W, 3) integer pixels: (n, W) in 0..100."""
    levels = 2 ** (8 * pixels.element_size())
    index = pixels.int()
    if pixels.ndim == 2:
        return _look_up(_grey_table(levels).to(pixels.device), index)
    tables = _luminance_tables(levels).to(pixels.device)
    red, green, blue = (_look_up(table, index[..., channel]) for channel, table in enumerate(tables))
    return luminance_to_lightness(red.add_(green).add_(blue))


def _look_up(table: Tensor, index: Tensor) -> Tensor:
    # index_select is six times as fast as table[index]
    return table.index_select(0, index.flatten()).view(index.shape)


@cache
def _grey_table(levels: int) -> Tensor:
    return grey_to_lightness(torch.linspace(0, 1, levels, dtype=torch.float64)).float()


@cache
def _luminance_tables(levels: int) -> Tensor:
    """What each channel adds to the luminance: (3, levels)."""
    linear = srgb_to_linear(torch.linspace(0, 1, levels, dtype=torch.float64))
    return (torch.tensor(LUMINANCE_WEIGHTS, dtype=torch.float64)[:, None] * linear).float()


@lru_cache(maxsize=_KEPT_MATRICES)
def _bicubic(before: int, after: int) -> Tensor:
    """Write bicubic scaling as a matrix (before, after)."""
    return functional.interpolate(torch.eye(before)[None, :, None], (1, after), mode="bicubic")[0, :, 0]


def _encoded(linear: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn linear RGB (1, 3, n, W) in 0..1 into sRGB integers (n, W, 3)."""
    if dtype == torch.uint8:
        # A table over the square root is as exact as 8 bits need and takes half the time of the formula.
        index = linear.sqrt_().mul_(_CODES).add_(0.5).to(torch.int32)
        return torch.stack(_look_up(_code_table().to(linear.device), index[0]).unbind(0), dim=-1)
    return linear_to_srgb(linear[0]).mul_(65535).add_(0.5).to(torch.int32).to(dtype).permute(1, 2, 0)


@cache
def _code_table() -> Tensor:
    linear = torch.linspace(0, 1, _CODES + 1, dtype=torch.float64) ** 2
    return linear_to_srgb(linear).mul_(255).add_(0.5).to(torch.uint8)
