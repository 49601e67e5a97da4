"""Joined colors of 8-bit grays, looked up instead of computed, several times as fast on a CPU.

Lightness has 256 values there, and chroma rounded to half a unit is nearer to the exact one than rounding to 8 bits
is. So every color is computed once, when it is first needed, from its exact lightness: joining takes one look-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from colorcli.color import AB_LIMIT, gray_to_lightness

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_STEP = 0.5  # step of a and b
_CELLS = int(2 * AB_LIMIT / _STEP)  # along a and b each
_GRAYS = 256
_RUN = 16  # grays whose colors are computed together
_BATCH = 2**13  # runs
_STRIP = 2**16  # pixels
SPARSE = 4
"""One pixel in this many, in each direction, is looked at beforehand to see which colors are needed."""


def to_cells(ab: Tensor) -> Tensor:
    """Convert ab of any shape to cells of a palette, 0..512, of which the integer part counts; scaling may follow."""
    return ab.clamp(-AB_LIMIT, AB_LIMIT) / _STEP + (_CELLS / 2 + 0.5)


class Palette:
    """The colors of grays joined with chroma, as far as they were needed. Threads may share one.

    Args:
        encode: joins L* (1, 1, n, 16) and ab (1, 2, n, 16) to sRGB, uint8 (n, 16, 3).
    """

    def __init__(self, encode: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._encode = encode
        # By a, b and gray: R, G, B, and 255 once it is known. What is not touched of these 256 MB takes no memory.
        self._table = torch.from_numpy(np.zeros(_CELLS * _CELLS * _GRAYS, np.int32))
        self._lightness = gray_to_lightness(torch.linspace(0, 1, _GRAYS, dtype=torch.float64)).float().view(-1, _RUN)

    def join(self, gray: Tensor, sparse: Tensor, cells_of: Callable[[slice], Tensor]) -> NDArray[np.uint8]:
        """Join a gray frame with chroma.

        Args:
            gray: (H, W) uint8, contiguous.
            sparse: cells (1, 2, ., .) of every `SPARSE`th pixel in each direction.
            cells_of: returns those of some rows, (1, 2, n, W), which are overwritten.

        Returns:
            (H, W, 3) sRGB.
        """
        height, width = gray.shape
        color = np.empty((height, width, 3), np.uint8)
        index = _index(gray[::SPARSE, ::SPARSE], sparse)
        self._learn(index[self._table.index_select(0, index) == 0])
        rows = max(1, _STRIP // width)
        late = [(index[:0], index[:0].long())]  # rare colors, of which nothing was known beforehand, and their pixels
        for start in range(0, height, rows):
            strip = slice(start, start + rows)
            index = _index(gray[strip], cells_of(strip))
            found = self._table.index_select(0, index)
            pixels = found.view(torch.uint8).view(-1, width, 4).numpy()
            cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB, dst=color[strip])
            if found.amax() == 0:  # known ones are negative, because 255 is in their highest byte
                unknown = (found == 0).nonzero()[:, 0]
                late.append((index[unknown], unknown + start * width))
        places, pixels_of_places = (torch.cat(each) for each in zip(*late, strict=True))
        self._learn(places)
        known = self._table.index_select(0, places).view(torch.uint8).view(-1, 4)
        torch.from_numpy(color).view(-1, 3)[pixels_of_places] = known[:, :3]
        return color

    def _learn(self, index: Tensor) -> None:
        """Compute the colors at places of the table, and those of grays beside them."""
        runs = torch.zeros(len(self._table) // _RUN, dtype=torch.bool)
        runs[(index // _RUN).long()] = True
        for part in torch.split(runs.nonzero()[:, 0], _BATCH) if len(index) else ():
            cell, level = part // (_GRAYS // _RUN), part % (_GRAYS // _RUN)
            cells = torch.stack((cell // _CELLS, cell % _CELLS))  # (2, n)
            ab = (cells[None, :, :, None] - _CELLS / 2) * _STEP
            color = self._encode(self._lightness[level][None, None], ab.expand(-1, -1, -1, _RUN))
            known = torch.full((len(part), _RUN, 4), 255, dtype=torch.uint8)
            known[..., :3] = color
            self._table.view(-1, _RUN)[part] = known.view(torch.int32)[..., 0]


def _index(gray: Tensor, cells: Tensor) -> Tensor:
    """Compute where the table has the colors of grays (n, W) and cells (1, 2, n, W): (n * W,) int32."""
    a, b = cells[0].clamp_(0, _CELLS - 1).to(torch.int32)
    index: Tensor = b.add_(a, alpha=_CELLS).mul_(_GRAYS).add_(gray).flatten()
    return index
