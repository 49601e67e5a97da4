"""Smooth interpolation on a small picture that stops at edges of lightness (Levin, Lischinski and Weiss 2004).

The unknowns are what to add to a picture at each place. Neighbors want the same unless their lightness differs, and
every place is weakly pulled to zero. That is a sparse symmetric system A, one unknown for each place. Row by row, it
is block tridiagonal, and is factored once per picture: S[0] = D[0], S[k + 1] = D[k + 1] - E[k] S[k]^-1 E[k]^T. D and E
are tridiagonal themselves; the S are dense, but at 256x256 the factorization takes less than half a second on one
core, a general sparse one 1.2, and a solution 30 ms.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Half of the 8 neighbors: right, below, and diagonally below to either side.
_OFFSETS = ((0, 1), (1, 0), (1, 1), (1, -1))


class GridSystem:
    """The system of a picture, factored.

    Args:
        lightness: (H, W), L* in 0..100, on the CPU.
        falloff: the difference of L* at which neighbors are bound e times less.
        pull: how strongly every place is pulled to zero, in units of the bond between equal neighbors.
    """

    def __init__(self, lightness: Tensor, falloff: float, pull: float) -> None:
        self._turned = lightness.shape[1] > lightness.shape[0]  # rows should be short: the work grows with their cube
        if self._turned:
            lightness = lightness.T
        self._shape = lightness.shape
        right, below, right_below, left_below = (_bonds(lightness, offset, falloff) for offset in _OFFSETS)
        self._below = below, right_below, left_below
        self._inverses = self._factored(right, self._diagonal((right, below, right_below, left_below), pull))

    def _diagonal(self, bonds: tuple[Tensor, ...], pull: float) -> Tensor:
        total = torch.full(self._shape, pull)
        for (down, across), bond in zip(_OFFSETS, bonds, strict=True):
            first, second = _pairs(total, (down, across))
            first += bond
            second += bond
        return total

    def _factored(self, right: Tensor, diagonal: Tensor) -> Tensor:
        """Return the inverses of the blocks S: (H, W, W)."""
        height, width = self._shape
        inverses = torch.empty(height, width, width)
        block = torch.zeros(width, width)
        for row in range(height):
            block = block.neg_() if row else block
            block.diagonal().add_(diagonal[row])
            block.diagonal(1).sub_(right[row])
            block.diagonal(-1).sub_(right[row])
            torch.cholesky_inverse(torch.linalg.cholesky(block), out=inverses[row])
            if row + 1 < height:
                block = self._down(row, self._down(row, inverses[row]).T)
        return inverses

    def _down(self, row: int, x: Tensor) -> Tensor:
        """Multiply (W, n), a row's values, by -E: what they add to the row below."""
        below, right_below, left_below = (bond[row][:, None] for bond in self._below)
        y = below * x
        y[1:] += right_below * x[:-1]
        y[:-1] += left_below * x[1:]
        return y

    def _up(self, row: int, x: Tensor) -> Tensor:
        """Multiply (W, n), the values of the row below, by -E^T: what they add to this row."""
        below, right_below, left_below = (bond[row][:, None] for bond in self._below)
        y = below * x
        y[:-1] += right_below * x[1:]
        y[1:] += left_below * x[:-1]
        return y

    def solve(self, right_side: Tensor) -> Tensor:
        """Solve A x = b for several b.

        Args:
            right_side: (n, H, W) float32.

        Returns:
            x, (n, H, W).
        """
        b = (right_side.mT if self._turned else right_side).permute(1, 2, 0)
        x = b.contiguous()  # (H, W, n), overwritten row by row
        if x.data_ptr() == right_side.data_ptr():
            x = x.clone()
        last = len(x) - 1
        for row in range(last):
            x[row + 1] += self._down(row, self._inverses[row] @ x[row])
        x[last] = self._inverses[last] @ x[last]
        for row in range(last - 1, -1, -1):
            x[row] = self._inverses[row] @ (x[row] + self._up(row, x[row + 1]))
        solution = x.permute(2, 0, 1)
        return (solution.mT if self._turned else solution).contiguous()


def _pairs(plane: Tensor, offset: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return views of a plane (H, W) in which equal indices are neighbors at an offset."""
    height, width = plane.shape
    down, across = offset
    left = slice(max(0, -across), width - max(0, across))
    return plane[: height - down, left], plane[down:, slice(left.start + across, left.stop + across)]


def _bonds(lightness: Tensor, offset: tuple[int, int], falloff: float) -> Tensor:
    """Compute how strongly neighbors at an offset are bound, 0..1."""
    first, second = _pairs(lightness, offset)
    return torch.exp(-(((second - first) / falloff) ** 2))
