"""Loads plugins from entry points, each when it is first needed, none able to break another.

One pluggy manager has all loaded plugins, and a hook is called in one after another. What goes wrong in a plugin is
recorded as an error of that plugin, and the next one is called.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from colorcli.colorizer import Colorizer
from colorcli.errors import PluginError, UsageError, did_you_mean
from colorcli.gray import Gray
from colorcli.isolation.guard import (
    install_command,
    is_interrupt,
    one_line,
    stdout_to_stderr,
    wrong_version,
)
from colorcli.isolation.origin import GROUP, installed, provider
from colorcli.isolation.process_state import ProcessState
from colorcli.metric import Metric
from colorcli.plugin import spec
from colorcli.plugin.validation import (
    problems_of_colorizer,
    problems_of_experiment,
    problems_of_gray,
    problems_of_metric,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from importlib.metadata import EntryPoint

ONLY = "COLORCLI_PLUGINS"  # comma-separated entry points to load; all if unset


@dataclass(frozen=True)
class _Kind:
    """One kind of thing that plugins register."""

    type: type
    expected: str  # what a wrong thing is not
    problems_of: Callable[[Any], list[str]]
    name_of: Callable[[Any], str] = attrgetter("name")


_HOOKS = {
    "register_colorizers": _Kind(Colorizer, "an instance of colorcli.Colorizer", problems_of_colorizer),
    "register_metrics": _Kind(Metric, "an instance of colorcli.Metric", problems_of_metric),
    "register_grays": _Kind(Gray, "an instance of colorcli.Gray", problems_of_gray),
    "register_experiments": _Kind(Path, "a pathlib.Path", problems_of_experiment, attrgetter("stem")),
}


class Plugin:
    """An entry point, and what its module has registered once it is loaded.

    Attributes:
        name: name of the entry point.
        distribution: the distribution that declares it.
        version: version of the distribution; empty if the plugin is not installed.
        module: module of the entry point.
        colorizers: valid colorizers by name.
        metrics: valid metrics by name.
        grays: valid ways of making gray by name.
        experiments: files by name, likewise.
        errors: what is wrong with the plugin, one sentence each.
        cause: the exception that stopped it, for the traceback; None if there is none.
    """

    def __init__(self, entry_point: EntryPoint) -> None:
        self.entry_point = entry_point
        self.name = entry_point.name
        origin = provider(entry_point)
        self.distribution = origin.distribution or f"{entry_point.value} (not installed)"
        self.version = origin.version
        self.module = entry_point.value.partition(":")[0].strip()
        self.colorizers: dict[str, Colorizer] = {}
        self.metrics: dict[str, Metric] = {}
        self.grays: dict[str, Gray] = {}
        self.experiments: dict[str, Path] = {}
        self.errors: list[str] = []
        self.cause: BaseException | None = None

    @property
    def title(self) -> str:
        """The plugin with its distribution and version, for messages."""
        return f"The plugin {self.name} ({self.distribution} {self.version})".replace(" )", ")")

    def broken(self) -> PluginError:
        """Make the error of a command that needs this plugin."""
        error = PluginError(
            f"{self.title} is broken: {'; '.join(self.errors)}",
            "`colorcli --debug` shows the traceback; another version of the plugin may work.",
        )
        error.__cause__ = self.cause
        return error

    def register(self, offered: Any, kind: _Kind) -> None:
        """Accept what the plugin registers if it is valid; otherwise record what is wrong with it."""
        if not isinstance(offered, kind.type):
            self.errors.append(f"it registers {offered!r}, which is not {kind.expected}")
        elif problems := kind.problems_of(offered):
            self.errors.append(f"{type(offered).__name__}: {'; '.join(problems)}")
        elif (name := kind.name_of(offered)) in (found := self._registered(kind)):
            self.errors.append(f"it registers the name {name} twice")
        else:
            found[name] = offered

    @property
    def provides_anything(self) -> bool:
        """Whether anything valid is registered."""
        return bool(self.colorizers or self.metrics or self.grays or self.experiments)

    def _registered(self, kind: _Kind) -> dict[str, Any]:
        found: dict[type, dict[str, Any]] = {
            Colorizer: self.colorizers,
            Metric: self.metrics,
            Gray: self.grays,
            Path: self.experiments,
        }
        return found[kind.type]

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """Record exceptions as errors of this plugin, and undo its changes to the process."""
        before = ProcessState.now()
        try:
            with stdout_to_stderr():
                yield
        except BaseException as error:
            if is_interrupt(error):
                raise
            self.cause = error
            self.errors.append(self._reason(error))
        finally:
            self.errors += [f"importing it {change}" for change in before.restore()]

    def _reason(self, error: BaseException) -> str:
        reason = one_line(error)
        if isinstance(error, ModuleNotFoundError) and error.name:
            own = {"colorcli", self.module.partition(".")[0]}
            if error.name.partition(".")[0] not in own:
                return f"{reason}; {install_command(error.name, self.distribution)}"
        return f"{reason}{wrong_version(error)}"


class PluginManager:
    """All installed plugins, in the order in which they may claim names: colorcli's own first.

    Args:
        unpacked: entry points of a plugin that is on Python's path without being installed; it replaces an installed
            plugin of the same module.

    Raises:
        UsageError: COLORCLI_PLUGINS names an entry point that is not installed.
    """

    def __init__(self, unpacked: Sequence[EntryPoint] = ()) -> None:
        self._pluggy = pluggy.PluginManager(GROUP)
        self._pluggy.add_hookspecs(spec)
        self._loaded: dict[Plugin, object] = {}  # plugin to its module or object; None if it did not load
        here = [Plugin(each) for each in unpacked]
        replaced = {plugin.module for plugin in here}
        found = [Plugin(each) for each in installed()]
        self.plugins = [*_chosen([each for each in found if each.module not in replaced]), *here]

    def load(self, plugins: Iterable[Plugin]) -> None:
        """Import those plugins that are not loaded yet, and call the hooks in each of them."""
        fresh = [plugin for plugin in plugins if plugin not in self._loaded]
        for plugin in fresh:
            self._loaded[plugin] = None
            with plugin.isolated():
                self._loaded[plugin] = self._import(plugin)
        for hook, kind in _HOOKS.items():
            self._call(hook, fresh, kind)
        for plugin in fresh:
            if (module := self._loaded[plugin]) is not None:
                plugin.errors += self._pending(module)
                if not plugin.errors and not plugin.provides_anything:
                    plugin.errors.append("it registers nothing; its hooks must call register(...)")

    def _import(self, plugin: Plugin) -> object:
        module = plugin.entry_point.load()
        _check_api(module)
        same = next((each for each, loaded in self._loaded.items() if loaded is module), None)
        if same:
            raise PluginError(f"its module {plugin.module} is already loaded by the entry point {same.name}")
        name = f"{plugin.distribution} {plugin.name} {plugin.module}"
        try:
            self._pluggy.register(module, name=name)
            if not self._pluggy.get_hookcallers(module):
                raise PluginError("it implements no hook; decorate `register_colorizers` with `@colorcli.hookimpl`")
        except Exception:
            self._pluggy.unregister(name=name)
            raise
        return module

    def _call(self, hook: str, plugins: Iterable[Plugin], kind: _Kind) -> None:
        """Call a hook in plugins one after another, each isolated from the others."""
        everyone = self._pluggy.get_plugins()
        for plugin in plugins:
            module = self._loaded[plugin]
            if module is not None:
                caller = self._pluggy.subset_hook_caller(hook, everyone - {module})
                with plugin.isolated():
                    caller(register=lambda offered, plugin=plugin: plugin.register(offered, kind))

    def _pending(self, module: object) -> list[str]:
        """Name the hooks of a plugin that do not exist; a misspelled hook must not go unnoticed."""
        callers = self._pluggy.get_hookcallers(module) or []
        unknown = [caller.name for caller in callers if not caller.has_spec()]
        return [f"it implements an unknown hook, {name}. {did_you_mean(name, _HOOKS)}" for name in unknown]


def _chosen(plugins: list[Plugin]) -> list[Plugin]:
    """Sort colorcli's own plugins first, so that no other takes their names, and apply COLORCLI_PLUGINS."""
    plugins.sort(key=lambda plugin: (plugin.distribution != "colorcli", plugin.distribution, plugin.name))
    if ONLY not in os.environ:
        return plugins
    wanted = {name.strip() for name in os.environ[ONLY].split(",")} - {""}
    known = {plugin.name for plugin in plugins}
    for name in sorted(wanted - known):
        raise UsageError(f"{ONLY} names a plugin that is not installed: {name}.", did_you_mean(name, known))
    return [plugin for plugin in plugins if plugin.name in wanted]


def _check_api(module: object) -> None:
    needed = getattr(module, "colorcli_api", spec.API_VERSION)
    if type(needed) is not int:
        raise PluginError(f"colorcli_api must be a whole number, got {needed!r}")
    if needed > spec.API_VERSION:
        raise PluginError(
            f"it needs version {needed} of the plugin API, and colorcli {version('colorcli')} has version"
            f" {spec.API_VERSION}; upgrade colorcli: pip install -U colorcli"
        )
