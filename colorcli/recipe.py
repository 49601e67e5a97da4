"""What the author of a trainable colorizer writes beside the network: how one step of training is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lightning_fabric import Fabric
    from torch import Tensor, nn


class Recipe(ABC):
    """Owns the losses, optimizers and schedules of a training run, so that a GAN is no special case.

    The loop of `colorcli.training` owns everything else: data, sizes, epochs, averaging, checkpoints and logs.
    It calls `survey` (fresh runs) or `load` (resumed runs), builds the network, calls `start`, then `step` for every
    batch. Torch's random numbers are seeded before every step, so that dropout is resumed exactly, too.

    `__init__` takes the table `[recipe]` of a recipe file and raises ValueError where a setting has a value that it
    cannot have.
    """

    def survey(self, ab: Iterable[Tensor]) -> Mapping[str, Any]:
        """Look at the colours of the training data before the network is built.

        Args:
            ab: batches (B, 2, h, w), CIE ab, unaugmented.

        Returns:
            Hyperparameters for `Colorizer.build` that follow from the data; none unless overridden.
        """
        return {}

    @abstractmethod
    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        """Make optimizers and schedules for a run of so many steps, with their saved state if `load` brought one.

        Returns:
            The network as `fabric.setup` gave it.
        """

    @abstractmethod
    def step(self, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Make one step of optimization.

        Args:
            lightness: (B, 1, s, s), CIE L* in 0..100.
            ab: (B, 2, s, s), CIE ab, the truth.

        Returns:
            The losses by name, detached scalars; the first is the one that curves and validation are about.
        """

    @abstractmethod
    def validate(self, network: nn.Module, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Compute the losses of `step` for a network (the averaged one, say) without learning from them."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything but the network that a resumed run needs: optimizers, schedules, what `survey` learnt."""

    @abstractmethod
    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave; optimizers are given theirs in `start`, which comes after."""
