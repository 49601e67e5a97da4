"""The base class of recipes, which define how a colorizer is trained."""

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
    """The training data of one step.

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
    """The losses, optimizers and schedules of a training run; a GAN needs no special case.

    The training loop handles everything else: data, sizes, epochs, averaging, checkpoints and logs. It calls `survey`
    for a new run, or `load` for a resumed one; builds the network and loads its initial weights; and calls `start`
    once, then `step` for every batch. Torch's random number generator is seeded before every step, so that dropout
    resumes exactly.

    `__init__` takes the table `[recipe]` of a recipe file as keyword arguments, and raises ValueError for a setting
    with an invalid value.
    """

    paints: ClassVar[bool] = True  # whether the network predicts chroma; sample sheets of a classifier would be empty

    def survey(self, colors: Iterable[Tensor], categories: Sequence[str]) -> Mapping[str, Any]:
        """Examine the training data before the network is built.

        Args:
            colors: batches (B, 2, h, w), CIE ab, unaugmented.
            categories: sorted names; empty if the data has no categories.

        Returns:
            Hyperparameters for `Colorizer.build` that follow from the data; empty by default.

        Raises:
            DataError: the data is not suitable for training.
        """
        return {}

    @abstractmethod
    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        """Create optimizers and schedules, and restore their state if `load` was called before.

        Args:
            network: the network with its initial weights.
            fabric: manages device, precision and processes.
            steps: number of steps in the whole run.

        Returns:
            The network as returned by `fabric.setup`.
        """

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Take one optimization step.

        Returns:
            Losses by name, detached scalars. Curves and early stopping use the first one.
        """

    @abstractmethod
    def validate(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Evaluate a network, such as the averaged one, on a batch without learning from it.

        Returns:
            Means over the pictures of the batch, by name, of any shape: the losses of `step`, or the input of `score`.
        """

    def score(self, means: Mapping[str, Tensor]) -> dict[str, float]:
        """Compute the result of a validation; the weights with the lowest first figure are the best.

        Args:
            means: means of what `validate` returned, over all pictures.
        """
        return {name: mean.item() for name, mean in means.items()}

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs besides the network: optimizers, schedules, results of `survey`."""

    @abstractmethod
    def load(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `state`. `start`, which is called afterwards, restores optimizers and schedules."""
