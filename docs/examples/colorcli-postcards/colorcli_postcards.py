"""DDColor with weights of your own, as a colorizer of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from colorcli import hookimpl, read_manifest
from colorcli_ddcolor import DDColor

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli import Colorizer

colorcli_api = 1  # the version of colorcli's plugin API that this is written for


class Postcards(DDColor):
    """The same network, smaller pictures, other weights."""

    name = "postcards"
    summary = "DDColor, fine-tuned on hand-tinted postcards."
    size = 256
    weights = read_manifest("postcards", Path(__file__).parent)  # none before postcards.toml is beside this file


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the colorizer."""
    register(Postcards())
