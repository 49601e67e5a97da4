from copy import deepcopy

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from colorcli import Batch
from colorcli.encoders import EncoderTraining
from colorcli.errors import WeightsNotFound
from colorcli.training.recipes import read_recipe
from colorcli_koalarization import Koalarization
from colorcli_koalarization.recipe import KoalarizationRecipe
from colorcli_pix2pix.resnet import ResNet34

ALONE = {"width": 0.05, "extractor": "none"}
ROUTED = {"width": 0.05, "extractor": "resnet34-grey", "extractor_width": 2, "extractor_size": 32}


def paper(name):
    return read_recipe(Koalarization.recipe_folder / f"{name}.toml")


def toy(pictures=6, side=32, seed=0):
    """Pictures whose lightness determines the color, so there is much to learn."""
    chance = torch.Generator().manual_seed(seed)
    noise = torch.rand(pictures, 1, side // 8, side // 8, generator=chance) * 100
    lightness = noise.repeat_interleave(8, 2).repeat_interleave(8, 3)
    return Batch(lightness, torch.cat([lightness - 50, 50 - lightness], dim=1) * 0.8, torch.full((pictures,), -1))


def started(recipe, batch, steps=10, **hyperparameters):
    torch.manual_seed(0)
    network = Koalarization().build(**{**ALONE, **hyperparameters, **recipe.survey([batch.ab], [])})
    recipe.start(network, Fabric(accelerator="cpu", devices=1), steps)
    return network


def halved(ab):
    """The mean of every 2x2 pixels, in numpy."""
    B, _, H, W = ab.shape
    return ab.double().numpy().reshape(B, 2, H // 2, 2, W // 2, 2).mean(axis=(3, 5))


def weights(truth, chroma_weight):
    weight = 1 + chroma_weight * np.sqrt((truth**2).sum(axis=1, keepdims=True)) / 50
    return weight / weight.mean()


# The losses


@pytest.mark.parametrize("chroma_weight", [0.0, 2.0])
def test_the_loss_is_the_mean_squared_error_in_the_networks_scale(chroma_weight):
    batch = toy()
    recipe = KoalarizationRecipe(chroma_weight=chroma_weight)
    network = started(recipe, batch).eval()
    with torch.no_grad():
        loss = recipe.validate(network, batch)["loss"].item()
        predicted = network(batch.lightness).double().numpy()
    truth = halved(batch.ab)
    expected = (weights(truth, chroma_weight) * (predicted - truth / 127) ** 2).mean()
    assert loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.paper("georgia-tech", "cross-entropy on continuous ab")
def test_the_continuous_cross_entropy_of_georgia_tech_is_the_hand_computed_one():
    ab = torch.tensor([[127.0, -127.0], [0.0, 63.5]]).view(1, 2, 1, 2)  # a of two pixels, then b
    colored = torch.tensor([[0.5, -0.5], [0.0, 0.0]]).view(1, 2, 1, 2)
    # t = 1, 0, 0.5, 0.75 and p = 0.75, 0.25, 0.5, 0.5
    expected = (-np.log(0.75), -np.log(0.75), np.log(2), np.log(2))
    found = KoalarizationRecipe(loss="continuous-cross-entropy")._continuous_cross_entropy(colored, ab)
    assert found.flatten().tolist() == pytest.approx(expected, rel=1e-6)


def test_the_continuous_cross_entropy_is_the_loss_of_a_network_without_bins():
    batch = toy()
    recipe = KoalarizationRecipe(loss="continuous-cross-entropy")
    network = started(recipe, batch).eval()
    assert network.bins == 0
    with torch.no_grad():
        loss = recipe.validate(network, batch)["loss"].item()
        p = (network(batch.lightness).double().numpy() + 1) / 2
    t = (halved(batch.ab) / 127 + 1) / 2
    assert loss == pytest.approx(-(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(), rel=1e-4)


@pytest.mark.parametrize("chroma_weight", [0.0, 2.0])
def test_the_cross_entropy_is_that_of_the_bin_of_a_plus_that_of_the_bin_of_b(chroma_weight):
    batch = toy()
    batch.ab[0] = 127.0  # the end of the last bin
    recipe = KoalarizationRecipe(loss="cross-entropy", bins=5, chroma_weight=chroma_weight)
    network = started(recipe, batch).eval()
    torch.nn.init.normal_(network.decoder[-1].weight)
    with torch.no_grad():
        loss = recipe.validate(network, batch)["loss"].item()
        logits = network(batch.lightness).double().numpy()
    truth = halved(batch.ab)
    edges = np.array([-127, -76.2, -25.4, 25.4, 76.2])
    entropy = np.zeros(truth[:, :1].shape)
    for b, c, y, x in np.ndindex(truth.shape):
        scores = logits[b, 5 * c : 5 * c + 5, y, x]
        chosen = scores[np.flatnonzero(edges <= truth[b, c, y, x])[-1]]
        entropy[b, 0, y, x] += np.log(np.exp(scores).sum()) - chosen
    assert entropy.std() > 0.1
    assert loss == pytest.approx((weights(truth, chroma_weight) * entropy).mean(), rel=1e-4)


def test_the_losses_of_two_batches_are_the_mean_of_their_losses():
    whole = toy()
    recipe = KoalarizationRecipe(chroma_weight=2.0)
    network = started(recipe, whole).eval()
    halves = [
        Batch(whole.lightness[part], whole.ab[part], whole.category[part]) for part in (slice(0, 3), slice(3, 6))
    ]
    with torch.no_grad():
        parts = [recipe.validate(network, half)["loss"].item() for half in halves]
        assert recipe.validate(network, whole)["loss"].item() == pytest.approx(sum(parts) / 2, rel=1e-5)


def test_chroma_is_weighted_relative_to_the_mean_of_the_data():
    vivid, pale = torch.full((3, 2, 4, 4), 30.0), torch.zeros(1, 2, 4, 4)
    recipe = KoalarizationRecipe(chroma_weight=1.0)
    recipe.survey([vivid, pale], [])
    assert recipe.weight.mean == pytest.approx(1 + 0.75 * 30 * 2**0.5 / 50)


def test_only_the_cross_entropy_asks_the_network_for_bins():
    assert KoalarizationRecipe().survey([toy().ab], []) == {}
    assert KoalarizationRecipe(loss="cross-entropy", bins=7).survey([toy().ab], []) == {"bins": 7}


# Learning


@pytest.mark.parametrize(
    ("settings", "hyperparameters"),
    [
        ({"learning_rate": 3e-3}, {}),
        ({"optimizer": "adamw", "learning_rate": 3e-3, "chroma_weight": 1.0}, {"norm": True}),
        ({"learning_rate": 3e-3, "schedule": "halving", "halvings": 2}, {"norm": True}),
        ({"learning_rate": 3e-3, "pretrained": "random", "schedule": "cosine"}, {**ROUTED, "norm": True}),
    ],
)
def test_a_few_steps_teach_colors(settings, hyperparameters):
    batch = toy()
    recipe = KoalarizationRecipe(**settings)
    started(recipe, batch, steps=80, **hyperparameters)
    losses = [recipe.step(batch)["loss"].item() for _ in range(80)]
    assert losses[-1] < 0.3 * losses[0]


def test_a_few_steps_teach_a_distribution_of_colors():
    batch = toy()
    recipe = KoalarizationRecipe(loss="cross-entropy", bins=10, learning_rate=3e-3)
    network = started(recipe, batch, steps=80, norm=True)
    losses = [recipe.step(batch)["loss"].item() for _ in range(80)]
    assert losses[0] == pytest.approx(2 * np.log(10), rel=0.1)
    assert losses[-1] < 0.3 * losses[0]
    with torch.inference_mode():
        ab = Koalarization().predict(network, batch.lightness)
    assert (ab - torch.from_numpy(halved(batch.ab))).abs().mean() < 15


def test_the_extractor_does_not_learn():
    batch = toy()
    recipe = KoalarizationRecipe(pretrained="random", optimizer="adamw", weight_decay=0.1, learning_rate=0.01)
    network = started(recipe, batch, **ROUTED)
    before = deepcopy(network.state_dict())
    for _ in range(3):
        network.train()  # as the loop says before every step
        recipe.step(batch)
    same = {name for name, value in network.state_dict().items() if value.equal(before[name])}
    extractor = {name for name in before if name.startswith("extractor.")}
    assert any(name.endswith("running_mean") for name in extractor)
    assert extractor <= same
    assert not {"encoder.0.conv.weight", "fusion.conv.weight", "decoder.6.weight"} & same


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_every_learned_weight_and_no_frozen_one_is_given_to_the_optimizer(optimizer):
    recipe = KoalarizationRecipe(optimizer=optimizer, pretrained="random")
    network = started(recipe, toy(), **ROUTED)
    given = [id(p) for group in recipe.optimization.optimizers[0].param_groups for p in group["params"]]
    learned = [id(p) for name, p in network.named_parameters() if not name.startswith("extractor.")]
    assert sorted(given) == sorted(learned)


def test_the_learning_rate_is_halved_as_often_as_the_recipe_says():
    recipe = KoalarizationRecipe(schedule="halving", halvings=10, learning_rate=1e-3)
    batch = toy(1)
    started(recipe, batch, steps=60)  # 20 epochs of 3 steps
    rates = []
    for _ in range(60):
        rates.append(recipe.optimization.optimizers[0].param_groups[0]["lr"])
        recipe.step(batch)
    assert rates == pytest.approx([1e-3 / 2 ** (epoch // 2) for epoch in range(20) for _ in range(3)])


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "halving", "halvings": 5},
        {"optimizer": "adamw", "weight_decay": 0.01, "schedule": "cosine", "chroma_weight": 1.0},
        {"loss": "cross-entropy", "bins": 4},
    ],
)
def test_a_resumed_recipe_makes_the_same_steps(settings):
    batch = toy()
    recipe, resumed = (KoalarizationRecipe(**settings, pretrained="random") for _ in range(2))
    network = started(recipe, batch, **ROUTED, norm=True)
    for _ in range(3):
        recipe.step(batch)
    resumed.load(deepcopy(recipe.state()))
    again = Koalarization().build(**ROUTED, norm=True, bins=network.bins)
    again.load_state_dict(deepcopy(network.state_dict()))
    resumed.start(again, Fabric(accelerator="cpu", devices=1), 10)
    for _ in range(2):  # the second has a learning rate that the schedule was asked for after the resumption
        assert recipe.step(batch) == resumed.step(batch)
    for one, other in zip(network.state_dict().values(), again.state_dict().values(), strict=True):
        assert one.equal(other)


# The extractor's weights


@pytest.fixture
def router(tmp_path):
    torch.manual_seed(5)
    router = ResNet34(width=2, classes=6)
    torch.save(router.state_dict(), tmp_path / "router.pt")
    return router.state_dict(), str(tmp_path / "router.pt")


def test_a_run_begins_with_the_extractors_trained_weights(router):
    state, file = router
    network = started(KoalarizationRecipe(pretrained=file), toy(), **ROUTED)
    assert all(network.extractor.model.state_dict()[name].equal(value) for name, value in state.items())


def test_a_run_that_starts_from_given_weights_keeps_their_extractor(router):
    _, file = router
    torch.manual_seed(0)
    network, given = (Koalarization().build(**ROUTED) for _ in range(2))
    network.load_state_dict(given.state_dict())
    KoalarizationRecipe(pretrained=file).start(network, Fabric(accelerator="cpu", devices=1), 10)
    expected = given.extractor.model.state_dict()
    assert all(value.equal(expected[name]) for name, value in network.extractor.model.state_dict().items())


def test_missing_weights_end_the_run_before_its_first_step(tmp_path):
    with pytest.raises(WeightsNotFound, match="Weights file not found"):
        started(KoalarizationRecipe(pretrained=str(tmp_path / "none.safetensors")), toy(), **ROUTED)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "l1"}, "loss must be one of .* got 'l1'"),
        ({"optimizer": "sgd"}, "optimizer must be one of .* got 'sgd'"),
        ({"schedule": "steps"}, "schedule must be one of .* got 'steps'"),
        ({"bins": 1}, "bins must be 2 or more"),
        ({"chroma_weight": -1.0}, "chroma_weight 0 or more"),
        ({"halvings": 0}, "halvings 1 or more"),
    ],
)
def test_an_invalid_setting_is_an_error(settings, said):
    with pytest.raises(ValueError, match=said):
        KoalarizationRecipe(**settings)


