from copy import deepcopy

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from msgspec.structs import replace

from colorcli import Batch
from colorcli.color import lab_to_rgb, lightness_to_gray, rgb_to_lab
from colorcli.errors import DataError
from colorcli.plugin.registry import Registry
from colorcli.training.data import as_batch
from colorcli.training.recipes import read_recipe
from colorcli_iizuka import Iizuka
from colorcli_iizuka.recipe import IizukaRecipe

TINY = {"width": 0.05, "global_size": 32}
NAMES = ["city", "people", "scenery"]


def paper(name):
    return read_recipe(Iizuka.recipe_folder / f"{name}.toml")


def toy(pictures=6, side=32, seed=0):
    """Pictures whose lightness determines the color, and its mean the category, so there is much to learn."""
    chance = torch.Generator().manual_seed(seed)
    category = torch.arange(pictures) % len(NAMES)
    noise = (
        torch.rand(pictures, 1, side // 8, side // 8, generator=chance).repeat_interleave(8, 2).repeat_interleave(8, 3)
    )
    lightness = 20 + 25 * category.view(-1, 1, 1, 1) + 10 * noise
    return Batch(lightness, torch.cat([lightness - 50, 50 - lightness], dim=1) * 0.8, category)


def started(recipe, batch, names=NAMES, steps=10, **hyperparameters):
    torch.manual_seed(0)
    network = Iizuka().build(**TINY, **hyperparameters, **recipe.survey([batch.ab], names))
    recipe.start(network, Fabric(accelerator="cpu", devices=1), steps)
    return network


# The losses


@pytest.mark.parametrize("chroma_weight", [0.0, 2.0])
def test_the_loss_is_the_squared_error_and_alpha_times_the_cross_entropy(chroma_weight):
    batch = toy()
    recipe = IizukaRecipe(alpha=0.25, chroma_weight=chroma_weight)
    network = started(recipe, batch).eval()
    with torch.no_grad():
        losses = recipe.validate(network, batch)
        predicted, scores = network(lightness_to_gray(batch.lightness))

    truth = batch.ab.double().numpy().reshape(6, 2, 16, 2, 16, 2).mean(axis=(3, 5))
    weight = 1 + chroma_weight * np.sqrt((truth**2).sum(axis=1, keepdims=True)) / 50
    error = (predicted.double().numpy() - (truth / 200 + 0.5)) ** 2
    color = (weight / weight.mean() * error).mean()
    scores = scores.double().numpy()
    chosen = scores[np.arange(6), batch.category.numpy()]
    classification = (np.log(np.exp(scores).sum(axis=1)) - chosen).mean()

    assert list(losses) == ["loss", "color", "classification"]
    assert losses["color"].item() == pytest.approx(color, rel=1e-4)
    assert losses["classification"].item() == pytest.approx(classification, rel=1e-4)
    assert losses["loss"].item() == pytest.approx(color + 0.25 * classification, rel=1e-4)


def test_the_losses_of_two_batches_are_the_mean_of_their_losses():
    whole = toy()
    recipe = IizukaRecipe(chroma_weight=2.0)
    network = started(recipe, whole).eval()
    halves = [
        Batch(whole.lightness[part], whole.ab[part], whole.category[part]) for part in (slice(0, 3), slice(3, 6))
    ]
    with torch.no_grad():
        parts = [recipe.validate(network, half) for half in halves]
        for name, loss in recipe.validate(network, whole).items():
            assert loss.item() == pytest.approx((parts[0][name] + parts[1][name]).item() / 2, rel=1e-5)


def test_pictures_without_a_category_teach_their_colors_only():
    batch = toy()
    recipe = IizukaRecipe()
    network = started(recipe, batch)
    nameless = Batch(batch.lightness, batch.ab, torch.full_like(batch.category, -1))
    before = deepcopy(network.state_dict())
    losses = recipe.step(nameless)
    assert losses["classification"] == 0
    assert losses["loss"] == losses["color"] > 0
    changed = {name.split(".")[0] for name, value in network.state_dict().items() if not value.equal(before[name])}
    assert changed >= {"low", "global_", "mid", "fusion", "color"}
    assert "category" not in changed


def test_some_pictures_without_a_category_leave_the_others_theirs():
    batch = toy()
    recipe = IizukaRecipe()
    network = started(recipe, batch).eval()
    some = Batch(batch.lightness, batch.ab, torch.where(torch.arange(6) < 3, batch.category, -1))
    first = Batch(batch.lightness[:3], batch.ab[:3], batch.category[:3])
    with torch.no_grad():
        one, other = (recipe.validate(network, each)["classification"].item() for each in (some, first))
    assert one == pytest.approx(other / 2, rel=1e-5)


def test_without_alpha_neither_a_classifier_nor_categories_are_needed():
    batch = toy()
    recipe = IizukaRecipe(alpha=0.0)
    network = started(recipe, batch, names=[])
    assert network.category is None
    losses = recipe.step(batch)
    assert list(losses) == ["loss", "color"]
    assert losses["loss"] == losses["color"]


def test_the_categories_of_the_data_are_the_classes():
    assert IizukaRecipe().survey([toy().ab], NAMES) == {"classes": 3}
    assert IizukaRecipe(alpha=0.0).survey([toy().ab], NAMES) == {"classes": 0}


@pytest.mark.parametrize("names", [[], ["photographs"]])
def test_a_classification_of_data_without_categories_is_refused(names):
    with pytest.raises(DataError, match=f"at least two categories, got {len(names)}") as caught:
        IizukaRecipe().survey([toy().ab], names)
    assert "a folder for each category" in caught.value.hint


@pytest.mark.parametrize("names", [NAMES, []])
def test_chroma_is_weighted_relative_to_the_mean_of_the_data(names):
    vivid, pale = torch.full((3, 2, 4, 4), 30.0), torch.zeros(1, 2, 4, 4)
    recipe = IizukaRecipe(alpha=len(names) / 900, chroma_weight=1.0)
    recipe.survey([vivid, pale], names)
    assert recipe.weight.mean == pytest.approx(1 + 0.75 * 30 * 2**0.5 / 50)


# Red, green and blue


def test_with_rgb_the_error_is_that_of_the_photographs_red_green_and_blue():
    """Whatever the gray is that the network sees: here that of film that is blind to red."""
    rgb = (torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 255).byte()
    gray = Registry().grays()["orthochromatic"]
    batch = as_batch(rgb, torch.tensor([-1, -1]), gray)
    recipe = IizukaRecipe(alpha=0.0)
    network = started(recipe, batch, names=[], space="rgb", output="relu").eval()
    with torch.no_grad():
        predicted, _ = network(gray.convert(rgb / 255))
        error = predicted - (rgb / 255).view(2, 3, 16, 2, 16, 2).mean(dim=(3, 5))
        assert recipe.validate(network, batch)["loss"].item() == pytest.approx((error**2).mean().item(), rel=1e-3)


def test_a_network_that_makes_the_true_rgb_gives_the_true_ab():
    batch = toy()
    rgb = lab_to_rgb(batch.lightness, batch.ab)
    network = Iizuka().build(**TINY, space="rgb")
    assert (network.to_ab(rgb) - rgb_to_lab(rgb)[:, 1:]).abs().max() < 1e-4


# Learning


@pytest.mark.parametrize(
    ("settings", "hyperparameters"),
    [
        ({"optimizer": "adamw", "learning_rate": 3e-3, "chroma_weight": 1.0}, {"norm": True}),
        ({"optimizer": "adadelta"}, {"norm": True}),
        ({"optimizer": "adamw", "learning_rate": 3e-3}, {"output": "relu", "fusion_kernel": 1}),
        ({"optimizer": "adamw", "learning_rate": 3e-3}, {"space": "rgb", "norm": True}),
    ],
)
def test_a_few_steps_teach_colors_and_categories(settings, hyperparameters):
    batch = toy(12)
    recipe = IizukaRecipe(alpha=0.05, **settings)
    started(recipe, batch, steps=100, **hyperparameters)
    losses = [recipe.step(batch) for _ in range(100)]
    assert losses[-1]["color"] < 0.3 * losses[0]["color"]
    assert losses[-1]["classification"] < 0.7 * losses[0]["classification"]


@pytest.mark.parametrize("settings", [{"optimizer": "adadelta"}, {"optimizer": "adamw", "learning_rate": 1e-3}])
def test_a_resumed_recipe_makes_the_same_steps(settings):
    batch = toy()
    settings = {**settings, "schedule": "cosine", "chroma_weight": 1.0, "weight_decay": 0.01}
    recipe, resumed = IizukaRecipe(**settings), IizukaRecipe(**settings)
    network = started(recipe, batch, norm=True)
    for _ in range(3):
        recipe.step(batch)
    resumed.load(deepcopy(recipe.state()))
    again = Iizuka().build(**TINY, norm=True, classes=3)
    again.load_state_dict(deepcopy(network.state_dict()))
    resumed.start(again, Fabric(accelerator="cpu", devices=1), 10)
    for _ in range(2):  # the second has a learning rate that the schedule was asked for after the resumption
        assert recipe.step(batch) == resumed.step(batch)
    for one, other in zip(network.state_dict().values(), again.state_dict().values(), strict=True):
        assert one.equal(other)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"optimizer": "sgd"}, "optimizer must be one of .* got 'sgd'"),
        ({"schedule": "linear"}, "schedule must be one of .* got 'linear'"),
        ({"alpha": -1.0}, "alpha must be 0 or more, got -1"),
        ({"chroma_weight": -1.0}, "chroma_weight must be 0 or more, got -1"),
        ({"encoder_rate": -1.0}, "encoder_rate must be 0 or more, got -1"),
    ],
)
def test_an_invalid_setting_is_an_error(settings, said):
    with pytest.raises(ValueError, match=said):
        IizukaRecipe(**settings)


