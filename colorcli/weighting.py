"""How much pixels count in a loss, for recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

_STRONG = 50.0  # chroma at which the strength is what is added to a pixel's weight


class ChromaWeight:
    """Lets saturated colours, which are rare, count more: 1 + strength |ab| / 50 times, over its mean in the data.

    Args:
        strength: 0 lets all pixels count alike.

    Attributes:
        mean: of the weights before they are divided by it; part of a recipe's state.

    Raises:
        ValueError: the strength is below 0.
    """

    def __init__(self, strength: float) -> None:
        if strength < 0:
            raise ValueError("chroma_weight from 0 was expected")
        self.strength = strength
        self.mean = 1.0

    def survey(self, colours: Iterable[Tensor]) -> None:
        """Find the mean weight in the data: batches (B, 2, h, w) of ab."""
        if self.strength:
            means = [(self._raw(ab).mean().item(), len(ab)) for ab in colours]
            self.mean = sum(mean * count for mean, count in means) / sum(count for _, count in means)

    def __call__(self, ab: Tensor) -> Tensor:
        """Say how much pixels count: true ab (B, 2, h, w) to (B, 1, h, w), 1 on average over the data."""
        return self._raw(ab) / self.mean

    def _raw(self, ab: Tensor) -> Tensor:
        chroma: Tensor = torch.linalg.vector_norm(ab, dim=1, keepdim=True)
        return 1 + self.strength * chroma / _STRONG
