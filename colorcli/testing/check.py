"""Whether a plugin keeps its promises: `colorcli.testing.ColorizerSuite`, run without pytest.

A plugin is named by what is installed, or by where it lies: a module, a package, or a distribution's folder.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli.errors import ColorcliError, UsageError, did_you_mean
from colorcli.isolation.origin import GROUP
from colorcli.plugin.registry import Registry
from colorcli.testing import ColorizerSuite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from colorcli.colorizer import Colorizer, Weights
    from colorcli.plugin.registry import PluginRecord

_PROMISES = [name for name in vars(ColorizerSuite) if name.startswith("test_")]


@dataclass(frozen=True)
class Verdict:
    """Whether one promise is kept."""

    name: str  # of the colorizer; of the plugin where it is about the plugin as a whole
    promise: str  # a sentence
    kept: bool
    why: str  # it is broken; empty where it is kept


class Check:
    """All that there is to find out about a plugin.

    Args:
        what: the name of an installed plugin or colorizer, or the path of a module, package or distribution.
        side: of the squares that its networks are tried on; None = what the weights, or else the colorizer, say.

    Raises:
        UsageError: there is no such plugin, or the path holds none.
    """

    def __init__(self, what: str, side: int | None = None) -> None:
        if not __debug__:
            raise UsageError("Promises are checked by assertions, which are off.", "Run Python without -O.")
        self._side = side
        self._registry, self._plugins = _find(what)

    def __len__(self) -> int:
        """How many verdicts there will be."""
        return sum(1 + len(plugin.colorizers) * len(_PROMISES) for plugin in self._plugins)

    def verdicts(self) -> Iterator[Verdict]:
        """Try every promise, one after another; none that is broken stops the others."""
        for plugin in self._plugins:
            why = "; ".join(plugin.errors)
            if not plugin.colorizers and not plugin.metrics and not why:
                why = "it registers no colorizer"
            yield Verdict(plugin.name, "the plugin loads and registers its colorizers", not why, why)
            for name in plugin.colorizers:
                for promise, test in _promises_of(self._registry.get(name), self._side):
                    why = _broken_by(test)
                    yield Verdict(name, promise, not why, why)


def _promises_of(colorizer: Colorizer, side: int | None) -> Iterator[tuple[str, Callable[[], None]]]:
    """Give each promise with its test: of the network that people use here, and of the recipe that made it."""
    from colorcli.weights import is_local

    tag = next((tag for tag, weights in colorizer.weights.items() if is_local(weights)), None)
    used, trained = (_used(colorizer.weights[tag]), _trained(colorizer, tag)) if tag else ({}, {})
    for name in _PROMISES:
        tried = {"colorizer": colorizer, **(trained if "training" in name else used)}
        suite = type("Suite", (ColorizerSuite,), {**tried, "side": side or tried.get("side")})()
        yield name.removeprefix("test_").replace("_", " "), getattr(suite, name)


def _used(weights: Weights) -> dict[str, Any]:
    return {"small": weights.network, "side": weights.input_size}


def _trained(colorizer: Colorizer, tag: str) -> dict[str, Any]:
    """Read the recipe of that name; of one in stages, the last."""
    path = colorizer.recipe_folder / f"{tag}.toml" if colorizer.recipe_folder else None
    if path is None or not path.is_file():
        return {}
    from colorcli.training.recipes import read_recipe

    recipe = read_recipe(path)
    if recipe.stages:
        recipe = recipe.stages[-1].file
    return {"small": recipe.network, "settings": recipe.recipe, "side": recipe.training.sizes[-1][1]}


def _broken_by(test: Callable[[], None]) -> str:
    try:
        test()
    except (Exception, SystemExit) as error:  # whatever a plugin does, it is told and the next promise tried
        said = isinstance(error, (AssertionError, ColorcliError)) and str(error)
        return " ".join((said or f"{type(error).__name__}: {error}").split())
    return ""


def _find(what: str) -> tuple[Registry, list[PluginRecord]]:
    installed = {entry_point.name for entry_point in entry_points(group=GROUP)}
    if what not in installed and Path(what).exists():
        return _unpacked(Path(what).resolve())
    registry = Registry()
    plugins = registry.plugins()
    found = [plugin for plugin in plugins if what == plugin.name or what in plugin.colorizers]
    if not found:
        known = {name for plugin in plugins for name in (plugin.name, *plugin.colorizers)}
        raise UsageError(f"There is no plugin {what!r}, neither installed nor as a path.", did_you_mean(what, known))
    return registry, found


def _unpacked(path: Path) -> tuple[Registry, list[PluginRecord]]:
    root, declared = _entry_points(path)
    sys.path.insert(0, str(root))
    registry = Registry(declared)
    return registry, registry.plugins()[-len(declared) :]


def _entry_points(path: Path) -> tuple[Path, list[EntryPoint]]:
    """Say where Python has to look, and what it finds there."""
    if (path / "pyproject.toml").is_file():
        source = path / "src"
        return source if source.is_dir() else path, _declared(path / "pyproject.toml")
    module = path.parent if path.name == "__init__.py" else path
    if module.suffix != ".py" and not (module / "__init__.py").is_file():
        raise UsageError(f"{path} is no plugin.", "Give a module, a package, or a folder with a pyproject.toml.")
    if not module.stem.isidentifier():
        raise UsageError(f"{path} cannot be imported: {module.stem!r} is no name of a module.", "Use letters and _.")
    return module.parent, [EntryPoint(module.stem, module.stem, GROUP)]


def _declared(pyproject: Path) -> list[EntryPoint]:
    import tomllib

    try:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError) as error:
        raise UsageError(f"{pyproject} cannot be read: {error}.") from error
    declared = project.get("entry-points", {}).get(GROUP)
    if not declared:
        raise UsageError(
            f"{pyproject} declares no plugin.",
            f'Name its module: a table [project.entry-points.{GROUP}], and in it sunset = "colorcli_sunset".',
        )
    return [EntryPoint(name, value, GROUP) for name, value in declared.items()]
