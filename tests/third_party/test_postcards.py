"""The example that extends a built-in colorizer, with random weights."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.third_party.installing import install, python

pytest.importorskip("spandrel_extra_arches", reason="the extra ddcolor is not installed")

POSTCARDS = Path(__file__).parents[2] / "docs" / "examples" / "colorcli-postcards"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(POSTCARDS, tmp_path_factory.mktemp("postcards"))


def test_its_module_has_fewer_than_40_lines():
    assert len((POSTCARDS / "colorcli_postcards.py").read_text().splitlines()) < 40


def test_it_keeps_every_promise(installed):
    done = python(installed, "-m", "colorcli", "plugins", "check", "postcards", "--side", "64", "--json")
    assert [verdict for verdict in json.loads(done.stdout) if not verdict["kept"]] == []
    assert done.returncode == 0


def test_a_file_in_the_published_layout_colors_a_photograph(installed, tmp_path):
    program = (
        "import torch; from colorcli_postcards import Postcards; torch.manual_seed(0);"
        "torch.save(Postcards().build().state_dict(), 'pytorch_model.bin')"
    )
    assert python(installed, "-c", program, cwd=tmp_path).returncode == 0
    Image.linear_gradient("L").resize((60, 80)).save(tmp_path / "photo.png")
    command = ["-m", "colorcli", "run", "--model", "postcards", "--weights", "pytorch_model.bin", "photo.png"]
    done = python(installed, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    with Image.open(tmp_path / "photo-color.png") as colored:
        assert (colored.mode, colored.size) == ("RGB", (60, 80))


def test_a_file_of_another_network_is_refused(installed, tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    Image.new("L", (8, 8)).save(tmp_path / "photo.png")
    command = ["-m", "colorcli", "run", "--model", "postcards", "--weights", "pytorch_model.bin", "photo.png"]
    done = python(installed, *command, cwd=tmp_path)
    assert done.returncode == 1
    assert "pytorch_model.bin does not fit the network of postcards" in done.stderr
