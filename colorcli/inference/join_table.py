"""Joined colors of 8-bit grays, looked up instead of computed, several times as fast on a CPU.

Lightness has 256 values there, and chroma rounded to half a unit is nearer to the exact one than rounding to 8 bits
is. So every color is computed once, when it is first needed, from its exact lightness: joining takes one look-up.
Places that lie so close together that their chroma is almost the same share it; lightness is that of each pixel.
"""

from __future__ import annotations

import contextlib
import mmap
import threading
import weakref
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from colorcli.color import AB_LIMIT, gray_to_lightness
from colorcli.inference.preprocess import bicubic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_STEP = 0.5  # step of a and b
_CELLS = int(2 * AB_LIMIT / _STEP)  # along a and b each
_GRAYS = 256
_STRIP = 2**18  # pixels
_BATCH = 2**15  # colors that are computed together
_ROWS = 64  # of blocks, whose chroma is scaled together
_SPARSE = 8  # of a large frame with new colors, one pixel in this many, along each side, is looked at beforehand,
_RUN = 16  # and grays beside its own are computed, too
_BLOCKS = ((4, 4), (4, 2), (2, 4), (2, 2), (4, 1), (1, 4), (2, 1), (1, 2))  # height and width in pixels
_REUSED = range(2**20, 2**26)  # bytes of outputs whose memory is used again
_MOST_APART = 0.5  # of a and b, between the chroma that a block shares and that of its pixels


