"""Building a network and loading weights into it, strictly."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from colorcli.errors import WeightsCorrupt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

    from colorcli.colorizer import Colorizer


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
    """
    try:
        network = colorizer.build(**hyperparameters)
        # assign: tensors are not copied, so those that are never used are never read from the file.
        network.load_state_dict(colorizer.adapt(state, hyperparameters), strict=True, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise WeightsCorrupt(
            f"{path} does not fit the network of {colorizer.name}: {mismatch(error)}",
            f"The network was built with {json.dumps(dict(hyperparameters))}.",
        ) from error
    return network


def mismatch(error: Exception) -> str:
    """Shorten what `load_state_dict` raised to one line; torch lists every key, possibly hundreds."""
    return textwrap.shorten(str(error).splitlines()[-1], 240, placeholder=" ...")
