"""Color conversion for films: lightness from Y, and U and V that show predicted chroma beside that Y.

Colors are predicted for the screen: players display R'G'B' as it is, so it is interpreted as sRGB regardless of the
transfer characteristic that the film is tagged with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import AB_LIMIT, gray_to_lightness, lab_to_uv, luma_to_lightness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from colorcli.color import Matrix, Primaries
    from colorcli.media.films.probe import Film

_STRIP = 2**15  # chroma pixels converted at a time, so that intermediate results fit the CPU cache
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
        matrix: from R'G'B' to Y, U and V.
        primaries: of R'G'B'.
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


def small_lightness(luma: NDArray[Any], size: tuple[int, int], coding: Coding) -> Tensor:
    """Compute the lightness of a frame at the network's size, antialiased.

    Args:
        luma: (H, W), uint8 or uint16, the Y plane.
        size: (h, w) of the network input.
        coding: that of the film.

    Returns:
        (1, 1, h, w) float32, L* in 0..100.
    """
    lightness = torch.from_numpy(_gray_lightness(luma, coding))
    return functional.interpolate(lightness[None, None], size, mode="bilinear", antialias=True)


def _gray_lightness(luma: NDArray[Any], coding: Coding) -> NDArray[np.float32]:
    """Look up the lightness of gray: (H, W) codes to L* in 0..100."""
    table = _lightness_table(coding)
    if luma.dtype == np.uint8:
        return cv2.LUT(luma, table)  # type: ignore[return-value]  # of the table's type
    lightness: NDArray[np.float32] = table.take(luma, mode="clip")
    return lightness


@lru_cache(maxsize=8)
def _lightness_table(coding: Coding) -> NDArray[np.float32]:
    codes = torch.arange(1 << coding.depth, dtype=torch.float64)
    table: NDArray[np.float32] = gray_to_lightness(_luma(codes, coding)).float().numpy()
    return table


def _luma(codes: Tensor, coding: Coding) -> Tensor:
    return ((codes - coding.black) / coding.luma_codes).clamp_(0, 1)


def chroma_planes(luma: NDArray[Any], ab: NDArray[np.float32], coding: Coding) -> tuple[NDArray[Any], NDArray[Any]]:
    """Compute the U and V that show predicted chroma beside an unchanged Y plane.

    Args:
        luma: (H, W), uint8 or uint16, the Y plane.
        ab: (2, h, w) of any size; resized bicubically and clamped.
        coding: that of the film.

    Returns:
        U and V, each (ceil(H / 2), ceil(W / 2)) of the dtype of `luma`.
    """
    height, width = (luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2
    coarse = _halved(luma)
    a, b, excess = (_scaled(plane, width, height) for plane in (*ab, _excess(coarse, ab, coding)))
    planes = torch.empty((2, height, width), dtype=torch.uint8 if luma.dtype == np.uint8 else torch.uint16)
    rows = max(1, _STRIP // width)
    middle, last = 1 << (coding.depth - 1), (1 << coding.depth) - 1
    gray = _gray_lightness(coarse, coding)
    for start in range(0, height, rows):
        strip = slice(start, start + rows)
        y = _luma(torch.from_numpy(coarse[strip]).float(), coding)[None]
        lightness = torch.from_numpy(gray[strip] + excess[strip])[None]
        chroma = torch.from_numpy(np.stack((a[strip], b[strip]))).clamp_(-AB_LIMIT, AB_LIMIT)
        uv = lab_to_uv(y, lightness.clamp_(0, 100), chroma, coding.matrix, coding.primaries)
        planes[:, strip] = uv.mul_(coding.chroma_codes).add_(middle + 0.5).clamp_(0, last).to(torch.int32)
    u, v = planes.numpy()
    return u, v


def _scaled(plane: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    scaled: NDArray[np.float32]
    scaled = cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC)  # type: ignore[assignment]
    return scaled


def _excess(coarse: NDArray[Any], ab: NDArray[np.float32], coding: Coding) -> NDArray[np.float32]:
    """Compute how much lighter colors are than gray of the same luma: (h, w) L*, at the resolution of ab."""
    small = cv2.resize(coarse, ab.shape[:0:-1], interpolation=cv2.INTER_AREA)
    y = _luma(torch.from_numpy(small).float(), coding)[None]
    lightness = luma_to_lightness(y, torch.from_numpy(ab), coding.matrix, coding.primaries)[0]
    excess: NDArray[np.float32] = lightness.numpy() - _gray_lightness(small, coding)
    return excess


def _halved(luma: NDArray[Any]) -> NDArray[Any]:
    """Average blocks of 2 x 2 pixels; the last row or column of an odd size is repeated."""
    height, width = luma.shape
    if height % 2 or width % 2:
        luma = cv2.copyMakeBorder(luma, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