class Palette:
    """The colors of grays joined with chroma, as far as they were needed. Threads may share one.

    Args:
        encode: joins L* (1, 1, 1, n) and ab (1, 2, 1, n) to sRGB, uint8 (1, n, 3).
    """

    def __init__(self, encode: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._encode = encode
        # By a, b and gray: R, G, B, and 255 once it is known. What is not touched of these 256 MB takes no memory.
        self._table = untouched(_CELLS * _CELLS * _GRAYS, torch.int32)
        self._lightness = gray_to_lightness(torch.linspace(0, 1, _GRAYS, dtype=torch.float64)).float()
        self._outputs = _Outputs()

    def join(self, gray: Tensor, ab: Tensor) -> NDArray[np.uint8]:
        """Join a gray frame with chroma.

        Args:
            gray: (H, W) uint8, contiguous.
            ab: (1, 2, h, w) float32 of any size, scaled bicubically to the frame.

        Returns:
            (H, W, 3) sRGB.
        """
        height, width = gray.shape
        color = self._outputs.empty(height, width)
        cells = Cells(ab, height, width)
        high = cells.block[0]
        step = max(1, _STRIP // width // high)  # rows of blocks in a strip
        # New memory for each strip takes longer to get.
        room = torch.empty((2, min(step, cells.rows) * high, width), dtype=torch.int32)
        late: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = []  # places of new colors, and their pixels
        for top, first in cells.strips(step):
            start = top * high
            strip = gray[start : start + step * high]
            index, found = room[:, : len(strip)]
            index.copy_(strip)
            room[0].view(-1, high, width)[: len(first)].add_(first[:, None])
            if not self._look_up(index, found):
                if len(strip) == height:
                    self._learn(index.numpy()[found.numpy() == 0])
                elif not late:
                    self._learn(cells.some(gray).numpy(), _RUN)
                self._look_up(index, found)
                unknown = np.flatnonzero(found.numpy() == 0)
                late.append((index.numpy().reshape(-1)[unknown], unknown + start * width))
            known = found.view(torch.uint8).view(*strip.shape, 4).numpy()
            cv2.cvtColor(known, cv2.COLOR_RGBA2RGB, dst=color[start : start + step * high])
        if late:
            places, pixels = (np.concatenate(each) for each in zip(*late, strict=True))
            self._learn(places)
            color.reshape(-1, 3)[pixels] = self._table.numpy()[places].view(np.uint8).reshape(-1, 4)[:, :3]
        return color

    def _look_up(self, index: Tensor, found: Tensor) -> bool:
        """Write colors to `found` by their places in the table, both (n, W), and return whether all are known."""
        torch.index_select(self._table, 0, index.view(-1), out=found.view(-1))
        return cv2.countNonZero(found.numpy()) == found.numel()

    def _learn(self, places: NDArray[np.int32], run: int = 1) -> None:
        """Compute the colors at places of the table, of which many may be the same, in whole runs of grays."""
        if not places.size:
            return
        runs = np.sort(places.reshape(-1) // run)
        unique = runs[np.flatnonzero(np.append(True, runs[1:] != runs[:-1]))]
        new = torch.from_numpy((unique[:, None] * run + np.arange(run, dtype=np.int32)).reshape(-1))
        for part in torch.split(new, _BATCH):
            cell, gray = part // _GRAYS, part % _GRAYS
            ab = (torch.stack((cell // _CELLS, cell % _CELLS)) - _CELLS / 2) * _STEP
            color = torch.full((len(part), 4), 255, dtype=torch.uint8)
            color[:, :3] = self._encode(self._lightness[gray][None, None, None], ab[None, :, None])[0]
            self._table[part] = color.view(torch.int32)[:, 0]


class Cells:
    """Where a palette has the colors of a frame's chroma: the place of black, to which the gray of a pixel is added.

    Pixels of a block share the chroma of its middle, which differs from their own by `_MOST_APART` at most.

    Args:
        ab: (1, 2, h, w) float32, scaled bicubically to the frame.
        height: of the frame.
        width: of the frame.

    Attributes:
        block: height and width of a block, in pixels.
        rows: number of rows of blocks.
    """

    def __init__(self, ab: Tensor, height: int, width: int) -> None:
        cells = ab[0].clamp(-AB_LIMIT, AB_LIMIT) / _STEP + (_CELLS / 2 + 0.5)  # of which the integer part counts
        _, before_high, before_wide = cells.shape
        self.block = high, wide = _block(cells, height, width)
        self.rows, self._columns = -(-height // high), -(-width // wide)
        self._width = width
        planes = cells.transpose(0, 1).reshape(-1, before_wide)
        if before_wide != self._columns:
            scaled = cv2.resize(planes.numpy(), (self._columns, len(planes)), interpolation=cv2.INTER_CUBIC)
            planes = torch.from_numpy(scaled)
        self._planes = planes.view(before_high, 2 * self._columns)
        self._down = bicubic(before_high, self.rows, ab.device) if before_high != self.rows else None

    def strips(self, step: int) -> Iterator[tuple[int, Tensor]]:
        """Yield the number of the first row of some rows of blocks, `step` or less, and places (n, W) int32.

        The memory of a strip is used again for the next.
        """
        wide = self.block[1]
        room = torch.empty((step, self._columns, wide), dtype=torch.int32)
        chunk = max(1, _ROWS // step) * step
        for start in range(0, self.rows, chunk):
            places = self._places(range(start, min(start + chunk, self.rows)))
            for at in range(0, len(places), step):
                strip = places[at : at + step]
                if wide > 1:
                    strip = room[: len(strip)].copy_(strip[..., None]).view(len(strip), -1)[:, : self._width]
                yield start + at, strip

    def some(self, gray: Tensor) -> Tensor:
        """Return places of colors (m, n) int32 of a frame (H, W), only few of them."""
        down, across = (_SPARSE // side for side in self.block)
        return self._places(range(0, self.rows, down))[:, ::across] + gray[::_SPARSE, ::_SPARSE]

    def _places(self, rows: range) -> Tensor:
        """Compute places for some rows of blocks: (n, columns) int32."""
        if self._down is None:
            planes = self._planes[rows.start : rows.stop : rows.step]
        else:
            planes = torch.empty((len(rows), 2 * self._columns))
            for start in range(0, len(rows), _ROWS):  # of those before scaling, a few are near only few
                part = rows[start : start + _ROWS]
                near = self._down.columns(slice(part[0], part[-1] + 1))
                weights = self._down.weights[part.start : part.stop : part.step, near]
                torch.mm(weights, self._planes[near], out=planes[start : start + _ROWS])
        cells = planes.clamp_(0, _CELLS - 1).to(torch.int32).view(-1, 2, self._columns)
        return cells[:, 1].add_(cells[:, 0], alpha=_CELLS).mul_(_GRAYS)


def _block(cells: Tensor, height: int, width: int) -> tuple[int, int]:
    """Return the largest height and width of blocks whose pixels may share their chroma.

    Args:
        cells: (2, h, w), before they are scaled.
        height: of the frame.
        width: of the frame.
    """
    _, before_high, before_wide = cells.shape
    if height < 2 * before_high or width < 2 * before_wide:  # cells differ too much, as a rule
        return 1, 1
    # the most that chroma changes from a pixel to the next
    down = float(cells.diff(dim=1).abs().max()) * _STEP * before_high / height if before_high > 1 else 0.0
    across = float(cells.diff(dim=2).abs().max()) * _STEP * before_wide / width if before_wide > 1 else 0.0
    for high, wide in _BLOCKS:
        apart = _farthest(height, high) * down + _farthest(width, wide) * across
        if apart <= _MOST_APART:
            return high, wide
    return 1, 1


def _farthest(length: int, side: int) -> float:
    """Return how far a pixel is from the middle of its block, whose last one may reach beyond the frame, at most."""
    return (side - 1) / 2 + -length % side


class _Outputs(threading.local):
    """Memory of each thread for outputs, used again when nothing refers to the last one anymore.

    The system clears new memory, which takes up to a fifth of the time of joining.
    """

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)
        self._last: weakref.ref[NDArray[np.uint8]] | None = None

    def empty(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return memory for a picture (H, W, 3), with any contents."""
        size = height * width * 3
        if size not in _REUSED:
            return np.empty((height, width, 3), np.uint8)
        if size > len(self._memory) or (self._last and self._last() is not None):
            self._memory = np.empty(size, np.uint8)
        whole = np.frombuffer(self._memory.data, np.uint8, size)  # unlike a slice, lives as long as any view of it
        self._last = weakref.ref(whole)
        return whole.reshape(height, width, 3)


def untouched(count: int, dtype: torch.dtype) -> Tensor:
    """Return zeros (count,) that take memory page by page when they are written, and not in huge pages."""
    memory = mmap.mmap(-1, dtype.itemsize * count)
    with contextlib.suppress(AttributeError, OSError):  # a system without huge pages
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return torch.frombuffer(memory, dtype=dtype)
