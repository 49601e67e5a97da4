"""Building blocks for recipes: optimizers, learning-rate schedules and loss weights. Public."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch.optim.lr_scheduler import LambdaLR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lightning_fabric import Fabric
    from torch import Tensor, nn
    from torch.optim import Optimizer

Schedule = Literal["constant", "steps", "cosine"]
_WARM_UP = 0.02  # of the run
_STRONG = 50.0  # chroma at which the strength is what is added to a pixel's weight


def learning_rate_factor(schedule: Schedule, progress: float) -> float:
    """Say what the highest learning rate is multiplied by at a point of the run in 0..1."""
    if schedule == "constant":
        return 1.0
    if schedule == "steps":
        return 1.0 if progress < 200 / 450 else 1 / 3 if progress < 375 / 450 else 1 / 10
    if progress < _WARM_UP:
        return max(progress / _WARM_UP, 0.01)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - _WARM_UP) / (1 - _WARM_UP))))


class Descent:
    """Lets the optimizers of a run step down one loss at their scheduled learning rates, and go on after a break.

    Attributes:
        optimizers: as `fabric.setup` gave them; none before `start`.
    """

    def __init__(self) -> None:
        self.optimizers: list[Optimizer] = []
        self._saved: Mapping[str, Any] = {}

    def start(
        self,
        fabric: Fabric,
        network: nn.Module,
        optimizers: Sequence[Optimizer],
        factor: Callable[[float], float],
        steps: int,
    ) -> nn.Module:
        """Set out, or on from where `load` says.

        Args:
            fabric: gives network and optimizers their device, precision and processes.
            network: what learns.
            optimizers: of its parameters, with their highest learning rates.
            factor: what those are multiplied by at a point of the run in 0..1.
            steps: of the whole run.

        Returns:
            The network as `fabric.setup` gave it.
        """
        self._fabric = fabric
        ready: nn.Module
        ready, *self.optimizers = fabric.setup(network, *optimizers)
        self._schedulers = [LambdaLR(optimizer, lambda step: factor(step / steps)) for optimizer in self.optimizers]
        if self._saved:
            for own, saved in zip(self.optimizers, self._saved["optimizers"], strict=True):
                own.load_state_dict(saved)
            for scheduler, saved in zip(self._schedulers, self._saved["schedulers"], strict=True):
                scheduler.load_state_dict(saved)
            self._saved = {}
        return ready

    def step(self, loss: Tensor) -> None:
        """Make one step of all optimizers down the gradient of a loss."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        for optimizer, scheduler in zip(self.optimizers, self._schedulers, strict=True):
            optimizer.step()
            scheduler.step()

    def state(self) -> dict[str, Any]:
        """Give all that `load` needs."""
        return {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler in self._schedulers],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave, before `start`."""
        self._saved = state


class ChromaWeight:
    """Lets saturated colors, which are rare, count more: 1 + strength |ab| / 50 times, over its mean in the data.

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

    def survey(self, colors: Iterable[Tensor]) -> None:
        """Find the mean weight in the data: batches (B, 2, h, w) of ab."""
        if self.strength:
            means = [(self._raw(ab).mean().item(), len(ab)) for ab in colors]
            self.mean = sum(mean * count for mean, count in means) / sum(count for _, count in means)

    def __call__(self, ab: Tensor) -> Tensor:
        """Say how much pixels count: true ab (B, 2, h, w) to (B, 1, h, w), 1 on average over the data."""
        return self._raw(ab) / self.mean

    def _raw(self, ab: Tensor) -> Tensor:
        chroma: Tensor = torch.linalg.vector_norm(ab, dim=1, keepdim=True)
        return 1 + self.strength * chroma / _STRONG


def expect_one_of(name: str, value: object, kind: object) -> None:
    """Raise ValueError unless a setting has one of the values of a `typing.Literal`."""
    if value not in get_args(kind):
        raise ValueError(f"{name} is {value!r}, where one of {', '.join(get_args(kind))} was expected")
