"""The network's input: the lightness of a frame, scaled down.

Full-size work is done in strips of rows that fit in the processor's cache, so that memory does not grow with the
picture and large pictures are not slowed down by cache misses.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import LUMINANCE_WEIGHTS, gray_to_lightness, luminance_to_lightness, srgb_to_linear

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_STRIP = {"cpu": 2**17, "cuda": 2**24}  # pixels
_STRIP_ELSEWHERE = 2**23


def small_lightness(pixels: NDArray[np.generic], size: tuple[int, int], device: torch.device) -> Tensor:
    """Compute the lightness of a frame at the network's size, antialiased.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16, sRGB.
        size: (h, w) of the network's input.
        device: where to compute.

    Returns:
        (1, 1, h, w) float32, L* in 0..100.
    """
    # Width first: each strip is scaled to w columns while it is in the cache.
    squeezed = [
        functional.interpolate(lightness, (lightness.shape[-2], size[1]), mode="bilinear", antialias=True)
        for _, lightness in strips(pixels, device)
    ]
    return functional.interpolate(torch.cat(squeezed, dim=-2), size, mode="bilinear", antialias=True)


def strips(pixels: NDArray[np.generic], device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Yield a frame strip by strip: its rows, and their lightness (1, 1, n, W)."""
    height, width = pixels.shape[:2]
    rows = max(1, _STRIP.get(device.type, _STRIP_ELSEWHERE) // width)
    for start in range(0, height, rows):
        part = slice(start, min(start + rows, height))
        yield part, _lightness(_as_tensor(pixels[part]).to(device))[None, None]


def _as_tensor(pixels: NDArray[np.generic]) -> Tensor:
    """Wrap an array for torch, which requires it to be contiguous, in native byte order and writable."""
    return torch.from_numpy(np.require(pixels, pixels.dtype.newbyteorder("="), ["C_CONTIGUOUS", "WRITEABLE"]))


def _lightness(pixels: Tensor) -> Tensor:
    """Look up the lightness of (n, W) or (n, W, 3) integer pixels: (n, W) in 0..100."""
    levels = 2 ** (8 * pixels.element_size())
    index = pixels.int()
    if pixels.ndim == 2:
        return look_up(_gray_table(levels).to(pixels.device), index)
    tables = _luminance_tables(levels).to(pixels.device)
    red, green, blue = (look_up(table, index[..., channel]) for channel, table in enumerate(tables))
    return luminance_to_lightness(red.add_(green).add_(blue))


def look_up(table: Tensor, index: Tensor) -> Tensor:
    """Look up integers of any shape in a one-dimensional table."""
    return table.index_select(0, index.flatten()).view(index.shape)  # six times faster than table[index]


@cache
def _gray_table(levels: int) -> Tensor:
    return gray_to_lightness(torch.linspace(0, 1, levels, dtype=torch.float64)).float()


@cache
def _luminance_tables(levels: int) -> Tensor:
    """Compute the contribution of each channel to the luminance: (3, levels)."""
    linear = srgb_to_linear(torch.linspace(0, 1, levels, dtype=torch.float64))
    return (torch.tensor(LUMINANCE_WEIGHTS, dtype=torch.float64)[:, None] * linear).float()
