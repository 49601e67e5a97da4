"""A network built for its weights, and given every one of them."""

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


def fitted(
    colorizer: Colorizer, state: Mapping[str, Tensor], hyperparameters: Mapping[str, Any], path: Path
) -> nn.Module:
    """Build the network and give it weights, every one of them and no other.

    Args:
        colorizer: whose network.
        state: the tensors by name, in the network's layout or a published one.
        hyperparameters: of the network.
        path: of the file that they are from, for the error.

    Raises:
        WeightsCorrupt: they do not fit.
    """
    try:
        network = colorizer.build(**hyperparameters)
        # Not copied: what is never used is never read from the file.
        network.load_state_dict(colorizer.adapt(state, hyperparameters), strict=True, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise WeightsCorrupt(
            f"{path} does not fit the network of {colorizer.name}: {misfit(error)}",
            f"It was built with {json.dumps(dict(hyperparameters))}.",
        ) from error
    return network


def misfit(error: Exception) -> str:
    """Say in a line why `load_state_dict` refused: torch names every key, which may be hundreds."""
    return textwrap.shorten(str(error).splitlines()[-1], 240, placeholder=" ...")
