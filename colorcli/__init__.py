"""Colorize black-and-white photographs and films, with the colorizer of your choice.

    model = colorcli.load("zhang")
    model.colorize(picture)

A plugin writes a `Colorizer` and registers it with `hookimpl`; see `docs/writing-a-plugin.md`.
"""

from typing import TYPE_CHECKING

from colorcli.colorizer import Colorizer, Option, Prediction, Weights
from colorcli.errors import ColorcliError
from colorcli.metric import Colors, Metric
from colorcli.plugin.spec import API_VERSION, hookimpl
from colorcli.recipe import Batch, Recipe
from colorcli.weights.manifest import read_manifest

if TYPE_CHECKING:
    from colorcli.inference.model import load
    from colorcli.inference.placement import defer

__all__ = [
    "API_VERSION",
    "Batch",
    "ColorcliError",
    "Colorizer",
    "Colors",
    "Metric",
    "Option",
    "Prediction",
    "Recipe",
    "Weights",
    "defer",
    "hookimpl",
    "load",
    "read_manifest",
]


def __getattr__(name: str) -> object:
    if name == "load":  # late: whoever only writes a plugin or asks for help has no use for the engine
        from colorcli.inference.model import load

        return load
    if name == "defer":
        from colorcli.inference.placement import defer

        return defer
    if name == "__version__":
        from importlib.metadata import version

        return version("colorcli")
    raise AttributeError(f"module 'colorcli' has no attribute {name!r}")
