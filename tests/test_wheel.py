"""The wheel, installed elsewhere, does everything that the checkout does, without the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from PIL import Image

from colorcli.plugin.registry import Registry

ROOT = Path(__file__).parents[1]
SUNSET = ROOT / "tests" / "third_party" / "colorcli-sunset"


def build(source: Path, folder: Path) -> Path:
    """Build the wheel of a source tree offline."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel]
    subprocess.run(command, check=True, capture_output=True)
    return folder


class Installed:
    """colorcli in its own folders, run from a working folder outside the checkout."""

    def __init__(self, folders: list[Path], here: Path) -> None:
        self.here = here
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "COLORCLI_"))},
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(here / "hub"),
            "XDG_CACHE_HOME": str(here / "cache"),
            "XDG_CONFIG_HOME": str(here / "config"),
        }

    def python(self, *args: str) -> str:
        """Run Python and return what it prints."""
        done = subprocess.run(
            [sys.executable, *args], env=self._environment, cwd=self.here, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def colorcli(self, *args: str) -> str:
        return self.python("-m", "colorcli", *args)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def target(wheel, tmp_path_factory):
    return install(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def sunset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sunset")
    source = copytree(SUNSET, folder / "source", ignore=ignore_patterns("__pycache__", ".*"))
    return install(build(source, folder / "dist"), folder / "installed")


@pytest.fixture
def here(tmp_path):
    Image.linear_gradient("L").resize((60, 80)).save(tmp_path / "photo.jpg")
    return tmp_path


@pytest.fixture
def installed(target, here):
    return Installed([target], here)


def test_no_module_is_imported_from_the_checkout(installed):
    program = """
import sys
from colorcli.cli import main
assert main(["run", "photo.jpg"]) == 0
print(*(module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)), sep="\\n")
"""
    files = [Path(line) for line in installed.python("-c", program).splitlines()]
    assert [file for file in files if file.is_relative_to(ROOT) and ".venv" not in file.parts] == []
    assert len([file for file in files if file.parent.name == "colorcli_zhang"]) > 1
    with Image.open(installed.here / "photo-color.jpg") as colored:
        assert (colored.mode, colored.size) == ("RGB", (60, 80))


def test_every_colorizer_and_its_weights_are_installed(installed):
    models = {model["name"]: model["weights"] for model in json.loads(installed.colorcli("models", "--json"))}
    ours = [plugin for plugin in Registry().plugins() if plugin.distribution == "colorcli"]
    assert sorted(models) == sorted(name for plugin in ours for name in plugin.colorizers)
    for name, weights in models.items():
        assert any(each["bundled"] for each in weights) == (name not in {"ddcolor", "siggraph17"})
        assert all(each["here"] == each["bundled"] for each in weights)


def test_every_plugin_is_found_and_none_is_broken(installed):
    plugins = json.loads(installed.colorcli("plugins", "--json"))
    assert plugins
    assert all(plugin["colorizers"] and not plugin["errors"] for plugin in plugins)


def test_every_recipe_is_installed(installed):
    listed = {tuple(line.split()[:2]) for line in installed.colorcli("train", "--list").splitlines()}
    colorizers = Registry().colorizers()
    folders = {name: each.recipe_folder for name, each in colorizers.items() if each.recipe_folder}
    assert listed == {(name, path.stem) for name, folder in folders.items() for path in folder.glob("*.toml")}


def test_the_script_is_installed(target, installed):
    assert installed.python(str(target / "bin" / "colorcli"), "--version").startswith("colorcli ")


def test_a_separately_installed_plugin_works(target, sunset, here):
    both = Installed([target, sunset], here)
    (row,) = map(json.loads, both.colorcli("run", "--model", "sunset", "--json", "photo.jpg").splitlines())
    assert row["model"] == "sunset"
    with Image.open(here / row["output"]) as colored:
        shadow, light = (colored.convert("RGB").getpixel((30, row)) for row in (20, 60))
    assert shadow[2] > shadow[0], "blue"
    assert light[0] > light[2], "orange"


def test_a_separately_installed_plugin_passes_the_conformance_suite(target, sunset, here):
    verdicts = json.loads(Installed([target, sunset], here).colorcli("plugins", "check", "sunset", "--json"))
    assert verdicts
    assert [verdict for verdict in verdicts if not verdict["kept"]] == []


def test_the_templates_of_a_new_plugin_are_installed(installed):
    installed.colorcli("plugins", "new", "night-sky")
    written = {str(path.relative_to(installed.here)) for path in installed.here.rglob("*") if path.is_file()}
    assert {
        f"colorcli-night-sky/{name}" for name in ("pyproject.toml", "colorcli_night_sky.py", "README.md")
    } < written


def test_the_wheel_contains_the_packages_and_licenses_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        facts = Parser().parsestr(archive.read(metadata).decode())
    information = metadata.partition("/")[0]
    packages = {"colorcli", *(path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists())}
    assert {name.partition("/")[0] for name in names} == {*packages, information}
    assert {f"{information}/licenses/LICENSE", f"{information}/licenses/NOTICE"} <= set(names)
    assert "colorcli/py.typed" in names
    assert not [name for name in names if "__pycache__" in name]
    assert facts["License-Expression"] == "Apache-2.0"
    assert not [need for need in facts.get_all("Requires-Dist") if "@" in need]
