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
        hyperparameters: of the network.
        path: the file that the tensors were read from, for the error message.

    Raises:
        WeightsCorrupt: the weights do not fit the network.
        PluginError: `build` or `adapt` failed.
    """
    try:
        network = build(colorizer, hyperparameters)
        # assign: tensors are not copied, so those that are never used are never read from the file.
        network.load_state_dict(adapt(colorizer, state, hyperparameters), strict=True, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise WeightsCorrupt(
            f"{path} does not fit the network of {colorizer.name}: {mismatch(error)}",
            f"The network was built with {json.dumps(dict(hyperparameters))}.",
        ) from error
    return network


def mismatch(error: Exception) -> str:
    """Shorten what `load_state_dict` raised to one line; torch lists every key, possibly hundreds."""
    return textwrap.shorten(str(error).splitlines()[-1], 240, placeholder=" ...")
