"""What the author of a trainable colorizer writes beside the network: how one step of training is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lightning_fabric import Fabric
    from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """What a recipe learns from in one step.

    Attributes:
        lightness: (B, 1, s, s), CIE L* in 0..100, as the network sees it.
        ab: (B, 2, s, s), CIE ab, the truth.
        category: (B,) int64, index into the sorted names of the data's categories; -1 where a picture has none.
        true_lightness: (B, 1, s, s), of the photographs themselves, where contrast, aging or another way of making
            gray changed `lightness`; None where it did not.
    """

    lightness: Tensor
    ab: Tensor
    category: Tensor
    true_lightness: Tensor | None = None

    @property
    def rgb(self) -> Tensor:
        """The photographs themselves: (B, 3, s, s) R'G'B' in 0..1."""
        from colorcli.color import lab_to_rgb

        return lab_to_rgb(self.lightness if self.true_lightness is None else self.true_lightness, self.ab)


class Recipe(ABC):
    """Owns the losses, optimizers and schedules of a training run, so that a GAN is no special case.

    The loop of `colorcli.training` owns everything else: data, sizes, epochs, averaging, checkpoints and logs.
    It calls `survey` (fresh runs) or `load` (resumed runs), builds the network, gives it its first weights, calls
    `start`, then `step` for every batch. Torch's random numbers are seeded before every step, so that dropout is
    resumed exactly, too.

    `__init__` takes the table `[recipe]` of a recipe file and raises ValueError where a setting has a value that it
    cannot have.
    """

    paints: ClassVar[bool] = True  # whether the network predicts chroma; a classifier's sample sheets would be empty

    def survey(self, colors: Iterable[Tensor], categories: Sequence[str]) -> Mapping[str, Any]:
        """Look at the training data before the network is built.

        Args:
            colors: batches (B, 2, h, w), CIE ab, unaugmented.
            categories: sorted names; none where the data is not sorted into categories.

        Returns:
            Hyperparameters for `Colorizer.build` that follow from the data; none unless overridden.

        Raises:
            DataError: this cannot be learned from such data.
        """
        return {}

    @abstractmethod
    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        """Make optimizers and schedules for a run of so many steps, with their saved state if `load` brought one.

        Args:
            network: with the weights that it starts from.
            fabric: gives optimizers and networks their device, precision and processes.
            steps: of the whole run.

        Returns:
            The network as `fabric.setup` gave it.
        """

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Make one step of optimization.

        Returns:
            The losses by name, detached scalars; the first is the one that curves and early stopping are about.
        """

    @abstractmethod
    def validate(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Judge a network (the averaged one, say) by a batch without learning from it.

        Returns:
            Means over the pictures of the batch, by name, of any shape: the losses of `step`, or what `score` needs.
        """

    def score(self, means: Mapping[str, Tensor]) -> dict[str, float]:
        """Say what all batches of a validation together come to; the weights with the lowest first figure are best.

        Args:
            means: of what `validate` gave, over all pictures.
        """
        return {name: mean.item() for name, mean in means.items()}

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything but the network that a resumed run needs: optimizers, schedules, what `survey` learned."""

    @abstractmethod
    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave; optimizers are given theirs in `start`, which comes after."""
