"""The network's input: the lightness of a frame, scaled down.

Full-size work is done in strips of rows that fit in the processor's cache, so that memory does not grow with the
picture and large pictures are not slowed down by cache misses. Tables and matrices are kept on each device.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import LUMINANCE_WEIGHTS, gray_to_lightness, luminance_to_lightness, rgb_to_lab, srgb_to_linear
from colorcli.inference.transfer import as_tensor, is_out_of_memory, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from colorcli.inference.transfer import Uploads

Result = TypeVar("Result")

_log = logging.getLogger("colorcli")
_STRIP = {"cpu": 2**16, "cuda": 2**24}  # pixels
_STRIP_ELSEWHERE = 2**23
_MIN_STRIP = 2**18  # pixels: in smaller ones a GPU is no faster than the CPU
_CACHED_MATRICES = 16  # for scaling, megabytes each: enough for pictures of a few sizes


def small_lightness(
    pixels: NDArray[Any] | Tensor, size: tuple[int, int], device: torch.device, strip: int | None = None
) -> Tensor:
    """Compute the lightness of a frame at the network's size, antialiased.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16, sRGB: an array, or a tensor on the device.
        size: (h, w) of the network's input.
        device: where to compute.
        strip: pixels that are processed at a time; None for what suits the device.

    Returns:
        (1, 1, h, w) float32, L* in 0..100.
    """
    full = pixels.shape[0], pixels.shape[1]
    return scaled_down(((rows, part[0, 0]) for rows, part in strips(pixels, device, strip)), full, size, device)


def scaled_down(
    parts: Iterable[tuple[slice, Tensor]], full: tuple[int, int], size: tuple[int, int], device: torch.device
) -> Tensor:
    """Scale a plane that arrives in strips, antialiased.

    Args:
        parts: rows of the plane, and what is in them, (n, W) float32.
        full: its height and width.
        size: those to scale it to.
        device: where the strips are.

    Returns:
        (1, 1, h, w) float32.
    """
    # Height first: each strip is scaled to a few rows while it is in the cache.
    band = antialiased(full[0], size[0], device)
    squeezed = torch.zeros((size[0], full[1]), device=device)
    for rows, part in parts:
        near = band.columns(rows)
        squeezed[near].addmm_(band.weights[rows, near].T, part)
    return functional.interpolate(squeezed[None, None], size, mode="bilinear", antialias=True)


def strips(
    pixels: NDArray[Any] | Tensor, device: torch.device, strip: int | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Yield a frame strip by strip: its rows, and their lightness (1, 1, n, W); see `small_lightness`.

    The memory of a strip is used again for the next.
    """
    if not isinstance(pixels, Tensor) and device.type != "cpu":
        pixels = upload(as_tensor(pixels), device)
    height, width = pixels.shape[:2]
    rows = max(1, (strip or strip_pixels(device)) // width)
    by_table = not isinstance(pixels, Tensor) and pixels.ndim == 2 and pixels.dtype == np.uint8
    room = np.empty((rows if by_table else 0, width), np.float32)  # new memory for each strip takes longer to get
    for start in range(0, height, rows):
        part = slice(start, min(start + rows, height))
        seen = pixels[part]
        if isinstance(seen, Tensor):
            lightness = _lightness(seen)
        elif by_table:
            table = _gray_table(256, device).numpy()
            lightness = torch.from_numpy(cv2.LUT(seen, table, dst=room[: len(seen)]))  # twice as fast as `look_up`
        else:
            lightness = _lightness(as_tensor(seen))
        yield part, lightness[None, None]


def in_strips(work: Callable[[torch.device, int], Result], device: torch.device, uploads: Uploads) -> Result:
    """Do full-size work on a device in strips that fit its memory, or on the CPU if none do.

    Args:
        work: takes the device and the pixels of a strip.
        device: device to try first.
        uploads: frames on it, which make room.
    """
    strip = strip_pixels(device)
    while device.type != "cpu":
        try:
            return work(device, strip)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        uploads.clear()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        if strip < 2 * _MIN_STRIP:
            _log.warning("%s has too little memory for a picture of this size. Continuing on the CPU.", device)
            device = torch.device("cpu")
        else:
            strip //= 2
            _log.info("%s ran out of memory. Continuing with strips of %d pixels.", device, strip)
    return work(device, strip_pixels(device))


def strip_pixels(device: torch.device) -> int:
    """Return how many pixels are processed at a time: what fits the cache of a CPU, or the memory of a GPU."""
    return _STRIP.get(device.type, _STRIP_ELSEWHERE)


def _lightness(pixels: Tensor) -> Tensor:
    """Look up the lightness of (n, W) or (n, W, 3) integer pixels: (n, W) in 0..100."""
    levels = 2 ** (8 * pixels.element_size())
    index = pixels.int()
    if pixels.ndim == 2:
        return look_up(_gray_table(levels, pixels.device), index)
    tables = _luminance_tables(levels, pixels.device)
    red, green, blue = (look_up(table, index[..., channel]) for channel, table in enumerate(tables))
    return luminance_to_lightness(red.add_(green).add_(blue))


def to_lightness_and_ab(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Convert a batch (B, 3, s, s) uint8 sRGB to lightness (B, 1, s, s) and ab (B, 2, s, s), float32, for training."""
    lab = rgb_to_lab(rgb.float() / 255)
    return lab[:, :1].contiguous(), lab[:, 1:].contiguous()


def look_up(table: Tensor, index: Tensor) -> Tensor:
    """Look up integers of any shape in a one-dimensional table."""
    return table.index_select(0, index.flatten()).view(index.shape)  # six times faster than table[index]


@dataclass(frozen=True)
class Band:
    """Scaling along one side, as a matrix that is zero except near its diagonal.

    Attributes:
        weights: (n, k) on a device; n is the longer side as a rule, which is processed in strips.
        first: for each of the n, the first of the k that it or a later one belongs to.
        end: for each of the n, one more than the last of the k that it or an earlier one belongs to.
    """

    weights: Tensor
    first: Sequence[int]
    end: Sequence[int]

    @classmethod
    def of(cls, weights: Tensor, device: torch.device) -> Band:
        """Find where weights (n, k) on the CPU are not zero, without asking the device later, which would wait."""
        used = weights.numpy() != 0
        first = np.minimum.accumulate(used.argmax(1)[::-1])[::-1]
        end = used.shape[1] - np.minimum.accumulate(used[:, ::-1].argmax(1))
        return cls(weights.to(device), first.tolist(), end.tolist())

    def columns(self, rows: slice) -> slice:
        """Return which of the k belong to some of the n."""
        return slice(self.first[rows.start], self.end[rows.stop - 1])


@lru_cache(maxsize=_CACHED_MATRICES)
def bicubic(before: int, after: int, device: torch.device) -> Band:
    """Compute bicubic scaling: weights (after, before)."""
    eye = torch.eye(before)[None, :, None]
    return Band.of(functional.interpolate(eye, (1, after), mode="bicubic")[0, :, 0].T, device)


@lru_cache(maxsize=_CACHED_MATRICES)
def antialiased(before: int, after: int, device: torch.device) -> Band:
    """Compute the antialiased bilinear scaling of torch: weights (before, after)."""
    return Band.of(triangle_filter(before, after), device)


def triangle_filter(before: int, after: int) -> Tensor:
    """Compute the antialiased bilinear scaling of torch as a matrix (before, after); can be exported, like its use."""
    scale = before / after
    distance = _middles(before)[:, None] - scale * _middles(after)
    weights = (1 - distance.abs() / max(scale, 1)).clamp_min(0)
    return (weights / weights.sum(0)).float()


def _middles(count: int) -> Tensor:
    """Return where pixels have their middles, in pixels."""
    return torch.arange(count, dtype=torch.float64) + 0.5


@cache
def _gray_table(levels: int, device: torch.device) -> Tensor:
    return gray_to_lightness(torch.linspace(0, 1, levels, dtype=torch.float64)).float().to(device)


@cache
def _luminance_tables(levels: int, device: torch.device) -> Tensor:
    """Compute the contribution of each channel to the luminance: (3, levels)."""
    linear = srgb_to_linear(torch.linspace(0, 1, levels, dtype=torch.float64))
    return (torch.tensor(LUMINANCE_WEIGHTS, dtype=torch.float64)[:, None] * linear).float().to(device)
