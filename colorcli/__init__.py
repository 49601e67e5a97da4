"""Colorize black-and-white photographs and films, with the colorizer of your choice.

    model = colorcli.load("zhang")
    model.colorize(picture)

A plugin implements a `Colorizer` and registers it with `hookimpl`; see `docs/writing-a-plugin.md`. The public modules
besides this one are `colorcli.color`, `colorcli.encoders`, `colorcli.errors`, `colorcli.testing` and
`colorcli.training.optimization`; everything else may change without notice.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from colorcli.colorizer import Colorizer, Option, Prediction, Weights
from colorcli.errors import ColorcliError
from colorcli.metric import Colors, Metric
from colorcli.plugin.spec import API_VERSION, hookimpl
from colorcli.recipe import Batch, Recipe
from colorcli.weights.manifest import read_manifest

if TYPE_CHECKING:
    from colorcli.inference.model import Model, load
    from colorcli.inference.placement import defer
    from colorcli.plugin.registry import Registry
    from colorcli.weights import fetch, locate, open_file

__all__ = [
    "API_VERSION",
    "Batch",
    "ColorcliError",
    "Colorizer",
    "Colors",
    "Metric",
    "Model",
    "Option",
    "Prediction",
    "Recipe",
    "Registry",
    "Weights",
    "defer",
    "fetch",
    "hookimpl",
    "load",
    "locate",
    "open_file",
    "read_manifest",
]

_LATE = {  # name -> module, imported when first used: those who write a plugin or ask for help need no engine
    "Model": "colorcli.inference.model",
    "Registry": "colorcli.plugin.registry",
    "defer": "colorcli.inference.placement",
    "fetch": "colorcli.weights",
    "load": "colorcli.inference.model",
    "locate": "colorcli.weights",
    "open_file": "colorcli.weights",
}


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("colorcli")
    raise AttributeError(f"module 'colorcli' has no attribute {name!r}")
