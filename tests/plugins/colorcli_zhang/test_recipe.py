from copy import deepcopy
from fnmatch import fnmatchcase

import msgspec
import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from colorcli import Batch
from colorcli.color import rgb_to_lab
from colorcli.training.optimization import learning_rate_factor
from colorcli.training.recipes import read_recipe
from colorcli_zhang import Zhang
from colorcli_zhang.bins import bin_centers, circle_classes
from colorcli_zhang.recipe import ZhangRecipe

WIDTHS = [4, 4, 8, 8]


def paper(name):
    return read_recipe(Zhang.recipe_folder / f"{name}.toml")


def colors(*each, side=8):
    """A batch with one picture of each plain color."""
    return torch.tensor(each, dtype=torch.float32)[:, :, None, None].expand(-1, -1, side, side).clone()


def batch(lightness, ab):
    return Batch(lightness, ab, torch.full((len(ab),), -1))


def started(recipe, ab, steps=10):
    torch.manual_seed(0)
    network = Zhang().build(widths=WIDTHS, **recipe.survey([ab], []))
    recipe.start(network, Fabric(accelerator="cpu", devices=1), steps)
    return network


def loss_by_hand(network, lightness, ab, surveyed, neighbors):
    """Equations 2 and 4 of Zhang 2016 and its section 2.2, pixel by pixel, in numpy."""
    centers = network.centers.double().numpy()
    logits = network(lightness).double().numpy()
    points = np.moveaxis(ab.double().numpy(), 1, -1)
    points = np.round(points.reshape(len(ab), logits.shape[2], 4, logits.shape[3], 4, 2).mean(axis=(2, 4)))

    def distances(point):
        return ((centers - point) ** 2).sum(axis=1)

    counts = np.zeros(len(centers))
    for point in np.moveaxis(surveyed.numpy(), 1, -1).reshape(-1, 2):
        counts[distances(np.round(point)).argmin()] += 1
    kernel = np.exp(-np.stack([distances(center) for center in centers]) / (2 * 5.0**2))
    prior = (kernel / kernel.sum(axis=0)) @ (counts / counts.sum())
    prior /= prior.sum()
    weights = 1 / (0.5 * prior + 0.5 / len(prior))
    weights /= (prior * weights).sum()

    losses = []
    for b, y, x in np.ndindex(points.shape[:3]):
        distance = distances(points[b, y, x])
        nearest = distance.argsort()[:neighbors]
        encoding = np.exp(-distance[nearest] / (2 * 5.0**2))
        encoding /= encoding.sum()
        scores = logits[b, :, y, x]
        log_probability = scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())
        losses.append(weights[nearest[0]] * -(encoding * log_probability[nearest]).sum())
    return np.mean(losses)


@pytest.mark.parametrize("neighbors", [1, 5])
def test_the_loss_is_that_of_the_paper(neighbors):
    surveyed = torch.cat([colors((3, 4))] * 5 + [colors((52, 31), (-21, 44))])
    recipe = ZhangRecipe(neighbors=neighbors)
    network = started(recipe, surveyed).eval()
    # No color lies as near to one bin as to another: which of them it is would be a matter of rounding.
    blocks = torch.randint(-3, 4, (2, 2, 4, 4), generator=torch.Generator().manual_seed(1)) * 10.0
    blocks += torch.tensor([3.0, 1.0]).view(2, 1, 1)
    ab = blocks.repeat_interleave(4, -2).repeat_interleave(4, -1)
    ab[..., ::2] += 1
    ab[..., 1::2] -= 1  # the means are what they were
    lightness = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(2)) * 100
    with torch.no_grad():
        loss = recipe.validate(network, batch(lightness, ab))["loss"]
        assert loss.item() == pytest.approx(loss_by_hand(network, lightness, ab, surveyed, neighbors), rel=1e-4)


