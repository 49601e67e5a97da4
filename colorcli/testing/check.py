"""Runs the suites of `colorcli.testing` without pytest, for `colorcli plugins check`.

A plugin is specified by its name if it is installed, by the name of something that it provides, or by its path: a
module, a package, or a project's folder.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli.errors import ColorcliError, UsageError, did_you_mean
from colorcli.isolation.guard import is_interrupt, stdout_to_stderr
from colorcli.isolation.origin import GROUP, installed
from colorcli.plugin.registry import Registry
from colorcli.testing import ColorizerSuite, MetricSuite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from colorcli.colorizer import Colorizer, Weights
    from colorcli.metric import Metric
    from colorcli.plugin.registry import PluginRecord

_LOADS = "the plugin loads and registers valid colorizers or metrics"
_COLORIZER_PROMISES = [name for name in vars(ColorizerSuite) if name.startswith("test_")]
_METRIC_PROMISES = [name for name in vars(MetricSuite) if name.startswith("test_")]


@dataclass(frozen=True)
class Verdict:
    """Whether one promise is kept."""

    name: str  # name of the colorizer or metric; of the plugin for promises about the plugin as a whole
    promise: str  # a sentence
    kept: bool
    why: str  # why it is broken; empty if it is kept


class Check:
    """The check of a plugin, promise by promise.

    Args:
        what: the name of an installed plugin, colorizer or metric, or the path of a module, package or project.
        side: side of the squares that networks are tried on, rounded up to a multiple of the colorizer's
            `multiple_of`; None = that of the weights, or else of the colorizer.

    Raises:
        UsageError: the plugin was not found.
    """

    def __init__(self, what: str, side: int | None = None) -> None:
        if not __debug__:
            raise UsageError("Promises are checked with assertions, which are disabled.", "Run Python without -O.")
        self._side = side
        self._registry, self._plugins = _find(what)

    def __len__(self) -> int:
        """Count the verdicts."""
        return sum(
            1 + len(plugin.colorizers) * len(_COLORIZER_PROMISES) + len(plugin.metrics) * len(_METRIC_PROMISES)
            for plugin in self._plugins
        )

    def verdicts(self) -> Iterator[Verdict]:
        """Check every promise, one after another, whether or not others are broken."""
        for plugin in self._plugins:
            why = "; ".join(plugin.errors)
            yield Verdict(plugin.name, _LOADS, not why, why)
            for name in plugin.colorizers:
                yield from _verdicts(name, _of_colorizer(self._registry.get(name), self._side))
            for name in plugin.metrics:
                yield from _verdicts(name, _of_metric(self._registry.metrics()[name]))


def _verdicts(name: str, promises: Iterator[tuple[str, Callable[[], None]]]) -> Iterator[Verdict]:
    for test, check in promises:
        why = _broken_by(check)
        yield Verdict(name, test.removeprefix("test_").replace("_", " "), not why, why)


def _of_colorizer(colorizer: Colorizer, side: int | None) -> Iterator[tuple[str, Callable[[], None]]]:
    """Pair each promise with its check: of the network that people use here, and of the recipe that made it."""
    from colorcli.weights import is_local

    tag = next((tag for tag, weights in colorizer.weights.items() if is_local(weights)), None)
    used, trained = (_used(colorizer.weights[tag]), _trained(colorizer, tag)) if tag else ({}, {})
    for name in _COLORIZER_PROMISES:
        tried = {"colorizer": colorizer, **(trained if "training" in name else used)}
        suite = type("Suite", (ColorizerSuite,), {**tried, "side": side or tried.get("side")})()
        yield name, getattr(suite, name)


def _of_metric(metric: Metric) -> Iterator[tuple[str, Callable[[], None]]]:
    suite = type("Suite", (MetricSuite,), {"metric": metric})()
    return ((name, getattr(suite, name)) for name in _METRIC_PROMISES)


def _used(weights: Weights) -> dict[str, Any]:
    return {"small": weights.network, "side": weights.input_size}


def _trained(colorizer: Colorizer, tag: str) -> dict[str, Any]:
    """Read the recipe with the weights' name; if it has stages, the last of them."""
    path = colorizer.recipe_folder / f"{tag}.toml" if colorizer.recipe_folder else None
    if path is None or not path.is_file():
        return {}
    from colorcli.training.recipes import read_recipe

    recipe = read_recipe(path)
    if recipe.stages:
        recipe = recipe.stages[-1].file
    return {"small": recipe.network, "settings": recipe.recipe, "side": recipe.training.sizes[-1][1]}


def _broken_by(check: Callable[[], None]) -> str:
    try:
        with stdout_to_stderr():
            check()
    except BaseException as error:
        if is_interrupt(error):
            raise
        reason = isinstance(error, (AssertionError, ColorcliError)) and str(error)
        return " ".join((reason or f"{type(error).__name__}: {error}").split())
    return ""


def _find(what: str) -> tuple[Registry, list[PluginRecord]]:
    if what not in {entry_point.name for entry_point in installed()} and Path(what).exists():
        return _unpacked(Path(what).resolve())
    registry = Registry()
    plugins = registry.plugins()
    names = {plugin: {plugin.name, *plugin.colorizers, *plugin.metrics} for plugin in plugins}
    found = [plugin for plugin in plugins if what in names[plugin]]
    if not found:
        hint = (
            f"{did_you_mean(what, set().union(*names.values()))} Or give the folder of a plugin that is not installed."
        )
        raise UsageError(f"Plugin not found: {what}. It is neither installed nor a path.", hint)
    return registry, found


def _unpacked(path: Path) -> tuple[Registry, list[PluginRecord]]:
    root, declared = _entry_points(path)
    sys.path.insert(0, str(root))
    registry = Registry(declared)
    return registry, registry.plugins()[-len(declared) :]


def _entry_points(path: Path) -> tuple[Path, list[EntryPoint]]:
    """Return the folder to import from, and the entry points to load."""
    if (path / "pyproject.toml").is_file():
        source = path / "src"
        return source if source.is_dir() else path, _declared(path / "pyproject.toml")
    module = path.parent if path.name == "__init__.py" else path
    if module.suffix != ".py" and not (module / "__init__.py").is_file():
        raise UsageError(f"Not a plugin: {path}.", "Choose a module, a package, or a folder with a pyproject.toml.")
    if not module.stem.isidentifier():
        raise UsageError(f"Cannot import {path}: {module.stem!r} is not a valid module name.", "Use letters and _.")
    return module.parent, [EntryPoint(module.stem, module.stem, GROUP)]


def _declared(pyproject: Path) -> list[EntryPoint]:
    import tomllib

    try:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {pyproject}: {error}.") from error
    declared = project.get("entry-points", {}).get(GROUP)
    if not declared:
        raise UsageError(
            f"{pyproject} declares no plugin.",
            f'Add a table [project.entry-points.{GROUP}] with a line such as sunset = "colorcli_sunset".',
        )
    return [EntryPoint(name, value, GROUP) for name, value in declared.items()]
