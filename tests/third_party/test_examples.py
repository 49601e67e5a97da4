"""The examples in docs/examples that need only colorcli: installed, checked and run as users would."""

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from PIL import Image

from tests.third_party.installing import install, python

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PLUGINS = {"ownsize": "texture", "editor": "toner"}


@pytest.fixture(scope="module", params=PLUGINS)
def example(request):
    return request.param


@pytest.fixture(scope="module")
def installed(example, tmp_path_factory):
    return install(EXAMPLES / f"colorcli-{example}", tmp_path_factory.mktemp(example))


def test_its_module_is_short(example):
    module = EXAMPLES / f"colorcli-{example}" / f"colorcli_{example}.py"
    assert len(module.read_text().splitlines()) < 80


def test_it_keeps_every_promise(example, installed):
    done = python(installed, "-m", "colorcli", "plugins", "check", PLUGINS[example], "--json")
    assert [verdict for verdict in json.loads(done.stdout) if not verdict["kept"]] == []
    assert done.returncode == 0


def test_its_own_tests_pass(example, installed, tmp_path):
    tests = copytree(EXAMPLES / f"colorcli-{example}" / "tests", tmp_path / "tests")
    own = ["-k", f"not Test{PLUGINS[example].capitalize()}"]  # the suite, which `plugins check` runs above
    done = python(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", *own, str(tests), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.parametrize("size", [(60, 80), (1300, 200)])
def test_it_colors_photographs_of_any_size(example, installed, tmp_path, size):
    Image.linear_gradient("L").resize(size).save(tmp_path / "photo.png")
    done = python(installed, "-m", "colorcli", "run", "--model", PLUGINS[example], "--json", "photo.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "photo-color.png") as colored:
        assert (colored.mode, colored.size) == ("RGB", size)
        assert np.ptp(np.asarray(colored).astype(int), axis=2).max() > 5
    notes = json.loads(done.stdout).get("notes", {})
    assert ("lightness drift" in notes) is (example == "editor")
