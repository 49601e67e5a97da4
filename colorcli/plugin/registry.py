"""Colorizers and metrics by name, from all installed plugins."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colorcli.errors import ColorcliError, ColorizerNotFound, UsageError, did_you_mean
from colorcli.plugin.manager import ONLY, Plugin, PluginManager

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from colorcli.colorizer import Colorizer
    from colorcli.gray import Gray
    from colorcli.metric import Metric


_MEMBER = r"[\w-]+(\.[\w-]+)?(:(\d+\.?\d*|\.\d+))?"
_MIXTURE = re.compile(rf"{_MEMBER}(\+{_MEMBER})+", re.ASCII)


_KINDS = {"metrics": "a metric", "grays": "a gray", "experiments": "an experiment"}


@dataclass(frozen=True)
class PluginRecord:
    """A plugin as `colorcli plugins` lists it."""

    name: str  # name of the entry point
    distribution: str
    version: str
    colorizers: tuple[str, ...]  # names of those it provides
    errors: tuple[str, ...]  # what is wrong with it; empty if nothing is
    metrics: tuple[str, ...] = ()  # names of those it provides
    grays: tuple[str, ...] = ()  # likewise
    experiments: tuple[str, ...] = ()  # likewise


class Registry:
    """The colorizers and metrics of all installed plugins, each plugin loaded when it is first needed.

    Args:
        unpacked: entry points of a plugin that is on Python's path without being installed; it replaces an installed
            plugin of the same module.

    Raises:
        UsageError: COLORCLI_PLUGINS names an entry point that is not installed.
    """

    def __init__(self, unpacked: Sequence[EntryPoint] = ()) -> None:
        self._manager = PluginManager(unpacked)

    def resolve(self, name: str) -> tuple[Colorizer, str | None]:
        """Find the colorizer and the tag of a full name such as `zhang.eccv16`; the tag is None if not given.

        Raises:
            UsageError: the name has a dot with nothing before or after it.
            ColorizerNotFound: no plugin provides the colorizer.
            PluginError: the plugin with that name is broken.
        """
        colorizer, tag = split_name(name)
        return self.get(colorizer), tag

    def get(self, name: str) -> Colorizer:
        """Find a colorizer by name, without a tag, loading no more plugins than necessary.

        Raises:
            ColorizerNotFound: no plugin provides it.
            PluginError: the plugin with that name is broken.
        """
        self._manager.load(plugin for plugin in self._manager.plugins if plugin.name == name)
        owner = self._owner(name)
        if owner is None:
            self._manager.load(self._manager.plugins)
            owner = self._owner(name)
        if owner is None:
            raise self._not_found(name)
        return owner.colorizers[name]

    def colorizers(self) -> dict[str, Colorizer]:
        """Load all plugins and return the valid colorizers by name; `plugins` says what is wrong with the others."""
        self._manager.load(self._manager.plugins)
        names = {name for plugin in self._manager.plugins for name in plugin.colorizers}
        return {name: self.get(name) for name in sorted(names)}

    def metrics(self) -> dict[str, Metric]:
        """Load all plugins and return the valid metrics by name; of two with one name, the first plugin's."""
        return self._all("metrics")

    def grays(self) -> dict[str, Gray]:
        """Load all plugins and return the valid ways of making gray by name, likewise."""
        return self._all("grays")

    def experiments(self) -> dict[str, Path]:
        """Load all plugins and return the files of experiments by name, likewise."""
        return self._all("experiments")

    def _all(self, kind: str) -> dict[str, Any]:
        self._manager.load(self._manager.plugins)
        found: dict[str, Any] = {}
        for plugin in self._manager.plugins:
            found = {**getattr(plugin, kind), **found}
        return dict(sorted(found.items()))

    def plugins(self) -> list[PluginRecord]:
        """Load all plugins and return a record of each, broken ones too, those that are not installed last."""
        self._manager.load(self._manager.plugins)
        return [self._record(plugin) for plugin in self._manager.plugins]

    def _owner(self, name: str) -> Plugin | None:
        """Prefer the entry point of that name, so that asking for one colorizer and for all of them agree."""
        ordered = sorted(self._manager.plugins, key=lambda plugin: plugin.name != name)
        return next((plugin for plugin in ordered if name in plugin.colorizers), None)

    def _record(self, plugin: Plugin) -> PluginRecord:
        owners = {name: self._owner(name) for name in plugin.colorizers}
        others = {kind: self._first_with(kind, getattr(plugin, kind)) for kind in _KINDS}
        errors = list(plugin.errors)
        errors += [_taken(name, owner, plugin) for name, owner in owners.items() if owner is not plugin]
        errors += [
            _taken(f"{name} ({_KINDS[kind]})", owner, plugin)
            for kind, first in others.items()
            for name, owner in first.items()
            if owner is not plugin
        ]
        provided = tuple(name for name, owner in owners.items() if owner is plugin)
        if provided and plugin.name not in {*owners, plugin.module}:
            errors.append(
                f"its entry point must have the name of a colorizer, {' or '.join(provided)}; a colorizer with another"
                " name is found only by loading every plugin"
            )
        return PluginRecord(
            plugin.name,
            plugin.distribution,
            plugin.version,
            provided,
            tuple(errors),
            **{
                kind: tuple(name for name, owner in first.items() if owner is plugin) for kind, first in others.items()
            },
        )

    def _first_with(self, kind: str, names: Iterable[str]) -> dict[str, Plugin]:
        """Find the first plugin with each of these metrics, grays or experiments."""
        plugins = self._manager.plugins
        return {name: next(plugin for plugin in plugins if name in getattr(plugin, kind)) for name in names}

    def _not_found(self, name: str) -> ColorcliError:
        for plugin in self._manager.plugins:
            if plugin.name == name and plugin.errors:
                return plugin.broken()
            if plugin.name == name and plugin.colorizers:
                others = " and ".join(plugin.colorizers)
                return ColorizerNotFound(
                    f"{plugin.title} does not provide a colorizer {name}, only {others}.", f"Use --model {others}."
                )
        known = sorted({known for plugin in self._manager.plugins for known in plugin.colorizers})
        hint = f"{did_you_mean(name, known)} Others come with plugins: pip install the one that provides it."
        if ONLY in os.environ:
            hint += f" {ONLY} is set, so only those plugins are loaded."
        return ColorizerNotFound(f"Colorizer not found: {name}.", hint)


