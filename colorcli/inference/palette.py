"""Joined colors of 8-bit grays, looked up instead of computed, several times as fast on a CPU.

Lightness has 256 values there, and chroma rounded to half a unit is nearer to the exact one than rounding to 8 bits
is. So every color is computed once, when it is first needed, from its exact lightness: joining takes one look-up.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from colorcli.color import AB_LIMIT, gray_to_lightness

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Encode = Callable[[Tensor, Tensor], Tensor]
    Scale = Callable[[slice], Tensor]

_STEP = 0.5  # of a and b
_CELLS = int(2 * AB_LIMIT / _STEP)  # along a and b each
_GRAYS = 256
_RUN = 16  # grays whose colors are computed together
_BATCH = 2**13  # runs
_STRIP = 2**16  # pixels
_SPARSE = 4  # of which every one in each direction shows beforehand which colors are needed


def cells(ab: Tensor) -> Tensor:
    """Convert ab to units of the palette, in which cells are integers; scaling to another size may follow."""
    return ab.clamp(-AB_LIMIT, AB_LIMIT) / _STEP + (_CELLS / 2 + 0.5)


class Palette:
    """The colors of grays joined with chroma, as far as they were needed. Threads may share one.

    Args:
        encode: joins L* (1, 1, N, 16) and ab (1, 2, N, 16) to sRGB, uint8 (N, 16, 3).
    """

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        # By a, b and gray: R, G, B, and 255 once it is known. Untouched parts of these 256 MB take no memory.
        self._table = torch.from_numpy(np.zeros(_CELLS * _CELLS * _GRAYS, np.int32))
        self._lightness = gray_to_lightness(torch.linspace(0, 1, _GRAYS, dtype=torch.float64)).float().view(-1, _RUN)

    def join(self, gray: NDArray[np.uint8], scaled: Callable[[int, int], Scale]) -> NDArray[np.uint8]:
        """Join a gray frame (H, W) with chroma.

        Args:
            gray: (H, W), contiguous.
            scaled: returns for a height and width a function that gives rows of `cells`, (1, 2, n, W), of that size.

        Returns:
            (H, W, 3) sRGB.
        """
        height, width = gray.shape
        color = np.empty((height, width, 3), np.uint8)
        sparse = np.ascontiguousarray(gray[::_SPARSE, ::_SPARSE])
        index = _index(sparse, scaled(*sparse.shape)(slice(None)))
        self._learn(index[self._table.index_select(0, index) == 0])
        rows = max(1, _STRIP // width)
        chroma = scaled(height, width)
        late = [(index[:0], index[:0].long())]  # rare colors, of which nothing was known beforehand, and their pixels
        for start in range(0, height, rows):
            strip = slice(start, start + rows)
            index = _index(gray[strip], chroma(strip))
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
        for part in runs.nonzero()[:, 0].split(_BATCH) if len(index) else ():
            cell, level = part.div(_GRAYS // _RUN, rounding_mode="floor"), part % (_GRAYS // _RUN)
            units = torch.stack((cell.div(_CELLS, rounding_mode="floor"), cell % _CELLS))  # (2, n)
            ab = (units[None, :, :, None] - _CELLS / 2) * _STEP
            color = self._encode(self._lightness[level][None, None], ab.expand(-1, -1, -1, _RUN))
            known = torch.full((len(part), _RUN, 4), 255, dtype=torch.uint8)
            known[..., :3] = color
            self._table.view(-1, _RUN)[part] = known.view(torch.int32)[..., 0]


def _index(gray: NDArray[np.uint8], units: Tensor) -> Tensor:
    """Compute where the table has the colors of grays (n, W) and chroma (1, 2, n, W): (n * W,) int32."""
    a, b = units[0].clamp_(0, _CELLS - 1).to(torch.int32)
    return b.add_(a, alpha=_CELLS).mul_(_GRAYS).add_(torch.from_numpy(gray)).flatten()
