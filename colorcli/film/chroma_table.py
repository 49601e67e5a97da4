"""U and V of 8-bit films, looked up instead of computed, several times as fast on a CPU.

Y has 256 codes there, and chroma rounded to half a unit is nearer to the exact one than rounding to 8 bits is. So
each U and V is computed once, exactly, when a color like it is first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from colorcli.color import AB_LIMIT
from colorcli.inference.join_table import untouched

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_STEP = 0.5  # of a and b
_BLOCK = 8  # cells along a and b whose U and V are computed together
_BLOCKS = int(2 * AB_LIMIT / _STEP) // _BLOCK + 1  # along a and b each
_CELLS = _BLOCK * _BLOCKS
_CODES = 256
_RUN = 128  # codes of Y for which they are computed together: so few that torch does not split the work among threads
_RUNS = _CODES // _RUN


class ChromaTable:
    """U and V by a, b and Y, as far as they were needed. Threads may share one.

    Args:
        encode: takes codes of Y (1, h, w) uint8 and ab (2, h, w), and returns codes of U and V (2, h, w) uint8, of
            which one at least is not 0.
    """

    def __init__(self, encode: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._encode = encode
        # U and V by a, b and Y, as one number; 0 while unknown. What is not touched of these 138 MB takes no memory.
        self._table = untouched(_CELLS * _CELLS * _CODES, torch.int16)

    def planes(self, luma: Tensor, ab: Tensor) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Look up U and V.

        Args:
            luma: (h, w) uint8, Y at the size of U and V.
            ab: (2, h, w) float32, which is overwritten.

        Returns:
            U and V, each (h, w).
        """
        cells = ab.clamp_(-AB_LIMIT, AB_LIMIT).div_(_STEP).add_(AB_LIMIT / _STEP + 0.5).to(torch.int32)
        index = cells[0].mul_(_CELLS).add_(cells[1]).mul_(_CODES).add_(luma).flatten()
        found = self._table.index_select(0, index)
        if np.count_nonzero(found.numpy()) < len(found):
            self._learn(index[found == 0])
            found = self._table.index_select(0, index)
        u, v = cv2.split(found.numpy().view(np.uint8).reshape(*luma.shape, 2))
        return u, v  # type: ignore[return-value]  # the stubs know arrays of any kind

    def _learn(self, places: Tensor) -> None:
        """Compute U and V at places of the table (n,), and those of colors beside them."""
        table = self._table.view(_BLOCKS, _BLOCK, _BLOCKS, _BLOCK, _RUNS, _RUN)
        a, b, y = places // (_CELLS * _CODES), places // _CODES % _CELLS, places % _CODES
        blocks = (a // _BLOCK * _BLOCKS + b // _BLOCK).mul_(_RUNS).add_(y // _RUN)
        for block, run in (divmod(each, _RUNS) for each in np.unique(blocks.numpy()).tolist()):
            of_a, of_b = (_axis(number) for number in divmod(block, _BLOCKS))
            ab = torch.stack((of_a[:, None].expand(-1, _BLOCK), of_b.expand(_BLOCK, -1))).flatten(1)[..., None]
            codes = torch.arange(run * _RUN, (run + 1) * _RUN, dtype=torch.uint8).expand(1, _BLOCK * _BLOCK, _RUN)
            pairs = self._encode(codes, ab.expand(-1, -1, _RUN)).permute(1, 2, 0).contiguous().view(torch.int16)
            table[block // _BLOCKS, :, block % _BLOCKS, :, run] = pairs.view(_BLOCK, _BLOCK, _RUN)


def _axis(block: int) -> Tensor:
    """Return the a or b of the cells of a block, (n,); the last block is longer than the axis."""
    return (torch.arange(_BLOCK) + block * _BLOCK).mul(_STEP).sub(AB_LIMIT).clamp(max=AB_LIMIT)
