"""Joined colors of 8-bit grays, looked up instead of computed, several times as fast on a CPU.

Lightness has 256 values there, and chroma rounded to half a unit is nearer to the exact one than rounding to 8 bits
is. So every color is computed once, when it is first needed, from its exact lightness: joining takes one look-up.
Rows that lie so close together that their chroma is almost the same share it; lightness is that of each pixel.
"""

from __future__ import annotations

import contextlib
import mmap
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from colorcli.color import AB_LIMIT, gray_to_lightness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_STEP = 0.5  # step of a and b
_CELLS = int(2 * AB_LIMIT / _STEP)  # along a and b each
_GRAYS = 256
_RUN = 16  # grays whose colors are computed together
_BATCH = 2**12  # runs
_STRIP = 2**17  # pixels
_SPARSE = 8  # one pixel in this many, in each direction, is looked at beforehand to see which colors are needed
_MOST_ALIKE = 4  # rows that share their chroma
_MOST_APART = 0.5  # of a and b, between the chroma they share and their own


def to_cells(ab: Tensor) -> Tensor:
    """Convert ab of any shape to cells of a palette, 0..512, of which the integer part counts; scaling may follow."""
    return ab.clamp(-AB_LIMIT, AB_LIMIT) / _STEP + (_CELLS / 2 + 0.5)


def rows_alike(cells: Tensor, height: int) -> int:
    """Return how many rows may share the chroma of their middle one, without a visible change anywhere.

    Args:
        cells: (1, 2, h, w), before they are scaled.
        height: of the frame.
    """
    if cells.shape[2] == 1:
        return _MOST_ALIKE
    steepest = float(cells.diff(dim=2).abs().max()) * cells.shape[2] / height * _STEP  # of ab in a row
    return int(min(_MOST_ALIKE, max(1.0, 2 * _MOST_APART / max(steepest, 1e-6))))


class Palette:
    """The colors of grays joined with chroma, as far as they were needed. Threads may share one.

    Args:
        encode: joins L* (1, 1, n, 16) and ab (1, 2, n, 16) to sRGB, uint8 (n, 16, 3).
    """

    def __init__(self, encode: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._encode = encode
        # By a, b and gray: R, G, B, and 255 once it is known. What is not touched of these 256 MB takes no memory.
        self._table = _untouched(_CELLS * _CELLS * _GRAYS)
        self._lightness = gray_to_lightness(torch.linspace(0, 1, _GRAYS, dtype=torch.float64)).float().view(-1, _RUN)

    def join(self, gray: Tensor, cells_of: Callable[[Tensor, int], Sequence[Tensor]], alike: int) -> NDArray[np.uint8]:
        """Join a gray frame with chroma.

        Args:
            gray: (H, W) uint8, contiguous.
            cells_of: takes the numbers of rows (n,) and a step, and returns the cells of every `step`th pixel of
                these rows, along a and along b, (n, W / step) each, which are overwritten.
            alike: how many rows share the chroma of the middle one.

        Returns:
            (H, W, 3) sRGB.
        """
        height, width = gray.shape
        color = np.empty((height, width, 3), np.uint8)
        seen = torch.arange(0, height, _SPARSE)
        index = _first_of(cells_of(seen, _SPARSE)).add_(gray[::_SPARSE, ::_SPARSE]).flatten()
        self._learn(index[self._table.index_select(0, index) == 0])
        rows = max(1, _STRIP // width // alike) * alike
        room = torch.empty((2, rows * width), dtype=torch.int32)  # new memory for each strip takes longer to get
        late = [(index[:0], index[:0].long())]  # rare colors, of which nothing was known beforehand, and their pixels
        for start in range(0, height, rows):
            strip = gray[start : start + rows].flatten()
            index, found = room[:, : len(strip)]
            index.copy_(strip)
            middles = torch.arange(start, min(start + rows, height), alike).add_(alike // 2).clamp_(max=height - 1)
            room[0].view(-1, alike, width)[: len(middles)].add_(_first_of(cells_of(middles, 1))[:, None])
            torch.index_select(self._table, 0, index, out=found)
            pixels = found.view(torch.uint8).view(-1, width, 4).numpy()
            cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB, dst=color[start : start + rows])
            if found.amax() == 0:  # known ones are negative, because 255 is in their highest byte
                unknown = _where(found.numpy() == 0)
                late.append((index[unknown], unknown + start * width))
        places, pixels_of_places = (torch.cat(each) for each in zip(*late, strict=True))
        self._learn(places)
        known = self._table.index_select(0, places).view(torch.uint8).view(-1, 4)
        torch.from_numpy(color).view(-1, 3)[pixels_of_places] = known[:, :3]
        return color

    def _learn(self, index: Tensor) -> None:
        """Compute the colors at places of the table, and those of grays beside them."""
        if not len(index):
            return
        runs = np.zeros(len(self._table) // _RUN, np.bool_)
        runs[index.numpy() // _RUN] = True
        for part in torch.split(_where(runs), _BATCH):
            cell, level = part // (_GRAYS // _RUN), part % (_GRAYS // _RUN)
            cells = torch.stack((cell // _CELLS, cell % _CELLS))  # (2, n)
            ab = (cells[None, :, :, None] - _CELLS / 2) * _STEP
            color = self._encode(self._lightness[level][None, None], ab.expand(-1, -1, -1, _RUN))
            known = torch.full((len(part), _RUN, 4), 255, dtype=torch.uint8)
            known[..., :3] = color
            self._table.view(-1, _RUN)[part] = known.view(torch.int32)[..., 0]


def _untouched(count: int) -> Tensor:
    """Return zeros (count,) int32 that take memory page by page when they are written, and not in huge pages."""
    memory = mmap.mmap(-1, 4 * count)
    with contextlib.suppress(AttributeError, OSError):  # a system without huge pages
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.int32)


def _where(true: NDArray[np.bool_]) -> Tensor:
    """Return where `true` is true, (n,) int64; where it rarely is, this is many times faster than torch."""
    return torch.from_numpy(np.flatnonzero(true))


def _first_of(cells: Sequence[Tensor]) -> Tensor:
    """Compute where the table has the first color of cells, (n, W) int32, from their places along a and b, (n, W)."""
    a, b = (each.clamp_(0, _CELLS - 1).to(torch.int32) for each in cells)
    return b.add_(a, alpha=_CELLS).mul_(_GRAYS)
