"""Imports go one way, and what begins with an underscore stays in its module."""

from __future__ import annotations

import ast
import graphlib
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.documentation import ROOT, blocks

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = [path for base in (ROOT, ROOT / "plugins") for path in sorted(base.glob("colorcli*/**/*.py"))]

# The packages and modules of the host, as docs/architecture.md orders them: each imports only from the lines above it.
LAYERS = [set(line.split()) for line in blocks(ROOT / "docs" / "architecture.md")[1].text.splitlines()]
ROOMS = {room for layer in LAYERS for room in layer}

# What a built-in plugin imports, as anyone's plugin may.
PUBLIC = {
    "colorcli",
    "colorcli.color",
    "colorcli.encoders",
    "colorcli.errors",
    "colorcli.surfaces",
    "colorcli.testing",
    "colorcli.training.optimization",
}


@dataclass(frozen=True)
class Import:
    """One name that a module imports from another module of the project."""

    importer: str
    module: str
    name: str  # empty for `import module`
    where: str
    private: bool
    only_types: bool  # under `if TYPE_CHECKING:`

    @property
    def rooms(self) -> tuple[str, str]:
        return room(self.importer), room(self.module)


def module_name(path: Path) -> str:
    relative = path.relative_to(ROOT / "plugins" if path.is_relative_to(ROOT / "plugins") else ROOT)
    return ".".join(relative.with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in SOURCES}


def room(module: str) -> str:
    """The top-level module or package of the host, or the package of a plugin."""
    package, _, rest = module.partition(".")
    return (rest.partition(".")[0] or package) if package == "colorcli" else package


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def imports_of(path: Path) -> list[Import]:
    found = []
    importer = module_name(path) if path in SOURCES else ""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    checks = [node for node in nodes if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    typing = {id(node) for check in checks for node in ast.walk(check)}
    for node in nodes:
        if isinstance(node, ast.Import):
            pairs = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import"
            pairs = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, name in pairs:
            full = f"{module}.{name}"
            target, rest = (full, "") if full in MODULES else (module, name)
            if target.partition(".")[0].startswith("colorcli"):
                private = any(map(is_private, full.split(".")))
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                found.append(Import(importer, target, rest, where, private, id(node) in typing))
    return found


IMPORTS = [each for path in SOURCES for each in imports_of(path)]


def test_every_room_has_a_place_in_the_order():
    host = {room(module) for module in MODULES if module.startswith("colorcli.")}
    assert host - {"__main__"} == ROOMS


def test_a_room_imports_only_from_rooms_below_it():
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    wrong = []
    for each in IMPORTS:
        importer, imported = each.rooms
        if importer in level and importer != imported and not level.get(imported, len(LAYERS)) < level[importer]:
            wrong.append(f"{each.where}: {importer} imports {imported}")
    assert wrong == []


def test_nothing_in_the_host_imports_the_package_itself():
    """`import colorcli` is for outsiders; inside, a name is imported from the module that defines it."""
    assert [each.where for each in IMPORTS if room(each.importer) in ROOMS and each.module == "colorcli"] == []


def test_no_file_has_more_than_400_lines():
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in MODULES.items()}
    assert {module: length for module, length in lengths.items() if length > 400} == {}


def test_modules_of_one_room_import_each_other_one_way():
    graph = defaultdict(set)
    for each in IMPORTS:
        importer, imported = each.rooms
        if importer == imported and not each.only_types:
            graph[each.importer].add(each.module)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_built_in_plugins_import_only_public_names():
    wrong = []
    for each in IMPORTS:
        importer, imported = each.rooms
        if importer.startswith("colorcli_") and not imported.startswith("colorcli_") and each.module not in PUBLIC:
            wrong.append(f"{each.where}: {each.module}")
    assert wrong == []


@pytest.mark.parametrize("page", ["architecture.md", "plugin-hooks.md"])
def test_the_public_modules_are_those_that_the_documentation_lists(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (listed,) = re.findall(r"(?:plugins import|plugin imports) only ([^.]*(?:\.\w[^.]*)*)\.\s", text, re.IGNORECASE)
    assert set(re.findall(r"`(colorcli[\w.]*)`", listed)) == PUBLIC


def test_plugins_depend_on_each_other_one_way():
    graph = defaultdict(set)
    for each in IMPORTS:
        importer, imported = each.rooms
        if importer.startswith("colorcli_") and imported.startswith("colorcli_") and importer != imported:
            graph[importer].add(imported)
    graphlib.TopologicalSorter(graph).prepare()


def test_no_private_name_is_imported():
    tests = [each for path in sorted((ROOT / "tests").rglob("*.py")) for each in imports_of(path)]
    assert [f"{each.where}: {each.module} {each.name}" for each in [*IMPORTS, *tests] if each.private] == []
