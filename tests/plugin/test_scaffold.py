"""A new plugin is a whole distribution that works as it is."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from colorcli import API_VERSION
from colorcli.errors import UsageError
from colorcli.plugin.scaffold import write_plugin

ROOT = Path(__file__).parents[2]
SUNSET = ROOT / "tests" / "third_party" / "colorcli-sunset"


def files(folder):
    """By name, without what tools have left there."""
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
        assert "$" not in text
        if path.suffix == ".py":
            ast.parse(text)


def test_it_is_clean_by_its_own_linter(tmp_path):
    folder = write_plugin("night-sky", tmp_path)
    for command in ["check"], ["format", "--check"]:
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["sunset", "a", "b2", "night-sky", "night_sky", "none-at-all"])
def test_names_that_can_be_typed_and_imported_are_taken(name, tmp_path):
    (module,) = write_plugin(name, tmp_path).glob("colorcli_*.py")
    assert module.stem.isidentifier()


@pytest.mark.parametrize(
    "name", ["", "Sunset", "sun set", "2suns", "-sun", "sun-", "sun--set", "sun.set", "söl", "../a"]
)
def test_other_names_are_refused(name, tmp_path):
    with pytest.raises(UsageError, match="cannot be the name of a colorizer"):
        write_plugin(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["none", "true", "colorizer", "tensor"])
def test_names_whose_class_would_mean_something_else_are_refused(name, tmp_path):
    with pytest.raises(UsageError, match="which means something else"):
        write_plugin(name, tmp_path)


def test_a_name_that_is_taken_is_refused(tmp_path):
    with pytest.raises(UsageError, match="The name zhang is taken by colorcli"):
        write_plugin("zhang", tmp_path)


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "LICENSE").write_text("mine, too")
    with pytest.raises(UsageError, match=r"README\.md is there already, and nothing is overwritten"):
        write_plugin("sunset", tmp_path)
    assert set(files(tmp_path)) == {"README.md", "LICENSE"}
    (tmp_path / "README.md").unlink()
    write_plugin("sunset", tmp_path)
    assert (tmp_path / "LICENSE").read_text() == "mine, too"


def test_a_folder_that_cannot_be_one_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"pyproject\.toml cannot be written: "):
        write_plugin("sunset", tmp_path / "file")


def test_the_sunset_is_what_was_written_with_another_module(tmp_path):
    """`tests/third_party/colorcli-sunset` is where the tutorial arrives, and this is where it begins."""
    written, sunset = files(write_plugin("sunset", tmp_path)), files(SUNSET)
    assert set(written) == set(sunset)
    differing = {name for name in written if written[name].read_text() != sunset[name].read_text()}
    assert differing == {"colorcli_sunset.py"}