def _taken(name: str, owner: Plugin | None, plugin: Plugin) -> str:
    first = owner.distribution if owner else "another plugin"
    return f"the name {name} is taken: {first} and {plugin.distribution} both register it"


def split_mixture(name: str) -> list[tuple[str, float]]:
    """Split `zhang+iizuka`, or with shares `zhang:0.7+iizuka:0.3`, into models and shares.

    Returns:
        One model with the share 1 if the name is not that of a mixture.

    Raises:
        UsageError: a share is not a number above 0.
    """
    if not _MIXTURE.fullmatch(name):
        return [(name, 1.0)]
    members = []
    for part in name.split("+"):
        model, _, share = part.partition(":")
        members.append((model, float(share or 1)))
        if not members[-1][1] > 0:
            raise UsageError(f"The share of {model} in a mixture must be above 0, got {share}.")
    return members


def split_name(name: str) -> tuple[str, str | None]:
    """Split `zhang.eccv16` into colorizer and tag; the tag is None if only the colorizer is named.

    Raises:
        UsageError: the name has a dot with nothing before or after it.
    """
    colorizer, dot, tag = name.partition(".")
    if not colorizer or (dot and not tag):
        raise UsageError(
            f"A model must be COLORIZER or COLORIZER.TAG, got {name!r}.", "Examples: zhang, zhang.eccv16."
        )
    return colorizer, tag or None