# Recipe files


def test_the_recipe_of_deep_koalarization_has_the_published_numbers():
    recipe = paper("koalarization2017")
    assert recipe.network == {"width": 1.0, "norm": False, "extractor": "inception-resnet-v2"}
    assert recipe.recipe == {
        "loss": "mse",
        "pretrained": "published",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "betas": [0.9, 0.999],
        "weight_decay": 0.0,
        "schedule": "constant",
    }
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.training.sizes) == (100, 100, ((0.0, 224),))
    assert recipe.input_size is None  # the colorizer's own, 224


def test_the_first_model_of_georgia_tech_has_the_numbers_of_the_paper():
    recipe = paper("georgia-tech-inception-v3")
    assert recipe.network == {"width": 1.0, "norm": False, "extractor": "inception-v3"}
    assert recipe.recipe == {
        "loss": "mse",
        "pretrained": "published",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "betas": [0.9, 0.999],
        "weight_decay": 0.0,
        "schedule": "halving",
        "halvings": 10,
    }
    training = recipe.training
    assert (training.epochs, training.batch_size, training.split) == (20, 64, (80, 10, 10))
    assert training.epochs / recipe.recipe["halvings"] == 2  # epochs for each learning rate
    assert training.average == training.contrast == 0


@pytest.mark.parametrize(
    ("name", "network", "settings"),
    [
        ("convnext", {"extractor": "convnext-tiny"}, {}),
        ("256", {"dimensions": 256}, {}),
        ("cross-entropy", {}, {"loss": "continuous-cross-entropy"}),
        ("cross-entropy-bins", {}, {"loss": "cross-entropy", "bins": 50}),
    ],
)
def test_each_other_model_of_georgia_tech_differs_from_the_first_in_one_thing(name, network, settings):
    first, other = paper("georgia-tech-inception-v3"), paper(f"georgia-tech-{name}")
    assert other.network == {**first.network, **network}
    assert other.recipe == {**first.recipe, **settings}
    assert (other.training, other.input_size) == (first.training, first.input_size)


