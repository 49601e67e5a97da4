"""Building blocks for recipes: scheduled optimizers, learning-rate schedules, and loss weights.

This module is public: plugins may import it, and its names are stable. A recipe that minimizes a single loss needs
`Optimization` and a schedule, and little else:

    class MyRecipe(Recipe):
        def __init__(self, learning_rate: float = 1e-3, schedule: Schedule = "cosine") -> None:
            expect_one_of("schedule", schedule, Schedule)
            self._learning_rate = learning_rate
            self._factor = partial(learning_rate_factor, schedule)
            self._optimization = Optimization()

        def start(self, network, fabric, steps):
            adam = torch.optim.Adam(network.parameters(), self._learning_rate)
            self._network = self._optimization.start(fabric, network, [adam], self._factor, steps)
            return self._network

        def step(self, batch):
            loss = torch.nn.functional.l1_loss(self._network(batch.lightness), batch.ab)
            self._optimization.step(loss)
            return {"loss": loss.detach()}

        def state(self):
            return self._optimization.state()

        def load(self, state):
            self._optimization.load(state)
"""

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
_WARM_UP = 0.02  # share of the run
_REFERENCE_CHROMA = 50.0  # chroma at which the strength is added to a pixel's weight


def learning_rate_factor(schedule: Schedule, progress: float) -> float:
    """Compute the factor of the learning rate at a point of a run.

    Args:
        schedule: `constant`; `steps`, a third from 200/450 and a tenth from 375/450 of the run (Zhang 2016); or
            `cosine`, from 1 to 0.01 after a linear warm-up over the first 2 %.
        progress: 0 at the beginning of the run, 1 at its end.

    Returns:
        0.01 to 1.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "steps":
        return 1.0 if progress < 200 / 450 else 1 / 3 if progress < 375 / 450 else 1 / 10
    if progress < _WARM_UP:
        return max(progress / _WARM_UP, 0.01)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - _WARM_UP) / (1 - _WARM_UP))))


class Optimization:
    """Minimizes one loss with one or more optimizers on a learning-rate schedule, and can be saved and resumed.

    Attributes:
        optimizers: as returned by `fabric.setup`; empty before `start`.
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
        """Set up network and optimizers, and restore their state if `load` was called before.

        Args:
            fabric: manages device, precision and processes.
            network: network to train.
            optimizers: optimizers of its parameters, with their highest learning rates.
            factor: factor of the learning rates as a function of the progress of the run, 0..1.
            steps: number of steps in the whole run.

        Returns:
            The network as returned by `fabric.setup`.
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
        """Take one optimization step on a loss, a scalar."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        for optimizer, scheduler in zip(self.optimizers, self._schedulers, strict=True):
            optimizer.step()
            scheduler.step()

    def state(self) -> dict[str, Any]:
        """Return the state of optimizers and schedules, for `load`."""
        return {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler in self._schedulers],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `state`; call it before `start`."""
        self._saved = state


class ChromaWeight:
    """Loss weights that favor saturated colors, which are rare: 1 + strength |ab| / 50 over its mean in the data.

    Args:
        strength: 0 or more; 0 for equal weights.

    Attributes:
        mean: the mean of the weights before division; part of a recipe's state.

    Raises:
        ValueError: the strength is negative.
    """

    def __init__(self, strength: float) -> None:
        if strength < 0:
            raise ValueError(f"chroma_weight must be 0 or more, got {strength}")
        self.strength = strength
        self.mean = 1.0

    def survey(self, colors: Iterable[Tensor]) -> None:
        """Compute the mean weight in the data, from batches (B, 2, h, w) of ab."""
        if self.strength:
            means = [(self._raw(ab).mean().item(), len(ab)) for ab in colors]
            self.mean = sum(mean * count for mean, count in means) / sum(count for _, count in means)

    def __call__(self, ab: Tensor) -> Tensor:
        """Compute the weight of each pixel from true ab: (B, 2, h, w) to (B, 1, h, w), 1 on average over the data."""
        return self._raw(ab) / self.mean

    def _raw(self, ab: Tensor) -> Tensor:
        chroma: Tensor = torch.linalg.vector_norm(ab, dim=1, keepdim=True)
        return 1 + self.strength * chroma / _REFERENCE_CHROMA


def expect_one_of(name: str, value: object, kind: object) -> None:
    """Check that a setting has one of the values of a `typing.Literal`.

    Args:
        name: name of the setting, for the message.
        value: value of the setting.
        kind: the Literal.

    Raises:
        ValueError: the value is not one of them.
    """
    if value not in get_args(kind):
        raise ValueError(f"{name} must be one of {', '.join(get_args(kind))}, got {value!r}")
