"""Where a colorizer comes from: its distribution, and a digest of its source.

Outputs record the digest, so that a picture made by another plugin, another version or code that was edited since is
not mistaken for up to date.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from colorcli.colorizer import Colorizer

GROUP = "colorcli"  # group of the entry points
_UNNAMED = "a distribution without a name"


@dataclass(frozen=True)
class Origin:
    """The distribution that provides a plugin; empty for one that is not installed."""

    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


def origin_of(colorizer: Colorizer) -> Origin:
    """Find the distribution whose entry point names the package of a colorizer's class."""
    packages = set(_packages(colorizer))
    for entry_point in installed():
        if entry_point.value.partition(":")[0].strip().partition(".")[0] in packages:
            return provider(entry_point)
    return Origin()


def installed() -> Sequence[EntryPoint]:
    """Return the entry points of all installed plugins; distributions whose files are damaged are left out.

    Every installed distribution is read, so the result is kept until a folder on Python's path changes.
    """
    return _installed(tuple((place, _last_change(place)) for place in sys.path))


@lru_cache(maxsize=1)
def _installed(_places: tuple[tuple[str, int], ...]) -> Sequence[EntryPoint]:
    try:
        return tuple(entry_points(group=GROUP))
    except Exception:  # one damaged distribution, of any program, and Python lists none
        return tuple(_of_intact_distributions())


def _last_change(place: str) -> int:
    """Return when files were last added to a folder or removed from it; 0 if it does not exist."""
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


def _of_intact_distributions() -> Iterator[EntryPoint]:
    seen = set()
    for distribution in distributions():
        with contextlib.suppress(Exception):
            found = list(distribution.entry_points.select(group=GROUP))
            if found and distribution.name not in seen:
                seen.add(distribution.name)
                yield from found


def provider(entry_point: EntryPoint) -> Origin:
    """Return the distribution that declares an entry point, even if an uninstallation has left only half of it."""
    return Origin() if entry_point.dist is None else _origin(entry_point.dist)


@lru_cache  # a distribution may have many entry points
def _origin(distribution: Distribution) -> Origin:
    metadata: Any = distribution.metadata  # typed as if nothing could be missing
    return Origin(metadata.get("Name") or _UNNAMED, metadata.get("Version") or "")


def digest(colorizer: Colorizer) -> str:
    """Digest the name, distribution, version and source of a colorizer: 64 hexadecimal digits.

    The source is every Python file of the package that its class is defined in, or the module; in a project's folder
    also those beside it. Files are read again for each call.
    """
    origin = origin_of(colorizer)
    facts = [colorizer.name, origin.distribution, origin.version]
    for package in _packages(colorizer):
        facts += [f"{path.name} {_hash(path)}" for path in _source(package)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _packages(colorizer: Colorizer) -> list[str]:
    """Name the top-level packages or modules of its class and the classes that this one inherits from."""
    modules = [kind.__module__.partition(".")[0] for kind in type(colorizer).__mro__]
    return [name for name in dict.fromkeys(modules) if name not in {"colorcli", "abc", "builtins"}]


def _source(package: str) -> list[Path]:
    module = sys.modules.get(package)
    if module is None or not getattr(module, "__file__", None):
        return []
    file = Path(str(module.__file__))
    found = {file} if file.name != "__init__.py" else set(file.parent.rglob("*.py"))
    home = file.parent.parent if file.name == "__init__.py" else file.parent
    if any((folder / "pyproject.toml").is_file() for folder in (home, *([home.parent] if home.name == "src" else []))):
        found.update(_beside(home))
    return sorted(path for path in found if path.suffix == ".py" and path.is_file())


def _beside(home: Path) -> Iterator[Path]:
    """Find the modules and packages of a project, except its tests."""
    for path in home.iterdir():
        if path.suffix == ".py":
            yield path
        elif path.name != "tests" and (path / "__init__.py").is_file():
            yield from path.rglob("*.py")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
