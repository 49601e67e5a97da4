"""The example of a large network from a library: the real architecture, with random weights."""

import json
from pathlib import Path
from shutil import copytree

import pytest
import torch
from PIL import Image

from tests.third_party.installing import install, python

pytest.importorskip("spandrel_extra_arches", reason="the example's library is not installed")

DDCOLOR = Path(__file__).parents[2] / "docs" / "examples" / "colorcli-ddcolor"
RANDOM_WEIGHTS = """
import torch
from colorcli_ddcolor import DDColor

torch.manual_seed(0)
torch.save(DDColor().build().state_dict(), "pytorch_model.bin")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(DDCOLOR, tmp_path_factory.mktemp("ddcolor"))


def test_its_module_has_less_than_80_lines():
    assert len((DDCOLOR / "colorcli_ddcolor.py").read_text().splitlines()) < 80


def test_its_own_tests_pass(installed, tmp_path):
    tests = copytree(DDCOLOR / "tests", tmp_path / "tests")
    others = ["-k", "not TestDDColor"]  # which is the suite that `plugins check` runs below
    done = python(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", *others, str(tests), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_it_keeps_every_promise(installed):
    done = python(installed, "-m", "colorcli", "plugins", "check", "ddcolor", "--side", "64", "--json")
    assert [verdict for verdict in json.loads(done.stdout) if not verdict["kept"]] == []
    assert done.returncode == 0


def test_a_file_in_the_published_layout_colors_a_photograph(installed, tmp_path):
    assert python(installed, "-c", RANDOM_WEIGHTS, cwd=tmp_path).returncode == 0
    Image.linear_gradient("L").resize((60, 80)).save(tmp_path / "photo.png")
    command = ["-m", "colorcli", "run", "--model", "ddcolor", "--weights", "pytorch_model.bin", "photo.png"]
    done = python(installed, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    with Image.open(tmp_path / "photo-color.png") as colored:
        assert (colored.mode, colored.size) == ("RGB", (60, 80))


def test_a_file_of_another_network_is_refused(installed, tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    Image.new("L", (8, 8)).save(tmp_path / "photo.png")
    command = ["-m", "colorcli", "run", "--model", "ddcolor", "--weights", "pytorch_model.bin", "photo.png"]
    done = python(installed, *command, cwd=tmp_path)
    assert done.returncode == 1
    assert "pytorch_model.bin does not fit the network of ddcolor" in done.stderr
