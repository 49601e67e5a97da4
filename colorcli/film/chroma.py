"""Color conversion for films: lightness from Y, and U and V that show predicted chroma together with that Y.

Colors are predicted for the screen: players display R'G'B' as it is, so it is interpreted as sRGB regardless of the
transfer characteristic that the film is tagged with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from colorcli.color import AB_LIMIT, gray_to_lightness, lab_to_uv, luma_to_lightness
from colorcli.film.chroma_table import ChromaTable
from colorcli.film.planes import averaged, cubic, halved, look_up_codes
from colorcli.inference.preprocess import scaled_down, strip_pixels
from colorcli.inference.transfer import download

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from colorcli.color import Matrix, Primaries
    from colorcli.media.films.film import Film

_STRIP = 2**15  # chroma pixels converted at a time, so that intermediate results fit the CPU cache
_LOOKED_UP = 2**16  # pixels from which looking up U and V is faster, although the first of them are computed
_TABLE_DEPTH = 8  # bits
_MATRICES: dict[str, Matrix] = {
    "bt709": "bt709",
    "bt470bg": "bt601",
    "smpte170m": "bt601",
    "bt2020nc": "bt2020",
    "fcc": "fcc",
    "smpte240m": "smpte240m",
}
_PRIMARIES: dict[str, Primaries] = {"bt2020": "bt2020", "smpte432": "display-p3"}
"""Other primaries are close to those of sRGB, and most players show them as sRGB."""


@dataclass(frozen=True)
class Coding:
    """How the planes of a film encode its colors.

    Attributes:
        matrix: matrix from R'G'B' to Y, U and V.
        primaries: primaries of R'G'B'.
        full_range: whether Y uses all codes rather than 16..235 (in 8 bits).
        depth: 8 or 10 bits.
    """

    matrix: Matrix
    primaries: Primaries
    full_range: bool
    depth: int

    @classmethod
    def of(cls, film: Film) -> Coding:
        """Return the coding of a probed film."""
        primaries = _PRIMARIES.get(film.primaries, "srgb")
        return cls(_MATRICES[film.matrix], primaries, film.range == "pc", film.depth)

    @property
    def black(self) -> int:
        """The code of black."""
        return 0 if self.full_range else 16 << (self.depth - 8)

    @property
    def luma_codes(self) -> int:
        """Codes from black to white."""
        return (1 << self.depth) - 1 if self.full_range else 219 << (self.depth - 8)

    @property
    def chroma_codes(self) -> int:
        """Codes from a U or V of -0.5 to 0.5."""
        return (1 << self.depth) - 1 if self.full_range else 224 << (self.depth - 8)


def small_lightness(luma: NDArray[Any] | Tensor, size: tuple[int, int], coding: Coding) -> Tensor:
    """Compute the lightness of a frame at the network's size, antialiased.

    Args:
        luma: (H, W), uint8 or uint16, the Y plane: an array, or a tensor on the device to compute on.
        size: (h, w) of the network input.
        coding: coding of the film's pixels.

    Returns:
        (1, 1, h, w) float32, L* in 0..100, on that device.
    """
    plane = _tensor(luma)
    height, width = plane.shape
    if (height, width) == size:
        return _gray_lightness(plane, coding)[None, None]
    return scaled_down(_lightness_in_strips(plane, coding), (height, width), size, plane.device)


def _lightness_in_strips(luma: Tensor, coding: Coding) -> Iterator[tuple[slice, Tensor]]:
    """Yield rows of a frame and their lightness (n, W); the memory of a strip is used again for the next."""
    height, width = luma.shape
    rows = max(1, strip_pixels(luma.device) // width)
    room = np.empty((rows if luma.device.type == "cpu" else 0, width), np.float32)
    for start in range(0, height, rows):
        part = slice(start, min(start + rows, height))
        yield part, look_up_codes(_lightness_table(coding, luma.device), luma[part], room)


def _gray_lightness(luma: Tensor, coding: Coding) -> Tensor:
    """Look up the lightness of gray: (H, W) codes to L* in 0..100."""
    return look_up_codes(_lightness_table(coding, luma.device), luma)


@lru_cache(maxsize=8)
def _lightness_table(coding: Coding, device: torch.device) -> Tensor:
    codes = torch.arange(1 << coding.depth, dtype=torch.float64)
    return gray_to_lightness(_luma(codes, coding)).float().to(device)


def _tensor(plane: NDArray[Any] | Tensor) -> Tensor:
    return plane if isinstance(plane, Tensor) else torch.from_numpy(plane)


def _luma(codes: Tensor, coding: Coding) -> Tensor:
    return ((codes - coding.black) / coding.luma_codes).clamp_(0, 1)


def chroma_planes(
    luma: NDArray[Any] | Tensor, ab: NDArray[np.float32] | Tensor, coding: Coding, strip: int = _STRIP
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Compute the U and V that show predicted chroma beside an unchanged Y plane.

    Args:
        luma: (H, W), uint8 or uint16, the Y plane: an array, or a tensor on the device to compute on.
        ab: (2, h, w) of any size, an array or on that device; resized bicubically and clamped.
        coding: coding of the film's pixels.
        strip: pixels of chroma that are converted at a time.

    Returns:
        U and V, each (ceil(H / 2), ceil(W / 2)) of the dtype of `luma`. On a CPU, the chroma of frames of 8 bits is
        rounded, unless they are tiny; see `chroma_table`.
    """
    y_plane, chroma = _tensor(luma), _tensor(ab)
    if y_plane.device.type == "cpu" and coding.depth == _TABLE_DEPTH and y_plane.numel() >= _LOOKED_UP:
        coarse = halved(y_plane)
        return _table(coding).planes(coarse, cubic(chroma, (coarse.shape[0], coarse.shape[1])))
    return _computed(y_plane, chroma, coding, strip)