def test_the_discarded_model_of_georgia_tech_has_no_extractor_and_needs_no_weights_of_one():
    first, other = paper("georgia-tech-inception-v3"), paper("georgia-tech-none")
    assert other.network == {**first.network, "extractor": "none"}
    assert other.recipe == {key: value for key, value in first.recipe.items() if key != "pretrained"}
    assert other.training == first.training


def test_the_starter_stands_on_a_classifier_that_never_learns():
    recipe = paper("starter")
    network = Koalarization().build(**recipe.network)
    EncoderTraining("random").start(network)
    learned = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert not any(name.startswith("encoder.") for name in learned)
    assert sum(parameter.numel() for parameter in network.parameters()) <= 5e6
    assert recipe.recipe["loss"] == "mse"


def test_the_narrow_one_is_small_and_in_the_shape_of_the_paper():
    recipe = paper("narrow")
    network = Koalarization().build(**recipe.network)
    learned = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    assert learned <= 1.3e6
    assert recipe.recipe["loss"] == "mse"
    assert recipe.recipe["pretrained"] == "pix2pix.starter"


def test_every_recipe_file_makes_a_recipe_that_takes_its_pictures():
    files = sorted(Koalarization.recipe_folder.glob("*.toml"))
    assert len(files) == 13
    for path in files:
        recipe = read_recipe(path)
        assert recipe.source
        assert isinstance(Koalarization().recipe(**recipe.recipe), KoalarizationRecipe)
        sides = [recipe.input_size or Koalarization.size, *(side for _, side in recipe.training.sizes)]
        assert all(side % 8 == 0 for side in sides)
