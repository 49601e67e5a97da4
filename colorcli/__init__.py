"""Colorize black-and-white photographs and films, with the colorizer of your choice.

    model = colorcli.load("zhang")
    model.colorize(picture)

A plugin writes a `Colorizer` and registers it with `hookimpl`; see `docs/writing-a-plugin.md`.
"""

from typing import TYPE_CHECKING

from colorcli.colorizer import Colorizer, Option, Prediction, Weights
from colorcli.errors import ColorcliError
from colorcli.hookspecs import API_VERSION, hookimpl
from colorcli.manifests import read_manifest
from colorcli.metric import Colours, Metric
from colorcli.recipe import Batch, Recipe

if TYPE_CHECKING:
    from colorcli.model import load
    from colorcli.placing import defer

__all__ = [
    "API_VERSION",
    "Batch",
    "ColorcliError",
    "Colorizer",
    "Colours",
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
        from colorcli.model import load

        return load
    if name == "defer":
        from colorcli.placing import defer

        return defer
    if name == "__version__":
        from importlib.metadata import version

        return version("colorcli")
    raise AttributeError(f"module 'colorcli' has no attribute {name!r}")
