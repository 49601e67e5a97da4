"""Optimizers on their way down one loss, for recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import LambdaLR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lightning_fabric import Fabric
    from torch import Tensor, nn
    from torch.optim import Optimizer


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
