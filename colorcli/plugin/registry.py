"""Entry points in, Colorizer objects out; one broken plugin never hides the others."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Any

import pluggy

from colorcli.colorizer import Colorizer
from colorcli.errors import ColorcliError, ColorizerNotFound, PluginError, UsageError, did_you_mean
from colorcli.metric import Metric
from colorcli.plugin import spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.metadata import EntryPoint

GROUP = "colorcli"
ONLY = "COLORCLI_PLUGINS"  # entry points to load, with commas between; all where it is not set
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")  # no dot: that is where the tag begins


@dataclass(frozen=True)
class Plugin:
    """What one entry point gave."""

    name: str  # of the entry point
    distribution: str
    version: str
    colorizers: tuple[str, ...]  # the names that it provides
    errors: tuple[str, ...]  # what is broken and why; empty where all is well
    metrics: tuple[str, ...] = ()  # the names that it provides


class Registry:
    """Every colorizer that is installed, each plugin loaded when it is first needed.

    Args:
        unpacked: entry points of a plugin that lies on the path of Python without being installed; an installed one of
            the same module is left out.

    Raises:
        UsageError: COLORCLI_PLUGINS names an entry point that is not installed.
    """

    def __init__(self, unpacked: Sequence[EntryPoint] = ()) -> None:
        here = {_module(entry_point) for entry_point in unpacked}
        installed = [_Source(each) for each in entry_points(group=GROUP) if _module(each) not in here]
        self._sources = [*_chosen(installed), *map(_Source, unpacked)]

    def get(self, name: str) -> Colorizer:
        """Return the colorizer of that name (without a tag), loading no more plugins than it takes.

        Raises:
            ColorizerNotFound: no plugin provides it.
            PluginError: the plugin of that name is broken.
        """
        owner = self._owner(name)
        if owner is None:
            raise self._not_found(name)
        return owner.colorizers[name]

    def colorizers(self) -> dict[str, Colorizer]:
        """Return every colorizer by name; broken plugins are left out, `plugins` tells of them."""
        names = {name for source in self._sources for name in source.colorizers}
        return {name: self.get(name) for name in sorted(names)}

    def metrics(self) -> dict[str, Metric]:
        """Return every metric by name; of two of a name that of the plugin which comes first."""
        found: dict[str, Metric] = {}
        for source in self._sources:
            found = {**source.metrics, **found}
        return dict(sorted(found.items()))

    def plugins(self) -> list[Plugin]:
        """Return a record of every plugin, broken ones too, the unpacked ones last."""
        return [self._record(source) for source in self._sources]

    def _owner(self, name: str) -> _Source | None:
        """Whoever has the entry point of that name goes first, so that asking for one and for all agree."""
        ordered = sorted(self._sources, key=lambda source: source.name != name)
        return next((source for source in ordered if name in source.colorizers), None)

    def _record(self, source: _Source) -> Plugin:
        owners = {name: self._owner(name) for name in source.colorizers}
        taken = [
            f"the name {name} is taken: {owner.distribution} and {source.distribution} both register it"
            for name, owner in owners.items()
            if owner is not None and owner is not source
        ]
        provided = tuple(name for name, owner in owners.items() if owner is source)
        broken = [_reason(source.error)] if source.error else []
        metrics = tuple(source.metrics)
        return Plugin(source.name, source.distribution, source.version, provided, (*broken, *taken), metrics)

    def _not_found(self, name: str) -> ColorcliError:
        for source in self._sources:
            if source.name == name and source.error:
                return source.broken()
        known = sorted({known for source in self._sources for known in source.colorizers})
        hint = did_you_mean(name, known) + " Others come with plugins: pip install the one that provides it."
        if ONLY in os.environ:
            hint += f" {ONLY} is set, so only those plugins are loaded."
        return ColorizerNotFound(f"There is no colorizer {name!r}.", hint)


@dataclass(frozen=True)
class _Provided:
    """What a plugin registered, by name."""

    colorizers: dict[str, Colorizer] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)


class _Source:
    """One entry point, loaded when what it provides is first asked for."""

    def __init__(self, entry_point: EntryPoint) -> None:
        self._entry_point = entry_point
        self.name = entry_point.name
        self.distribution = entry_point.dist.name if entry_point.dist else f"{entry_point.value} (not installed)"
        self.version = entry_point.dist.version if entry_point.dist else ""
        self.error: BaseException | None = None

    @property
    def colorizers(self) -> dict[str, Colorizer]:
        """By name, those that were registered before anything went wrong; `error` says what did."""
        return self._provided.colorizers

    @property
    def metrics(self) -> dict[str, Metric]:
        """By name, as the colorizers."""
        return self._provided.metrics

    @cached_property
    def _provided(self) -> _Provided:
        found = _Provided()
        try:
            plugin = self._entry_point.load()
            _check_api(plugin)
            _call_hooks(plugin, found)
        except (Exception, SystemExit) as error:  # whatever a plugin does, the others go on
            self.error = error
        return found

    def broken(self) -> PluginError:
        """Say it to whoever asked for this plugin."""
        error = PluginError(
            f"The plugin {self.name} ({self.distribution} {self.version}) is broken: {_reason(self.error)}",
            "`colorcli --debug` shows where; another version of the plugin may help.",
        )
        error.__cause__ = self.error
        return error


def _module(entry_point: EntryPoint) -> str:
    return entry_point.value.partition(":")[0].strip()


def _chosen(sources: list[_Source]) -> list[_Source]:
    """Sort our own plugins first, so that nobody shadows them, and leave out what COLORCLI_PLUGINS leaves out."""
    sources.sort(key=lambda source: (source.distribution != "colorcli", source.distribution, source.name))
    if ONLY not in os.environ:
        return sources
    wanted = {name.strip() for name in os.environ[ONLY].split(",")} - {""}
    installed = {source.name for source in sources}
    for name in sorted(wanted - installed):
        raise UsageError(f"{ONLY} names a plugin {name!r} that is not installed.", did_you_mean(name, installed))
    return [source for source in sources if source.name in wanted]


def _check_api(plugin: object) -> None:
    needed = getattr(plugin, "colorcli_api", spec.API_VERSION)
    if type(needed) is not int:
        raise PluginError(f"its colorcli_api is {needed!r}, where a whole number was expected")
    if needed > spec.API_VERSION:
        raise PluginError(
            f"it needs version {needed} of the plugin API, and colorcli {version('colorcli')} has"
            f" {spec.API_VERSION}; a newer colorcli will do: pip install -U colorcli"
        )


def _call_hooks(plugin: object, found: _Provided) -> None:
    manager = pluggy.PluginManager(GROUP)  # one for each plugin: what is wrong with one stays with it
    manager.add_hookspecs(spec)
    manager.register(plugin)
    if not manager.get_hookcallers(plugin):
        raise PluginError("it implements no hook; decorate `register_colorizers` with `@colorcli.hookimpl`")
    manager.hook.register_colorizers(register=_collect_in(found.colorizers, Colorizer))
    manager.hook.register_metrics(register=_collect_in(found.metrics, Metric))
    manager.check_pending()  # a misspelled hook is an error, not silence


def _collect_in(found: dict[str, Any], kind: type) -> Callable[[Any], None]:
    def register(offered: Any) -> None:
        if not isinstance(offered, kind):
            raise PluginError(f"it registers {offered!r}, which is not an instance of colorcli.{kind.__name__}")
        name = getattr(offered, "name", None)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise PluginError(f"{type(offered).__name__}.name is {name!r}; small letters, digits, - and _ are allowed")
        if name in found:
            raise PluginError(f"it registers the name {name} twice")
        found[name] = offered

    return register


def _reason(error: BaseException | None) -> str:
    if isinstance(error, ColorcliError):
        return str(error)
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "colorcli":
        return f"{reason}; is it for another version of colorcli? This is {version('colorcli')}"
    return reason


def split_name(name: str) -> tuple[str, str | None]:
    """Split `zhang.eccv16` into colorizer and tag; the tag is None where only the colorizer is named.

    Raises:
        UsageError: there is a dot with nothing before or after it.
    """
    colorizer, dot, tag = name.partition(".")
    if not colorizer or (dot and not tag):
        raise UsageError(
            f"{name!r} is not the name of a model.", "Write COLORIZER or COLORIZER.TAG, as in zhang.eccv16."
        )
    return colorizer, tag or None
