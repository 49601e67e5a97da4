"""Building networks whose weights are loaded afterwards, without drawing random ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import init
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Not every function of `torch.nn.init` looks for a mode; the others draw with the methods.
_DRAWING = {init.uniform_, init.normal_, init.kaiming_uniform_, Tensor.uniform_, Tensor.normal_}


class ZeroInitialization(TorchFunctionMode):
    """A context in which parameters are filled with zeros instead of random values.

    Drawing them takes most of the time of building a large network, and on the device `meta` it imports a compiler.
    Other tensors, such as buffers that are not in the state dict, get their random values.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        _types: Sequence[type],
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or, if it draws values for a parameter, fill that with zeros."""
        named = named or {}
        if function in _DRAWING:
            tensor = named["tensor"] if "tensor" in named else arguments[0]
            if isinstance(tensor, nn.Parameter):
                return _zeroed(tensor)
        return function(*arguments, **named)


def _zeroed(parameter: nn.Parameter) -> Tensor:
    """Fill a parameter with zeros; numpy gets memory that the system fills when it is first used, if ever."""
    if parameter.is_cpu and parameter.dtype == torch.float32:
        parameter.data = torch.from_numpy(np.zeros(parameter.shape, np.float32))
        return parameter
    with torch.no_grad():
        return parameter.zero_()