def test_adjustment_leaves_the_rebalancing_out_of_the_distribution():
    """The loss is that of a network whose logits are higher by adjustment times the logarithm of the weights."""
    surveyed = torch.cat([colors((3, 4))] * 5 + [colors((52, 31), (-21, 44))])
    plain, adjusted = ZhangRecipe(), ZhangRecipe(adjustment=0.5)
    networks = [started(recipe, surveyed).eval() for recipe in (plain, adjusted)]
    networks[0].load_state_dict(networks[1].state_dict())
    example = batch(torch.full((1, 1, 16, 16), 50.0), torch.full((1, 2, 16, 16), 10.0))

    class Shifted(nn.Module):
        def forward(self, lightness):
            return networks[0](lightness) + 0.5 * plain.weights.log()[:, None, None]

    with torch.no_grad():
        expected = plain.validate(Shifted(), example)["loss"]
        assert adjusted.validate(networks[1], example)["loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_a_rare_color_weighs_more():
    ab = torch.cat([colors((2, 1))] * 20 + [colors((60, 40))])
    recipe = ZhangRecipe()
    recipe.survey([ab], [])
    nearest = recipe.index[:, 0].view(256, 256)
    assert recipe.weights[nearest[128 + 60, 128 + 40]] > 1 > recipe.weights[nearest[128 + 2, 128 + 1]]


def test_without_rebalancing_all_colors_weigh_the_same():
    recipe = ZhangRecipe(rebalancing=1.0)
    recipe.survey([torch.cat([colors((2, 1))] * 20 + [colors((60, 40))])], [])
    assert recipe.weights.tolist() == pytest.approx([1.0] * 313, abs=1e-4)


def test_the_gamut_of_the_data_is_the_bins_that_it_has():
    recipe = ZhangRecipe(gamut="data")
    assert recipe.survey([colors((1, 2), (38, 41), (-22, 9), (-18, 11))], []) == {"classes": 3}
    assert recipe.centers.tolist() == [[-20, 10], [0, 0], [40, 40]]


@pytest.mark.paper("rome", "114 classes")
def test_rome_has_114_classes_whatever_the_data():
    recipe = ZhangRecipe(gamut="circle", neighbors=1)
    assert recipe.survey([colors((1, 2), (3, 4), (-22, 9))], []) == {"classes": 114}
    assert recipe.counts.sum() == 3 * colors((1, 2)).shape[2] * colors((1, 2)).shape[3]


def test_the_classes_of_rome_have_the_colors_of_their_mean_rgb():
    """Pixels find their class by its cell; the network gives it the ab of the cell's mean R'G'B' at L = 50."""
    recipe = ZhangRecipe(gamut="circle", neighbors=1)
    network = started(recipe, colors((1, 2), (38, 41)))
    cells, class_colors = circle_classes()
    assert torch.allclose(network.centers, class_colors, atol=1e-4)
    assert torch.equal(recipe.centers, cells)


@pytest.mark.paper("all", "the label of an output pixel")
def test_a_label_is_the_mean_ab_or_the_ab_of_the_reduced_picture():
    """The papers encode the ab of the reduced picture: the mean of red and green light is not that of their ab."""
    rgb = torch.zeros(1, 3, 8, 8)
    rgb[:, 0, :, ::2], rgb[:, 1, :, 1::2] = 1, 1
    lab = rgb_to_lab(rgb)
    batch = Batch(lab[:, :1], lab[:, 1:], torch.tensor([-1]))
    mean = rgb_to_lab(torch.tensor([0.5, 0.5, 0]).view(1, 3, 1, 1))[0, 1:, 0, 0]
    reduced = ZhangRecipe(labels="picture")._reduced(batch, (2, 2))
    assert torch.allclose(reduced[0, :, 0, 0], mean, atol=0.1)
    averaged = ZhangRecipe()._reduced(batch, (2, 2))
    assert torch.allclose(averaged[0, :, 0, 0], lab[0, 1:, 0, :2].mean(dim=1), atol=1e-4)
    assert (reduced - averaged).abs().max() > 3


def test_the_network_gives_the_colors_that_its_classes_stand_for():
    recipe = ZhangRecipe(gamut="data")
    network = started(recipe, colors((1, 2), (38, 41)))
    assert torch.allclose(network.centers, torch.tensor([[0.0, 0.0], [40.0, 40.0]]), atol=1e-4)


@pytest.mark.parametrize(("optimizer", "learning_rate"), [("adamw", 0.01), ("muon", 0.1)])
def test_a_few_steps_teach_a_plain_color(optimizer, learning_rate):
    ab = colors((40, 40), (40, 40), side=32)
    recipe = ZhangRecipe(optimizer=optimizer, learning_rate=learning_rate, betas=(0.9, 0.999))
    network = started(recipe, ab)
    lightness = torch.rand(2, 1, 32, 32) * 100
    losses = [recipe.step(batch(lightness, ab))["loss"].item() for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    predicted = Zhang().predict(network.eval(), lightness, temperature=0.38)
    assert (predicted - ab).abs().mean() < 10


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_every_learned_weight_is_given_to_exactly_one_optimizer(optimizer):
    recipe = ZhangRecipe(optimizer=optimizer)
    network = started(recipe, colors((1, 2)))
    given = [id(p) for each in recipe.optimization.optimizers for group in each.param_groups for p in group["params"]]
    assert sorted(given) == sorted(id(p) for p in network.parameters() if p.requires_grad)


def test_a_resumed_recipe_makes_the_same_step():
    ab, lightness = colors((20, 1), (-30, 44), side=16), torch.rand(2, 1, 16, 16) * 100
    settings = {"gamut": "data", "optimizer": "muon", "schedule": "cosine", "learning_rate": 0.02}
    recipe, resumed = ZhangRecipe(**settings), ZhangRecipe(**settings)
    network = started(recipe, ab)
    for _ in range(3):
        recipe.step(batch(lightness, ab))
    resumed.load(deepcopy(recipe.state()))
    again = Zhang().build(widths=WIDTHS, classes=len(recipe.centers))
    again.load_state_dict(deepcopy(network.state_dict()))
    resumed.start(again, Fabric(accelerator="cpu", devices=1), 10)
    for each in (recipe, resumed):
        each.step(batch(lightness, ab))
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert one.equal(other)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gamut": "rgb"}, "gamut must be one of .* got 'rgb'"),
        ({"optimizer": "sgd"}, "optimizer must be one of .* got 'sgd'"),
        ({"schedule": "linear"}, "schedule must be one of .* got 'linear'"),
        ({"rebalancing": 2.0}, "rebalancing in 0..1"),
        ({"adjustment": 1.5}, "adjustment must be in 0..1"),
    ],
)
def test_a_setting_that_does_not_exist_is_an_error(settings, said):
    with pytest.raises(ValueError, match=said):
        ZhangRecipe(**settings)


