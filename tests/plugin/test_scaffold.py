"""A new plugin is a whole distribution that works as it is."""

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
from PIL import Image

from colorcli import API_VERSION
from colorcli.errors import UsageError
from colorcli.plugin.scaffold import write_plugin

ROOT = Path(__file__).parents[2]
SUNSET = ROOT / "tests" / "third_party" / "colorcli-sunset"


def files(folder):
    """The files by name, without what tools have left there."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(name): path for name, path in found.items() if "cache" not in str(name)}


def test_it_has_a_module_a_test_a_readme_a_ci_and_what_installs_it(tmp_path):
    assert set(files(write_plugin("night-sky", tmp_path / "plugin"))) == {
        ".github/workflows/ci.yml",
        ".gitignore",
        "README.md",
        "colorcli_night_sky.py",
        "pyproject.toml",
        "tests/test_night_sky.py",
    }


def test_its_entry_point_has_the_name_that_was_given(tmp_path):
    folder = write_plugin("night-sky", tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "colorcli-night-sky"
    assert project["entry-points"]["colorcli"] == {"night-sky": "colorcli_night_sky"}


def test_its_module_says_which_api_it_is_written_for(tmp_path):
    source = (write_plugin("night-sky", tmp_path) / "colorcli_night_sky.py").read_text()
    assert f"\ncolorcli_api = {API_VERSION}  #" in source
    assert "\nclass NightSky(Colorizer):" in source


def test_nothing_of_the_template_is_left(tmp_path):
    for path in files(write_plugin("night-sky", tmp_path)).values():
        text = path.read_text()
        assert not {"{{", "{%"} & set(text.split())
        if path.suffix == ".py":
            ast.parse(text)


KINDS = {"plain": {}, "trainable": {"trainable": True}, "metric": {"metric": True}}
KINDS["both"] = KINDS["trainable"] | KINDS["metric"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_clean_by_its_own_linter(tmp_path, kind):
    folder = write_plugin("night-sky", tmp_path, **KINDS[kind])
    for command in ["check"], ["format", "--check"]:
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["sunset", "a", "b2", "night-sky", "night_sky", "none-at-all"])
def test_names_that_can_be_typed_and_imported_are_accepted(name, tmp_path):
    (module,) = write_plugin(name, tmp_path).glob("colorcli_*.py")
    assert module.stem.isidentifier()


@pytest.mark.parametrize(
    "name", ["", "Sunset", "sun set", "2suns", "-sun", "sun-", "sun--set", "sun.set", "söl", "../a"]
)
def test_other_names_are_refused(name, tmp_path):
    with pytest.raises(UsageError, match="A colorizer's name must be"):
        write_plugin(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["none", "true", "colorizer", "tensor"])
def test_names_whose_class_would_mean_something_else_are_refused(name, tmp_path):
    with pytest.raises(UsageError, match="which already has a meaning"):
        write_plugin(name, tmp_path)


def test_a_name_that_is_taken_is_refused(tmp_path):
    with pytest.raises(UsageError, match="The name zhang is taken by colorcli"):
        write_plugin("zhang", tmp_path)


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "LICENSE").write_text("mine, too")
    with pytest.raises(UsageError, match=r"README\.md already exists; nothing is overwritten"):
        write_plugin("sunset", tmp_path)
    assert set(files(tmp_path)) == {"README.md", "LICENSE"}
    (tmp_path / "README.md").unlink()
    write_plugin("sunset", tmp_path)
    assert (tmp_path / "LICENSE").read_text() == "mine, too"


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"Cannot write .*pyproject\.toml: "):
        write_plugin("sunset", tmp_path / "file")


def test_the_sunset_is_what_was_written_with_another_module(tmp_path):
    """`tests/third_party/colorcli-sunset` is where the tutorial arrives, and this is where it begins."""
    written, sunset = files(write_plugin("sunset", tmp_path)), files(SUNSET)
    assert set(written) == set(sunset)
    differing = {name for name in written if written[name].read_text() != sunset[name].read_text()}
    assert differing == {"colorcli_sunset.py"}


def test_a_trainable_one_is_a_package_with_a_recipe_and_a_folder_for_weights(tmp_path):
    assert set(files(write_plugin("night-sky", tmp_path, trainable=True))) == {
        ".github/workflows/ci.yml",
        ".gitignore",
        "README.md",
        "colorcli_night_sky/__init__.py",
        "colorcli_night_sky/recipe.py",
        "colorcli_night_sky/recipes/default.toml",
        "colorcli_night_sky/weights/README.md",
        "pyproject.toml",
        "tests/test_night_sky.py",
    }


def test_one_with_a_metric_is_a_package_that_registers_it(tmp_path):
    written = files(write_plugin("night-sky", tmp_path, metric=True))
    assert "colorcli_night_sky/metric.py" in written
    assert "register(NightSkyChroma())" in written["colorcli_night_sky/__init__.py"].read_text()
    assert tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"] == {
        "packages": ["colorcli_night_sky"]
    }


def run(folder, *args):
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLORCLI_PLUGINS": ""}
    done = subprocess.run(
        [sys.executable, "-m", *args], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["trainable", "metric", "both"])
def test_it_keeps_every_promise(tmp_path, kind):
    write_plugin("night-sky", tmp_path, **KINDS[kind])
    verdicts = json.loads(run(tmp_path, "colorcli", "plugins", "check", str(tmp_path), "--json"))
    assert [verdict for verdict in verdicts if not verdict["kept"]] == []
    assert ("night-sky-chroma" in {verdict["name"] for verdict in verdicts}) is ("metric" in KINDS[kind])


def test_a_trainable_one_is_trained_and_its_weights_are_used_and_bundled(tmp_path):
    """What a newcomer does: install, train, use the weights, bundle them as the README in the folder says."""
    folder = write_plugin("night-sky", tmp_path / "project", trainable=True, metric=True)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(8):
        noise = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(np.kron(noise, np.ones((20, 20, 1), np.uint8))).save(photos / f"{number}.png")
    info = folder / "colorcli_night_sky-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: colorcli-night-sky\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[colorcli]\nnight-sky = colorcli_night_sky\n")
    recipe = folder / "colorcli_night_sky" / "recipes" / "default.toml"
    quick = recipe.read_text().replace("epochs = 20", "epochs = 1").replace("[[0.0, 96], [0.5, 128]]", "[[0.0, 32]]")
    recipe.write_text(quick.replace("batch_size = 16", "batch_size = 4"))
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLORCLI_PLUGINS": "night-sky"}

    def colorcli(*args):
        done = subprocess.run(
            [sys.executable, "-m", "colorcli", *args],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    colorcli("train", "night-sky", "photos", "--recipe", "default", "-o", "runs/default", "--device", "cpu")
    colorcli("run", "--model", "night-sky", "--weights", "runs/default/best.safetensors", "photos/0.png")
    weights = folder / "colorcli_night_sky" / "weights"
    copy(tmp_path / "runs/default/best.safetensors", weights / "default.safetensors")
    commands = (weights / "README.md").read_text()
    sed = next(line.strip() for line in commands.splitlines() if line.strip().startswith("sed "))
    sed = sed.replace("runs/default/best.toml", str(tmp_path / "runs/default/best.toml"))
    subprocess.run(["bash", "-c", sed], cwd=weights, check=True)
    (model,) = json.loads(colorcli("models", "--json"))
    assert [(each["name"], each["here"]) for each in model["weights"]] == [("night-sky.default", True)]
    colorcli("run", "--model", "night-sky.default", "photos/1.png")
    assert "chroma" in colorcli("evaluate", "night-sky", "photos", "--metrics", "night-sky-chroma", "--size", "32")
