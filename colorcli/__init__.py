"""Colorize black-and-white photographs and films, with the colorizer of your choice.

    model = colorcli.load("zhang")
    model.colorize(picture)

A plugin writes a `Colorizer` and registers it with `hookimpl`; see `docs/writing-a-plugin.md`.
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
    from colorcli.weights.resolver import locate

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
    "hookimpl",
    "load",
    "locate",
    "read_manifest",
]

_LATE = {  # imported when first used, so that writing a plugin or asking for help does not import torch
    "Model": "colorcli.inference.model",
    "Registry": "colorcli.plugin.registry",
    "defer": "colorcli.inference.placement",
    "load": "colorcli.inference.model",
    "locate": "colorcli.weights.resolver",
}


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("colorcli")
    raise AttributeError(f"module 'colorcli' has no attribute {name!r}")
