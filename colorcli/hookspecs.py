"""The hooks that a plugin may implement.

A hook may gain arguments later, and an implementation may name fewer than there are; none is ever renamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.colorizer import Colorizer

hookspec = pluggy.HookspecMarker("colorcli")
hookimpl = pluggy.HookimplMarker("colorcli")


@hookspec
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Offer colorizers: call `register(colorizer)` once for each, with an instance.

    Called once, when a colorizer of the entry point's name is asked for, or all of them are. It must be quick:
    no torch, no network, no file but a manifest.
    """
