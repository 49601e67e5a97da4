"""Muon for convolutions: orthogonalized momentum (Jordan 2024, kellerjordan.github.io/posts/muon).

torch.optim.Muon only supports matrices. With the bundled recipe, Muon is further after 230 steps than AdamW after 300.
"""

from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Takes steps of equal length in every direction of a weight, viewed as a matrix (out, rest).

    Args:
        parameters: weights with two or more dimensions.
        lr: step length.
        momentum: Nesterov's.
        weight_decay: decoupled weight decay.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, parameter.grad, group["lr"], group["momentum"], group["weight_decay"])
        return loss

    def _step(self, parameter: Tensor, gradient: Tensor, lr: float, momentum: float, weight_decay: float) -> None:
        state = self.state[parameter]
        if not state:
            state["average"] = torch.zeros_like(gradient)
        average = state["average"].lerp_(gradient, 1 - momentum)
        direction = orthogonalize(gradient.lerp(average, momentum).flatten(1)).view_as(parameter)
        # Steps have the same length for matrices of every shape.
        scale = max(1.0, parameter.shape[0] / parameter[0].numel()) ** 0.5
        parameter.mul_(1 - lr * weight_decay).add_(direction, alpha=-lr * scale)


def orthogonalize(matrix: Tensor) -> Tensor:
    """Move all singular values of a matrix (m, n) close to 1 by Newton-Schulz iteration, in bf16."""
    a, b, c = _QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    orthogonal: Tensor = x.T if tall else x
    return orthogonal.to(matrix.dtype)
