"""Colorize black-and-white photographs and films, with the colorizer of your choice.

    model = colorcli.load("zhang")
    model.colorize(picture)

A plugin implements a `Colorizer` and registers it with `hookimpl`; see `docs/writing-a-plugin.md`. The public modules
besides this one are `colorcli.color`, `colorcli.encoders`, `colorcli.errors`, `colorcli.surfaces`, `colorcli.testing`
and `colorcli.training.optimization`; everything else may change without notice.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from colorcli.colorizer import SMOOTHING, Colorizer, Option, Prediction, Weights
    from colorcli.errors import ColorcliError
    from colorcli.gray import Gray
    from colorcli.hints.hint import Hint
    from colorcli.inference.loading import load
    from colorcli.inference.model import Model
    from colorcli.inference.placement import defer
    from colorcli.metric import Colors, Metric
    from colorcli.plugin.registry import Registry
    from colorcli.plugin.spec import API_VERSION, hookimpl
    from colorcli.recipe import Batch, Recipe
    from colorcli.weights import fetch, locate, open_file
    from colorcli.weights.manifest import read_manifest

__all__ = [
    "API_VERSION",
    "SMOOTHING",
    "Batch",
    "ColorcliError",
    "Colorizer",
    "Colors",
    "Gray",
    "Hint",
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

# Modules of the public names, imported on first use: writing a plugin needs no torch, --help none of them.
_MODULES = {
    "API_VERSION": "colorcli.plugin.spec",
    "Batch": "colorcli.recipe",
    "ColorcliError": "colorcli.errors",
    "Colorizer": "colorcli.colorizer",
    "Colors": "colorcli.metric",
    "Gray": "colorcli.gray",
    "Hint": "colorcli.hints.hint",
    "Metric": "colorcli.metric",
    "Model": "colorcli.inference.model",
    "Option": "colorcli.colorizer",
    "Prediction": "colorcli.colorizer",
    "Recipe": "colorcli.recipe",
    "Registry": "colorcli.plugin.registry",
    "SMOOTHING": "colorcli.colorizer",
    "Weights": "colorcli.colorizer",
    "defer": "colorcli.inference.placement",
    "fetch": "colorcli.weights",
    "hookimpl": "colorcli.plugin.spec",
    "load": "colorcli.inference.loading",
    "locate": "colorcli.weights",
    "open_file": "colorcli.weights",
    "read_manifest": "colorcli.weights.manifest",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("colorcli")
    raise AttributeError(f"module 'colorcli' has no attribute {name!r}")
