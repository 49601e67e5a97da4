"""The hooks that a plugin may implement, and the version of the plugin API.

A hook may gain arguments later, and an implementation may leave out those it does not need. No hook or argument is
ever renamed. A plugin that needs a certain version declares `colorcli_api = 1` in its module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from colorcli.colorizer import Colorizer
    from colorcli.gray import Gray
    from colorcli.metric import Metric

API_VERSION = 1  # incremented when plugins gain something they may depend on
hookspec = pluggy.HookspecMarker("colorcli")
hookimpl = pluggy.HookimplMarker("colorcli")


@hookspec
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register colorizers: call `register(colorizer)` with an instance of each.

    Called once, when the colorizer with the entry point's name is requested or when all colorizers are. It must be
    quick: no torch, no network access, and no file except a manifest.
    """


@hookspec
def register_metrics(register: Callable[[Metric], None]) -> None:
    """Register metrics for `colorcli evaluate --metrics NAME`: call `register(metric)` with an instance of each.

    Called right after `register_colorizers`, and must be as quick.
    """


@hookspec
def register_grays(register: Callable[[Gray], None]) -> None:
    """Register ways of making gray, for training and evaluation: call `register(gray)` with an instance of each.

    Called right after `register_metrics`, and must be as quick.
    """


@hookspec
def register_experiments(register: Callable[[Path], None]) -> None:
    """Register experiments for `colorcli paper NAME`: call `register(path)` with each TOML file.

    Called right after `register_grays`, and must be as fast; the file is read when it is needed.
    """
