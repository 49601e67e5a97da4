"""Building a network and loading weights into it, strictly."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from colorcli.errors import PluginError, WeightsCorrupt
from colorcli.isolation.guard import guard

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from colorcli.colorizer import Colorizer


def build(colorizer: Colorizer, hyperparameters: Mapping[str, Any]) -> nn.Module:
    """Build a network, untrained.

    Raises:
        PluginError: `build` failed, or returned something other than a network.
        TypeError, ValueError: it refused a hyperparameter.
    """
    from torch import nn

    refusal = (TypeError, ValueError) if hyperparameters else ()
    with guard(colorizer, "build", passing=lambda error: isinstance(error, refusal)):
        network = colorizer.build(**hyperparameters)
    if not isinstance(network, nn.Module):
        found = type(network).__name__
        raise PluginError(f"The colorizer {colorizer.name} must build a torch.nn.Module, got {found}.")
    return network


def adapt(
    colorizer: Colorizer, state: Mapping[str, Tensor], hyperparameters: Mapping[str, Any]
) -> Mapping[str, Tensor]:
    """Convert a state dict to the layout of the network.

    Raises:
        PluginError: `adapt` failed, or returned something other than a state dict.
        RuntimeError, ValueError: it refused the state.
    """
    with guard(colorizer, "adapt", passing=lambda error: isinstance(error, (RuntimeError, ValueError))):
        state = colorizer.adapt(state, hyperparameters)
    if not isinstance(state, Mapping):
        found = type(state).__name__
        raise PluginError(f"The colorizer {colorizer.name} must return a mapping from `adapt`, got {found}.")
    return state


def build_network(
    colorizer: Colorizer, state: Mapping[str, Tensor], hyperparameters: Mapping[str, Any], path: Path
) -> nn.Module:
    """Build a network and load its weights: every tensor must be used, and none may be missing.

    Args:
        colorizer: the colorizer whose network to build.
        state: tensors by name, in the network's layout or a published one.
        hyperparameters: hyperparameters of the network.
        path: the file that the tensors were read from, for the error message.

    Raises:
        WeightsCorrupt: the weights do not fit the network.
        PluginError: `build` or `adapt` failed.
    """
    from colorcli.weights.initialization import ZeroInitialization

    try:
        with ZeroInitialization():
            network = build(colorizer, hyperparameters)
        # assign: tensors are not copied, so those that are never used are never read from the file.
        network.load_state_dict(adapt(colorizer, state, hyperparameters), strict=True, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise WeightsCorrupt(
            f"{path} does not fit the network of {colorizer.name}: {mismatch(error)}",
            f"The network was built with {json.dumps(dict(hyperparameters))}.",
        ) from error
    return network


def check_fit(
    colorizer: Colorizer, state: Mapping[str, Tensor], hyperparameters: Mapping[str, Any], path: Path
) -> None:
    """Check weights that no manifest describes, before the network is built and given memory.

    Raises:
        WeightsCorrupt: a tensor is not dense, not finite, larger than the file, or has another shape than expected.
    """
    import torch

    from colorcli.weights.initialization import ZeroInitialization

    size = path.stat().st_size
    for name, tensor in state.items():
        if problem := _tensor_problem(tensor, size):
            raise WeightsCorrupt(f"{path} does not fit the network of {colorizer.name}: {name} {problem}.")
    hint = f"The network would be built with {json.dumps(dict(hyperparameters))}."
    try:
        with torch.device("meta"), ZeroInitialization():  # shapes without memory
            expected = colorizer.build(**hyperparameters).state_dict()
    except (
        NotImplementedError,
        RuntimeError,
    ):  # the network computes with numbers, which meta tensors lack, or imports a module that does
        return
    except Exception as error:
        raise WeightsCorrupt(
            f"{path} does not fit the network of {colorizer.name}: {mismatch(error)}", hint
        ) from error
    try:
        adapted = colorizer.adapt(state, hyperparameters)
    except Exception as error:  # a plugin's code, with tensors and numbers that it does not expect
        raise WeightsCorrupt(
            f"{path} does not fit the network of {colorizer.name}: {mismatch(error)}", hint
        ) from error
    for name in sorted(expected.keys() & adapted.keys()):
        wanted, found = expected[name], adapted[name]
        if wanted.shape != found.shape or wanted.dtype.is_floating_point != found.dtype.is_floating_point:
            described = [
                f"{str(tensor.dtype).removeprefix('torch.')} of {list(tensor.shape)}" for tensor in (wanted, found)
            ]
            raise WeightsCorrupt(
                f"{path} does not fit the network of {colorizer.name}: "
                f"{name} must be {described[0]}, got {described[1]}.",
                hint,
            )


def _tensor_problem(tensor: Tensor, size: int) -> str:
    import torch

    if tensor.is_meta:
        return "has no values"
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        return "must be a dense tensor"
    if tensor.is_complex():
        return "must be real, got complex numbers"
    if tensor.numel() * tensor.element_size() > size:
        return "has more values than the file"
    if tensor.is_floating_point() and not tensor.isfinite().all():
        return "has values that are not finite (NaN or infinity)"
    return ""


def mismatch(error: Exception) -> str:
    """Shorten what `load_state_dict` raised to one line; torch lists every key, possibly hundreds."""
    lines = str(error).splitlines() or [type(error).__name__]
    return textwrap.shorten(lines[-1], 240, placeholder=" ...")