def _computed(y_plane: Tensor, chroma: Tensor, coding: Coding, strip: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Compute U and V as `chroma_planes` does, for each pixel."""
    coarse = halved(y_plane)
    height, width = coarse.shape
    scaled = cubic(torch.cat((chroma, _excess(coarse, chroma, coding)[None])), (height, width))
    planes = torch.empty((2, height, width), dtype=y_plane.dtype, device=y_plane.device)
    rows = max(1, strip // width)
    gray = _gray_lightness(coarse, coding)
    for start in range(0, height, rows):
        part = slice(start, start + rows)
        lightness = (gray[part] + scaled[2, part])[None].clamp_(0, 100)
        limited = scaled[:2, part].clamp(-AB_LIMIT, AB_LIMIT)
        planes[:, part] = _codes(_luma(coarse[part].float(), coding)[None], lightness, limited, coding)
    u, v = download(planes).numpy()
    return u, v


@lru_cache(maxsize=2)
def _table(coding: Coding) -> ChromaTable:
    def encode(codes: Tensor, ab: Tensor) -> Tensor:
        y = _luma(codes.float(), coding)
        return _codes(y, luma_to_lightness(y, ab, coding.matrix, coding.primaries), ab, coding).to(torch.uint8)

    return ChromaTable(encode)


def _codes(y: Tensor, lightness: Tensor, ab: Tensor, coding: Coding) -> Tensor:
    """Encode colors: (1, h, w) Y in 0..1, (1, h, w) L* and (2, h, w) ab to codes of U and V (2, h, w), int32."""
    middle, last = 1 << (coding.depth - 1), (1 << coding.depth) - 1
    uv = lab_to_uv(y, lightness, ab, coding.matrix, coding.primaries)
    return uv.mul_(coding.chroma_codes).add_(middle + 0.5).clamp_(0, last).to(torch.int32)


def _excess(coarse: Tensor, ab: Tensor, coding: Coding) -> Tensor:
    """Compute how much lighter colors are than gray of the same luma: (h, w) L*, at the resolution of ab."""
    small = averaged(coarse, (ab.shape[-2], ab.shape[-1]))
    y = _luma(small.float(), coding)[None]
    return luma_to_lightness(y, ab, coding.matrix, coding.primaries)[0] - _gray_lightness(small, coding)
