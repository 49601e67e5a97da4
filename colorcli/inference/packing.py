"""Convolutions on Intel and AMD CPUs, in bf16: weights in oneDNN's own layout, and the activation in the same pass.

torch converts the weights of a convolution in every call, which takes longer than the convolution itself where
pictures are small. Here that happens once. The results are the same up to rounding. In float32, where this has no
certain benefit, large convolutions are computed after Winograd.
"""

from __future__ import annotations

import copy
import platform
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrize import is_parametrized

from colorcli.inference.winograd import Winograd, is_faster

if TYPE_CHECKING:
    from collections.abc import Callable

_OPERATORS = ("_reorder_convolution_weight", "_convolution_pointwise")


@dataclass(frozen=True)
class _Activation:
    """An activation, by oneDNN's name and bounds, and as torch computes it."""

    name: str = "none"
    bounds: tuple[float, ...] = ()
    in_torch: Callable[[Tensor], Tensor] | None = None


_NONE = _Activation()
_ACTIVATIONS: dict[type[nn.Module], _Activation] = {
    nn.ReLU: _Activation("relu", (), functional.relu_),
    nn.ReLU6: _Activation("hardtanh", (0.0, 6.0), lambda x: functional.relu6(x, inplace=True)),
}


def pack(module: nn.Module) -> None:
    """Prepare a convolution, or a chain of layers with convolutions in it, whose weights are where they will stay.

    An activation in place that follows a convolution joins it: in a plain `nn.Sequential`, or as the convolution's own
    child `activation`, which its `forward` applies to what `nn.Conv2d` returns.
    """
    if type(module) is nn.Sequential:
        _fuse_chain(module)
    elif isinstance(module, nn.Conv2d) and _is_plain(module) and is_faster(module):
        module._conv_forward = Winograd(module)  # type: ignore[assignment]
    elif isinstance(module, nn.Conv2d) and ((_is_plain(module) and _is_supported(module)) or _packed(module)):
        before, child = _packed(module), getattr(module, "activation", None)
        own = _activation(child) if isinstance(child, nn.Module) else _NONE
        if own != _NONE:
            module.activation = nn.Identity()
        elif before:
            own = before.activation
        module._conv_forward = _Packed(module, own, is_used=_is_supported(module))  # type: ignore[assignment]


def unpack(module: nn.Module) -> None:
    """Let a convolution, if it was packed, compute as torch does, before its weights are changed."""
    if packed := _packed(module):
        packed.give_up()
    elif isinstance(vars(module).get("_conv_forward"), Winograd):
        del module._conv_forward


class _Packed:
    """Replaces the `_conv_forward` of a convolution, which may be used where packing is not supported, too.

    Args:
        convolution: convolution, with its weights.
        activation: activation to apply to the result.
        is_used: whether weights are packed; else torch computes.
    """

    def __init__(self, convolution: nn.Conv2d, activation: _Activation, *, is_used: bool) -> None:
        self._settings = convolution.padding, convolution.stride, convolution.dilation, convolution.groups
        self.activation = activation
        self.is_used = is_used
        self._weights: dict[tuple[torch.Size, int], tuple[Tensor, Tensor | None]] = {}

    def give_up(self) -> None:
        """Let torch compute from now on."""
        self.is_used, self._weights = False, {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_weights": {}}  # packed weights cannot be copied

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding, stride, dilation, groups = self._settings
        usable = x.ndim == 4 and x.numel() and x.shape[1] == weight.shape[1] * groups and not x.requires_grad
        if not (self.is_used and usable):
            plain = functional.conv2d(x, weight, bias, stride, padding, dilation, groups)
            return self.activation.in_torch(plain) if self.activation.in_torch else plain
        if x.dtype != weight.dtype:
            x = x.to(weight.dtype)
        # The best layout for two threads makes one thread five times as slow.
        form = weight.shape, torch.get_num_threads()
        if form not in self._weights:  # two threads may do it at once, with the same result
            layout = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._settings, x.shape)
            self._weights[form] = layout, None if bias is None else bias.to(weight.dtype)
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, *self._weights[form], *self._settings, self.activation.name, self.activation.bounds, ""
        )
        return result


def _packed(module: nn.Module) -> _Packed | None:
    own = vars(module).get("_conv_forward")
    return own if isinstance(own, _Packed) else None


def _fuse_chain(layers: nn.Sequential) -> None:
    """Join the activations of a chain with the convolutions that they follow."""
    rest = [index for index, layer in enumerate(layers) if type(layer) is not nn.Identity]  # as folding leaves
    for first, second in pairwise(rest):
        packed, activation = _packed(layers[first]), _activation(layers[second])
        if packed is None or activation == _NONE or packed.activation != _NONE or layers[first]._forward_hooks:
            continue
        activated = copy.copy(packed)
        activated.activation = activation
        fused = copy.copy(layers[first])  # the layer may be part of another chain, too
        fused._conv_forward = activated  # type: ignore[assignment]
        layers[first], layers[second] = fused, nn.Identity()


def _activation(module: nn.Module) -> _Activation:
    """Describe an activation, if nothing can observe its input."""
    watched = module._forward_pre_hooks or module._forward_hooks
    in_place = getattr(module, "inplace", False)
    return _ACTIVATIONS.get(type(module), _NONE) if in_place and not watched else _NONE


def _is_plain(module: nn.Conv2d) -> bool:
    """Whether a convolution is computed as torch does, with weights that stay as they are."""
    return (
        type(module)._conv_forward is nn.Conv2d._conv_forward
        and "_conv_forward" not in vars(module)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and not is_parametrized(module)
        and not module._forward_pre_hooks  # as spectral norm has
    )


def _is_supported(module: nn.Conv2d) -> bool:
    weight = module.weight  # in float32, packing has no certain benefit
    return weight.device.type == "cpu" and weight.dtype == torch.bfloat16 and _is_available()


@cache
def _is_available() -> bool:
    on_x86 = platform.machine() in {"x86_64", "AMD64"}  # the only ones where this was measured
    if not (on_x86 and torch.backends.mkldnn.is_available()):  # type: ignore[no-untyped-call]
        return False
    if not all(hasattr(torch.ops.mkldnn, name) for name in _OPERATORS):  # these operators are not public
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
