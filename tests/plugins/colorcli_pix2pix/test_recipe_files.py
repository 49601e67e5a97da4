"""The recipe files against the Edinburgh paper."""

import pytest
import torch
from msgspec.structs import replace

from colorcli.training.recipes import read_recipe
from colorcli_pix2pix import Pix2Pix
from colorcli_pix2pix.categories import CATEGORIES
from colorcli_pix2pix.network import Ensemble
from colorcli_pix2pix.recipe import GanRecipe
from colorcli_pix2pix.router_recipe import RouterRecipe

# (k, mu) of section 4.2, where "the rest" are animals, nature and others.
STOPPING = {
    "animals": (20, 1.15),
    "city": (10, 1.1),
    "nature": (20, 1.15),
    "others": (20, 1.15),
    "people": (10, 0.9),
    "scenery": (10, 0.9),
}
GAN = {
    "kind": "gan",
    "l1_weight": 100.0,
    "learning_rate": 2e-4,
    "betas": [0.5, 0.999],
    "schedule": "constant",
    "discriminator_width": 64,
    "keep": "last",
}


def recipe(name):
    return read_recipe(Pix2Pix.recipe_folder / f"{name}.toml")


@pytest.mark.parametrize("space", ["lab", "yuv"])
def test_the_ensembles_have_the_numbers_of_the_paper(space):
    file = recipe(f"edinburgh-{space}")
    router, *generators = file.stages
    assert (file.network["kind"], file.network["space"], file.input_size) == ("ensemble", space, 256)
    assert router.file.recipe == {
        "kind": "router",
        "learning_rate": 7.5e-4,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "schedule": "constant",
    }
    assert (router.part, router.file.training.epochs, router.file.training.early_stopping) == ("router", 100, None)
    assert {stage.name: stage.file.training.early_stopping for stage in generators} == STOPPING
    for stage in generators:
        assert (stage.part, stage.start) == (f"generators.{stage.name}", "")
        assert (stage.file.training.only, stage.file.training.epochs) == (stage.name, 200)
        assert stage.file.recipe == GAN  # the tables of the paper are of the last epoch
        assert stage.file.training.stop_on == "generator"
        assert stage.file.network == {"kind": "generator", "width": 64, "levels": 8, "space": space}
    for stage in file.stages:
        assert (stage.file.training.batch_size, stage.file.training.split) == (16, (75, 15, 10))


@pytest.mark.parametrize("space", ["lab", "yuv"])
def test_the_baselines_have_the_numbers_of_the_paper(space):
    file = recipe(f"edinburgh-baseline-{space}")
    ensemble = recipe(f"edinburgh-{space}").stages[-1].file
    assert file.network == ensemble.network
    assert file.recipe == GAN
    assert (file.training.epochs, file.training.batch_size, file.training.split) == (200, 16, (75, 15, 10))
    assert file.training.early_stopping == (10, 0.75)
    assert not file.stages


@pytest.mark.parametrize(
    ("name", "stopping"),
    [
        ("edinburgh-unstopped-lab", {}),
        ("edinburgh-rising-lab", {"stop_on": "generator", "stop_rising": 1}),
        ("edinburgh-rising5-lab", {"stop_on": "generator", "stop_rising": 5}),
        ("edinburgh-adversarial-lab", {"stop_on": "adversarial", "early_stopping": (10, 0.75)}),
    ],
)
def test_the_first_baselines_and_the_proposed_one_differ_in_when_they_stop_alone(name, stopping):
    file, baseline = recipe(name), recipe("edinburgh-baseline-lab")
    never = {"stop_on": "", "stop_rising": 0, "early_stopping": None}
    assert file.training == replace(baseline.training, **{**never, **stopping})
    assert (file.network, file.recipe) == (baseline.network, baseline.recipe)


def test_lab_and_yuv_differ_in_the_color_space_and_its_gray_alone():
    """The Y of YUV is the picture's own luma: that of pure red is 76."""
    for name in ("edinburgh", "edinburgh-baseline"):
        texts = [(Pix2Pix.recipe_folder / f"{name}-{space}.toml").read_text() for space in ("lab", "yuv")]
        assert 'gray = "luma601"' in texts[1]
        settings = [
            [line for line in text.splitlines() if not line.startswith(("#", 'gray = "luma601"'))] for text in texts
        ]
        differing = [pair for pair in zip(*settings, strict=True) if pair[0] != pair[1]]
        assert differing
        assert all(lab.replace('"lab"', '"yuv"') == yuv for lab, yuv in differing)


@pytest.mark.parametrize("name", ["narrow", "starter"])
def test_the_small_ones_are_ensembles_whose_generators_begin_with_one_for_all(name):
    file = recipe(name)
    by_name = {stage.name: stage for stage in file.stages}
    assert file.network["kind"] == "ensemble"
    assert by_name["baseline"].part == ""
    assert by_name["baseline"].file.training.only == ""
    for category in CATEGORIES:
        assert by_name[category].start == "baseline"
        assert by_name[category].part == f"generators.{category}"
        assert by_name[category].file.training.only == category


@pytest.mark.parametrize("path", sorted(Pix2Pix.recipe_folder.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_makes_its_network_and_recipe(path):
    file = read_recipe(path)
    assert file.source
    parts = {}
    with torch.device("meta"):
        whole = Pix2Pix().build(**file.network)
        for stage in file.stages:
            parts[stage.part] = Pix2Pix().build(**stage.file.network).state_dict()
            assert isinstance(Pix2Pix().recipe(**stage.file.recipe), (GanRecipe, RouterRecipe))
            assert all(side % stage_unit(stage) == 0 for _, side in stage.file.training.sizes)
    if file.stages:  # which make the whole, as the loop puts them together
        assert isinstance(whole, Ensemble)
        made = {f"{part}.{key}": value for part, state in parts.items() if part for key, value in state.items()}
        whole.load_state_dict(made)
    else:
        assert isinstance(Pix2Pix().recipe(**file.recipe), GanRecipe)
    assert file.input_size % 2 ** file.network.get("levels", 5) == 0


def stage_unit(stage):
    return 2 ** stage.file.network.get("levels", 5) if stage.file.network["kind"] == "generator" else 1
