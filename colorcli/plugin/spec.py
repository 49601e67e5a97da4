"""The hooks that a plugin may implement, and the version of all that plugins are written against.

A hook may gain arguments later, and an implementation may name fewer than there are; none is ever renamed. A plugin
that needs a certain version says `colorcli_api = 1` in its module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.colorizer import Colorizer
    from colorcli.metric import Metric

API_VERSION = 1  # of what plugins are written against; it grows when a plugin could need something new
hookspec = pluggy.HookspecMarker("colorcli")
hookimpl = pluggy.HookimplMarker("colorcli")


@hookspec
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Offer colorizers: call `register(colorizer)` once for each, with an instance.

    Called once, when a colorizer of the entry point's name is asked for, or all of them are. It must be quick:
    no torch, no network, no file but a manifest.
    """


@hookspec
def register_metrics(register: Callable[[Metric], None]) -> None:
    """Offer metrics for `colorcli evaluate --metrics NAME`: call `register(metric)` once for each, with an instance.

    Called when `register_colorizers` is, and as quick.
    """
