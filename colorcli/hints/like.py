"""Colors like those of another photograph: what a model gets wrong there, it gets wrong here, too."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 32
"""Pixels of the square at which a reference is studied."""

_CELLS = 12  # cells of the table along each of lightness, a and b
_AB_REACH = 64.0  # largest ab in the table; colors beyond it count as those at its border
_WIDTH = (10.0, 12.0, 12.0)  # standard deviations of the similarity, in L*, a and b
_DOUBT = 0.1  # share of a reference that must be alike for half of its difference to count
_FARTHEST = 30.0  # ab that a color may move


class ColorTable:
    """How a reference's colors differ from predicted ones, by lightness and predicted color.

    The predicted color indicates what the network recognizes in a place: two places that are equally light, and that
    it would color alike, probably show the same thing. Where the reference has nothing similar, nothing changes.

    Args:
        lightness: (1, 1, h, w), L* in 0..100 of the reference.
        predicted: (1, 2, h, w), the ab that a model predicts for it.
        true: (1, 2, h, w), the ab that it has.
    """

    def __init__(self, lightness: Tensor, predicted: Tensor, true: Tensor) -> None:
        width = torch.tensor(_WIDTH)
        seen = torch.cat([lightness, predicted], dim=1).float().cpu().flatten(2)[0].T / width  # (n, 3)
        difference = (true - predicted).float().cpu().flatten(2)[0].T  # (n, 2)
        steps = torch.linspace(0, 1, _CELLS)
        axes = (100 * steps, _AB_REACH * (2 * steps - 1), _AB_REACH * (2 * steps - 1))
        cells = torch.cartesian_prod(*axes) / width  # (cells, 3)
        alike = torch.exp(-torch.cdist(cells, seen).square() / 2)
        mean = alike @ difference / (alike.sum(dim=1, keepdim=True) + _DOUBT * len(seen))
        mean *= (_FARTHEST / mean.norm(dim=1, keepdim=True).clamp_min(1e-6)).clamp_max(1)
        self._table = mean.T.view(1, 2, _CELLS, _CELLS, _CELLS)  # by lightness, a and b

    def difference(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """Look up what to add to predicted colors.

        Args:
            lightness: (B, 1, h, w), L* in 0..100.
            ab: (B, 2, h, w), predicted.

        Returns:
            (B, 2, h, w) ab, at most 30 each.
        """
        # grid_sample takes the coordinates of the last dimension first, -1..1
        place = torch.cat([ab.flip(1) / _AB_REACH, lightness / 50 - 1], dim=1).movedim(1, -1)[:, None]
        table = self._table.to(ab.device).expand(len(ab), -1, -1, -1, -1)
        found = functional.grid_sample(table, place, mode="bilinear", padding_mode="border", align_corners=True)
        return found[:, :, 0]