# Recipe files


def test_the_recipe_of_iizuka_2016_has_the_numbers_of_the_paper():
    recipe = paper("iizuka2016")
    assert recipe.network == {
        "width": 1.0,
        "global_size": 224,
        "output": "sigmoid",
        "fusion_kernel": 3,
        "space": "lab",
        "norm": True,
    }
    assert recipe.recipe == {
        "alpha": 1 / 300,
        "optimizer": "adadelta",
        "learning_rate": 1.0,
        "weight_decay": 0.0,
        "schedule": "constant",
    }
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.training.sizes) == (11, 128, ((0.0, 224),))
    assert recipe.training.average == 0


def test_the_recipe_of_utrecht_has_the_numbers_of_the_paper():
    recipe = paper("utrecht")
    assert recipe.network == {
        "width": 1.0,
        "global_size": 112,
        "output": "relu",
        "fusion_kernel": 1,
        "space": "lab",
        "norm": False,
    }
    assert recipe.recipe["alpha"] == 0
    assert (recipe.training.epochs, recipe.training.batch_size) == (7, 64)


@pytest.mark.parametrize("way", Registry().grays())
def test_each_way_of_making_gray_has_a_recipe_that_differs_from_utrecht_in_it_and_in_rgb_alone(way):
    utrecht, rgb = paper("utrecht"), paper(f"utrecht-rgb-{way}")
    assert rgb.recipe == utrecht.recipe
    assert rgb.network == {**utrecht.network, "space": "rgb"}
    assert rgb.training == replace(utrecht.training, gray=way)
    assert rgb.training.keep_gray, "the paper excluded no pictures"
    assert rgb.input_size == utrecht.input_size