def test_the_recipe_of_zhang_2016_has_the_numbers_of_the_paper():
    recipe = paper("zhang2016")
    assert recipe.network == {"widths": [64, 128, 256, 512]}
    assert recipe.recipe == {
        "gamut": "srgb",
        "neighbors": 5,
        "sigma": 5.0,
        "rebalancing": 0.5,
        "optimizer": "adamw",
        "learning_rate": 3e-5,
        "betas": [0.9, 0.99],
        "weight_decay": 1e-3,
        "schedule": "steps",
    }
    assert recipe.training.batch_size == 40
    assert recipe.training.epochs * 1_300_000 / 40 == pytest.approx(450_000, rel=0.02)
    assert recipe.options == {"temperature": 0.38}
    rates = [3e-5 * learning_rate_factor("steps", step / 450_000) for step in (199_999, 200_001, 374_999, 375_001)]
    assert rates == pytest.approx([3e-5, 1e-5, 1e-5, 3e-6])


@pytest.mark.paper("liege", "trained and run at 224")
def test_the_recipe_of_the_cats_has_the_numbers_of_the_liege_paper():
    recipe = paper("cats")
    assert recipe.network == {"widths": [64, 128, 256, 512, 256, 128]}  # Fig. 1: conv7 has 256 channels, conv8 128
    assert recipe.input_size == 224  # trained and run at 224
    assert recipe.training.sizes == ((0.0, 224),)
    assert recipe.recipe == {
        "gamut": "data",
        "neighbors": 5,
        "labels": "picture",
        "sigma": 5.0,
        "rebalancing": 0.5,
        "optimizer": "adamw",
        "learning_rate": 1e-4,
        "betas": [0.9, 0.999],
        "weight_decay": 0.0,
        "schedule": "constant",
    }
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.training.sizes) == (300, 32, ((0.0, 224),))
    assert recipe.training.average == 0
    assert (recipe.training.most, recipe.training.split[0]) == (4400, 4000)
    assert fnmatchcase("train/cat.0.jpg", recipe.training.names)
    assert not fnmatchcase("train/dog.0.jpg", recipe.training.names)
    assert recipe.options == {"temperature": 0.38}


@pytest.mark.paper("rome", "16,000, 3,000 and 6,000 photographs")
def test_the_recipe_of_the_lab_circle_has_the_numbers_of_the_rome_paper():
    recipe = paper("lab-circle")
    assert {key: recipe.recipe[key] for key in ("gamut", "sigma", "rebalancing", "neighbors")} == {
        "gamut": "circle",
        "sigma": 5.0,
        "rebalancing": 0.5,
        "neighbors": 1,
    }
    assert (recipe.training.epochs, recipe.training.sizes) == (47, ((0.0, 256),))
    assert (recipe.training.split, recipe.training.most) == ((16000, 3000, 6000), 25000)
    assert recipe.training.survey == 0, "the empirical probability is that of the full training set"
    assert recipe.options == {"temperature": 0.09}
    unweighted = paper("lab-circle-unweighted")
    assert unweighted.recipe == {**recipe.recipe, "rebalancing": 1.0}
    assert unweighted.training == recipe.training


def test_every_recipe_file_makes_a_recipe_and_a_network():
    for path in sorted(Zhang.recipe_folder.glob("*.toml")):
        recipe = read_recipe(path)
        assert recipe.source
        assert isinstance(Zhang().recipe(**recipe.recipe), ZhangRecipe)
        assert Zhang().build(**recipe.network).centers.shape == bin_centers().shape


def test_the_cosine_warms_up_and_falls_to_a_hundredth():
    factors = [learning_rate_factor("cosine", progress) for progress in (0, 0.01, 0.02, 0.51, 1)]
    assert factors == pytest.approx([0.01, 0.5, 1, 0.505, 0.01])


def test_the_open_recipe_is_that_of_the_starter_without_some_photographs():
    """Whoever changes one changes the other."""
    starter, other = (read_recipe(Zhang.recipe_folder / f"{name}.toml") for name in ("starter", "starter-open"))
    excluded = {"licence": ("BY-SA", "GFDL", "GPL"), "licence_tier": ("declared",)}  # codespell:ignore licence
    for one, same in zip(
        (starter, *(s.file for s in starter.stages)), (other, *(s.file for s in other.stages)), strict=True
    ):
        assert same.training == msgspec.structs.replace(one.training, exclude=excluded)
        assert (same.network, same.recipe, same.options) == (one.network, one.recipe, one.options)
        assert same.input_size == one.input_size
    assert [(s.name, s.start, s.part) for s in other.stages] == [(s.name, s.start, s.part) for s in starter.stages]
