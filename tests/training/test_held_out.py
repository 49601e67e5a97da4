import contextlib
import itertools
import json

import pytest

from colorcli.errors import UsageError
from colorcli.media.photographs import find_photographs
from colorcli.training.held_out import colorizer_of, held_out
from colorcli.training.loop import train
from colorcli.training.recipes import read_recipe
from colorcli.training.selection import split
from colorcli_zhang import Zhang
from tests.training.photographs import TINY, picture, write_photographs, write_recipe

STEPS = 3


def run(folder, data, text):
    recipe = read_recipe(write_recipe(folder / "tiny.toml", text))
    with contextlib.closing(train(Zhang(), recipe, data, folder / "run", device="cpu", precision="fp32")) as steps:
        list(itertools.islice(steps, STEPS))
    return folder / "run"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = write_photographs(tmp_path_factory.mktemp("data") / "photographs", 60)
    picture(0).convert("L").save(folder / "gray.jpg")
    return folder


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    text = TINY.replace("workers = 0", "workers = 0\nsplit = [60, 20, 20]").replace("epochs = 2", "epochs = 1")
    return run(tmp_path_factory.mktemp("held-out"), data, text)


def test_the_held_out_photographs_are_those_that_the_run_did_not_learn_from(folder, data):
    usable = [photograph for photograph in find_photographs(data) if photograph.name != "gray.jpg"]
    parts = split(usable, (60.0, 20.0, 20.0))
    assert held_out(folder, "test") == parts.test
    assert held_out(folder, "validation") == parts.validation
    assert not set(held_out(folder, "test")) & set(parts.training)


def test_the_colorizer_of_a_run_is_known(folder):
    assert colorizer_of(folder) == "zhang"


def test_a_recipe_without_a_split_has_no_test_photographs(data, tmp_path):
    plain = run(tmp_path, data, TINY)
    assert held_out(plain, "validation")
    with pytest.raises(UsageError, match="no test split") as found:
        held_out(plain, "test")
    assert "--part validation" in found.value.hint


def test_changed_photographs_are_an_error(tmp_path):
    data = write_photographs(tmp_path / "photographs", 60)
    folder = run(tmp_path, data, TINY)
    (data / "001.jpg").unlink()
    with pytest.raises(UsageError, match="have changed since the run"):
        held_out(folder, "validation")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not the folder of a training run"),
        ("{", "cannot be read"),
        ("{}", "does not describe a training run"),
    ],
)
def test_another_folder_is_an_error(tmp_path, content, said):
    if content:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(UsageError, match=said):
        held_out(tmp_path, "test")


def test_the_folder_of_a_run_in_stages_names_its_stages(tmp_path):
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "run.json").write_text(json.dumps({"colorizer": "pix2pix", "data": "", "recipe": {}}))
    with pytest.raises(UsageError) as found:
        held_out(tmp_path, "test")
    assert str(tmp_path / "people") in found.value.hint


def test_a_run_without_a_checkpoint_is_an_error(folder, tmp_path):
    (tmp_path / "run.json").write_text((folder / "run.json").read_text())
    with pytest.raises(UsageError, match="has no checkpoint yet"):
        held_out(tmp_path, "test")