def test_the_starter_has_both_losses_of_the_paper_and_the_encoder_of_zhang_starter_frozen():
    recipe = paper("starter")
    network = Iizuka().build(**recipe.network, classes=6)
    assert sum(parameter.numel() for parameter in network.parameters()) <= 5e6
    assert recipe.recipe["alpha"] == 1 / 300
    assert recipe.recipe["pretrained"] == "zhang.starter"
    assert "encoder_rate" not in recipe.recipe


def test_the_narrow_one_is_small_and_in_the_shape_of_the_paper():
    recipe = paper("narrow")
    network = Iizuka().build(**recipe.network, classes=6)
    assert sum(parameter.numel() for parameter in network.parameters()) <= 3.7e6
    assert recipe.recipe["alpha"] == 1 / 300
    assert recipe.network["output"] == "sigmoid"


def test_every_recipe_file_makes_a_recipe_and_a_network_that_takes_its_pictures():
    files = sorted(Iizuka.recipe_folder.glob("*.toml"))
    assert len(files) == 13
    for path in files:
        recipe = read_recipe(path)
        assert recipe.source
        assert isinstance(Iizuka().recipe(**recipe.recipe), IizukaRecipe)
        sides = [recipe.input_size, *(side for _, side in recipe.training.sizes)]
        assert all(side % 8 == 0 for side in sides)
        classes = 0 if recipe.network.get("single_stream") else 6
        with torch.device("meta"):
            Iizuka().build(**recipe.network, classes=classes)
