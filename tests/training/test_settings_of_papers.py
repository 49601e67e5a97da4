"""Settings that the papers need: flip, gray photographs, the whole set surveyed, every epoch kept, another gray."""

import contextlib
from itertools import pairwise

import numpy as np
import pytest
import torch

from colorcli.color import gray_to_lightness
from colorcli.errors import UsageError
from colorcli.media.photographs import find_photographs
from colorcli.plugin.registry import Registry
from colorcli.training.data import Crop, Photographs, as_batch
from colorcli.training.loop import train
from colorcli.training.recipes import read_recipe
from colorcli.training.selection import find_unusable
from colorcli_zhang import Zhang
from colorcli_zhang.recipe import ZhangRecipe
from tests.training.photographs import TINY, picture, write_photographs, write_recipe


def with_settings(path, settings):
    return write_recipe(path, TINY.replace("[training]\n", f"[training]\n{settings}\n"))


@pytest.mark.paper("all", "flip")
def test_photographs_are_mirrored_only_with_flip(tmp_path):
    picture(0).save(tmp_path / "a.png")
    found = find_photographs(tmp_path)
    crops = [Crop(0, 32, seed) for seed in range(8)]
    for flip, different in ((True, 2), (False, 1)):
        pictures = Photographs(found, flip=flip)
        assert len({tuple(pictures[crop][0].flatten().tolist()) for crop in crops}) == different


@pytest.mark.paper("all", "keep_gray")
def test_gray_photographs_can_be_kept(tmp_path):
    """Utrecht excluded none."""
    picture(0).convert("L").save(tmp_path / "gray.png")
    (tmp_path / "broken.png").write_text("no picture")
    found = find_photographs(tmp_path)
    assert find_unusable(found, 0, keep_gray=True) == {"broken.png": "cannot be read"}
    assert set(find_unusable(found, 0)) == {"broken.png", "gray.png"}


@pytest.mark.parametrize(
    ("survey", "photographs", "side"), [("survey = 0", 38, 32), ("survey = 10", 10, 128), ("", 38, 128)]
)
@pytest.mark.paper("all", "gamut and prior of the whole training set")
def test_the_gamut_and_the_prior_are_those_of_the_surveyed_photographs(
    tmp_path, monkeypatch, survey, photographs, side
):
    """Liège: all the colors in the data; Rome: the empirical probability of the full training set."""
    counted = []

    def count(self, colors, categories):
        counted.extend(tuple(each.shape) for each in colors)
        raise UsageError("surveyed")

    monkeypatch.setattr(ZhangRecipe, "survey", count)
    data = write_photographs(tmp_path / "data", 40)
    recipe = with_settings(tmp_path / "tiny.toml", survey)
    with pytest.raises(UsageError, match="surveyed"):
        next(train(Zhang(), read_recipe(recipe), data, tmp_path / "run", device="cpu", precision="fp32"))
    assert sum(shape[0] for shape in counted) == pytest.approx(photographs, abs=2)
    assert {shape[2:] for shape in counted} == {(side, side)}


def test_a_network_learns_from_the_gray_that_the_recipe_names():
    rgb = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    gray = Registry().grays()["value"]
    batch, plain = as_batch(rgb, torch.zeros(2), gray), as_batch(rgb, torch.zeros(2))
    assert torch.allclose(batch.lightness, gray_to_lightness(rgb.amax(dim=1, keepdim=True) / 255), atol=1e-3)
    assert torch.equal(batch.ab, plain.ab)
    assert torch.equal(batch.true_lightness, plain.lightness)
    assert (batch.rgb - rgb / 255).abs().max() < 2e-3


def test_a_gray_that_no_plugin_has_is_an_error(tmp_path):
    recipe = with_settings(tmp_path / "tiny.toml", 'gray = "lumina"')
    data = write_photographs(tmp_path / "data", 40)
    with pytest.raises(UsageError, match="Way of making gray not found: lumina") as raised:
        next(train(Zhang(), read_recipe(recipe), data, tmp_path / "run", device="cpu"))
    assert "luminance" in raised.value.hint


def test_a_run_ends_when_the_validation_loss_rises(tmp_path):
    """Edinburgh's plain early stopping; a learning rate that is too high makes it rise."""
    text = TINY.replace("epochs = 2", "epochs = 30").replace("learning_rate = 0.02", "learning_rate = 1.0")
    recipe = write_recipe(tmp_path / "tiny.toml", text.replace("[training]\n", "[training]\nstop_rising = 1\n"))
    data = write_photographs(tmp_path / "data", 40)
    steps = train(Zhang(), read_recipe(recipe), data, tmp_path / "run", device="cpu", precision="fp32")
    with contextlib.closing(steps):
        *_, last = steps
    assert last.over
    losses = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["validation"]
    assert losses[-1] > losses[-2]
    assert all(after <= before for before, after in pairwise(losses[:-1]))


def test_gray_pictures_are_those_of_pillow_for_luma():
    """The gray named luma601 is that of JPEG, and of Pillow."""
    image = picture(3)
    rgb = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    ours = Registry().grays()["luma601"].convert(rgb)[0, 0] * 255
    assert (ours - torch.from_numpy(np.array(image.convert("L")))).abs().max() <= 1
