"""Placing networks on devices: batch norm folded, convolutions and matrix products in reduced precision, if chosen."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from colorcli.inference.openvino import serve
from colorcli.inference.packing import pack, unpack

if TYPE_CHECKING:
    from colorcli.inference.device import Device

Part = TypeVar("Part", bound=nn.Module)

_placing = threading.Lock()


def defer(part: Part) -> Part:
    """Mark a part of a network to be moved to the device only when it is first called.

    Members of an ensemble that no picture needs then cost neither time nor memory: their weights stay in the file
    they were mapped from. Training is not affected.
    """
    part.deferred = True  # type: ignore[assignment]
    part.awaited = None  # type: ignore[assignment]
    part.register_forward_pre_hook(_arrive)
    return part


def _arrive(part: nn.Module, _arguments: tuple[Any, ...]) -> None:
    if part.awaited is None:
        return
    with _placing:
        if isinstance(place := part.awaited, tuple):  # not yet by another thread
            device, dtype, packs = place
            _convert(part, device, dtype, packs=packs)
            _wait(device)
            part.awaited = None  # type: ignore[assignment]


def place(network: nn.Module, device: Device, step: int | None = None) -> nn.Module:
    """Prepare a network for inference on a device.

    Args:
        network: network, with its weights.
        device: device, precision and engine.
        step: for networks that take pictures of any size, the number that their sides are multiples of; else None.
    """
    network.eval().requires_grad_(requires_grad=False)
    parts = [part for part in network.modules() if getattr(part, "deferred", False)]
    if not parts:
        _settle(network, device, step)
        _wait(device.device)
        return network
    _convert(network, device.device, device.dtype, packs=device.engine == "torch")
    for part in parts:
        _settle(part, device, step)
    _wait(device.device)
    return network


def _wait(device: torch.device) -> None:
    """Wait until weights are in place, because workers with their own streams do not."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _settle(part: nn.Module, device: Device, step: int | None) -> None:
    """Convert a network, at once or, if it is deferred, on its first call, and choose the engine."""
    vars(part).pop("forward", None)  # set for another engine
    dtype, packs = device.dtype, device.engine == "torch"
    if device.engine == "openvino":
        dtype = torch.float32  # for the export
        serve(part, device, step, give_up=lambda: _convert(part, device.device, device.dtype, packs=True))
    if getattr(part, "deferred", False):
        part.awaited = device.device, dtype, packs  # type: ignore[assignment]
    else:
        _convert(part, device.device, dtype, packs=packs)


def _convert(module: nn.Module, device: torch.device, dtype: torch.dtype, *, packs: bool) -> None:
    """Convert the weights of a module, except those of deferred parts in it.

    Args:
        module: module in eval mode.
        device: device to move it to.
        dtype: data type of its convolutions and matrix products.
        packs: whether convolutions may compute by other means than torch's, which cannot be exported.
    """
    unpack(module)
    if type(module) is nn.Sequential:
        _fold_batch_norm(module)
    for part in module.children():
        if not getattr(part, "deferred", False):
            _convert(part, device, dtype, packs=packs)
    own = dtype if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)) else torch.float32

    def converted(tensor: Tensor) -> Tensor:
        channels_last = torch.channels_last if tensor.ndim == 4 else torch.preserve_format
        return tensor.to(device, own if tensor.is_floating_point() else None, memory_format=channels_last)

    module._apply(converted, recurse=False)  # type: ignore[no-untyped-call]
    if packs:
        pack(module)


def _fold_batch_norm(layers: nn.Sequential) -> None:
    """Fold each batch norm into the convolution before it, which saves a pass over the features."""
    for index, (first, second) in enumerate(pairwise(layers)):
        if not isinstance(first, nn.Conv2d) or not isinstance(second, nn.BatchNorm2d):
            continue
        # Parametrizations and hooks may compute the weights, as spectral norm does, or look at what comes out.
        plain = type(first) is nn.Conv2d and second.track_running_stats
        if plain and not (first._forward_pre_hooks or first._forward_hooks or second._forward_hooks):
            layers[index] = fuse_conv_bn_eval(first.float(), second.float())
            layers[index + 1] = nn.Identity()
