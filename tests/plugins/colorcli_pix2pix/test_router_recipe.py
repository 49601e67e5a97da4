from copy import deepcopy

import pytest
import torch
from lightning_fabric import Fabric

from colorcli import Batch
from colorcli.errors import DataError, UsageError
from colorcli_pix2pix import Pix2Pix
from colorcli_pix2pix.categories import CATEGORIES
from colorcli_pix2pix.router_recipe import RouterRecipe, macro_f1
from tests.plugins.colorcli_pix2pix.networks import SMALL

ROUTER = {"kind": "router", "router_width": 4, "router_size": 32}


def toy(count=12):
    """Pictures whose category is how light they are."""
    category = torch.arange(count) % 6
    noise = torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 8
    return Batch(category.view(-1, 1, 1, 1) * 18 + noise, torch.zeros(count, 2, 32, 32), category)


def started(recipe, steps=10):
    torch.manual_seed(0)
    network = Pix2Pix().build(**ROUTER, **recipe.survey([], CATEGORIES))
    recipe.start(network, Fabric(accelerator="cpu", devices=1), steps)
    return network.train()


# Macro F1


def test_macro_f1_is_the_mean_of_each_category():
    """By hand, with F1 = 2 TP / (2 TP + FP + FN): 8 / (8 + 3 + 1), 4 / (4 + 1 + 2) and 10 / (10 + 0 + 1)."""
    confusion = torch.tensor([[4.0, 1, 0], [2, 2, 0], [1, 0, 5]])  # rows are the truth
    assert macro_f1(confusion) == pytest.approx((8 / 12 + 4 / 7 + 10 / 11) / 3)


def test_macro_f1_of_a_perfect_router_is_one_and_of_one_that_is_always_wrong_zero():
    assert macro_f1(torch.eye(6) * torch.arange(1, 7)) == pytest.approx(1)
    assert macro_f1(torch.eye(6).roll(1, dims=0)) == 0


def test_macro_f1_counts_a_rare_category_like_a_common_one():
    confusion = torch.diag(torch.tensor([98.0, 0]))
    confusion[1, 0] = 2  # all pictures of the rare one classified as the common one
    assert macro_f1(confusion) == pytest.approx(2 * 98 / (2 * 98 + 2) / 2)


def test_a_category_that_neither_occurs_nor_is_answered_counts_for_nothing():
    assert macro_f1(torch.diag(torch.tensor([3.0, 0, 5]))) == pytest.approx(1)


def test_macro_f1_of_shares_is_that_of_counts():
    counts = torch.tensor([[4.0, 1], [2, 3]])
    assert macro_f1(counts / counts.sum()) == pytest.approx(macro_f1(counts))


# Validation


def test_validation_computes_the_confusion_matrix():
    recipe = RouterRecipe()
    network = started(recipe).eval()
    batch = toy()
    with torch.inference_mode():
        logits = network(batch.lightness)
        losses = recipe.validate(network, batch)
    expected = torch.zeros(6, 6)
    for truth, answer in zip(batch.category.tolist(), logits.argmax(dim=1).tolist(), strict=True):
        expected[truth, answer] += 1 / 12
    assert losses["confusion"].allclose(expected)
    picked = logits.log_softmax(dim=1)[torch.arange(12), batch.category]
    assert losses["cross entropy"].item() == pytest.approx(-picked.mean().item(), rel=1e-5)


def test_all_batches_together_are_scored_and_not_the_mean_of_their_scores():
    recipe = RouterRecipe()
    network = started(recipe).eval()
    whole = toy()
    with torch.inference_mode():
        together = recipe.score(recipe.validate(network, whole))
        parts = [
            recipe.validate(network, Batch(whole.lightness[part], whole.ab[part], whole.category[part]))
            for part in (slice(0, 6), slice(6, 12))
        ]
    again = recipe.score({name: (parts[0][name] + parts[1][name]) / 2 for name in parts[0]})
    assert list(together) == ["one minus macro F1", "cross entropy", "accuracy"]
    assert again == pytest.approx(together, rel=1e-4)


def test_the_best_is_the_one_with_the_highest_macro_f1():
    recipe = RouterRecipe()
    confusion = torch.tensor([[4.0, 1], [2, 3]]) / 10
    scores = recipe.score({"cross entropy": torch.tensor(0.7), "confusion": confusion})
    assert scores["one minus macro F1"] == pytest.approx(1 - (8 / 11 + 6 / 9) / 2)
    assert scores["accuracy"] == pytest.approx(0.7)
    assert scores["cross entropy"] == pytest.approx(0.7)


def test_pictures_without_a_category_count_for_nothing():
    recipe = RouterRecipe()
    network = started(recipe).eval()
    batch = toy()
    some = Batch(batch.lightness, batch.ab, torch.where(torch.arange(12) < 6, batch.category, -1))
    with torch.inference_mode():
        half, first = (
            recipe.validate(network, each)
            for each in (some, Batch(batch.lightness[:6], batch.ab[:6], batch.category[:6]))
        )
    assert half["confusion"].sum().item() == pytest.approx(0.5)
    assert half["confusion"].allclose(first["confusion"] / 2)
    assert half["cross entropy"].item() == pytest.approx(first["cross entropy"].item() / 2, rel=1e-4)


# Learning


def test_a_step_is_sgd_on_the_cross_entropy():
    recipe = RouterRecipe(learning_rate=0.1, momentum=0.9, weight_decay=0.01, label_smoothing=0.2)
    network = started(recipe)
    plain = deepcopy(network)
    batch = toy()
    loss = recipe.step(batch)["cross entropy"]
    log = plain(batch.lightness).log_softmax(dim=1)
    expected = -(0.8 * log[torch.arange(12), batch.category] + 0.2 * log.mean(dim=1)).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs - 0.1 * (theirs.grad + 0.01 * theirs), atol=1e-5)


def test_the_defaults_are_those_of_the_paper():
    recipe = RouterRecipe()
    started(recipe)
    group = recipe.optimization.optimizers[0].param_groups[0]
    assert isinstance(recipe.optimization.optimizers[0], torch.optim.SGD)
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (7.5e-4, 0.9, 0.0)


def test_a_few_steps_teach_categories():
    recipe = RouterRecipe(learning_rate=0.02, schedule="cosine", label_smoothing=0.1)
    network = started(recipe, steps=60)
    for _ in range(60):
        recipe.step(toy())
    with torch.inference_mode():
        scores = recipe.score(recipe.validate(network.eval(), toy()))
    assert scores["one minus macro F1"] < 0.3
    assert scores["accuracy"] > 0.7


def test_a_resumed_recipe_makes_the_same_step():
    settings = {"schedule": "cosine", "weight_decay": 0.01}
    recipe, resumed = RouterRecipe(**settings), RouterRecipe(**settings)
    network = started(recipe)
    for _ in range(3):
        recipe.step(toy())
    resumed.load(deepcopy(recipe.state()))
    again = Pix2Pix().build(**ROUTER)
    again.load_state_dict(deepcopy(network.state_dict()))
    resumed.start(again, Fabric(accelerator="cpu", devices=1), 10)
    assert recipe.step(toy()) == resumed.step(toy())
    for one, other in zip(network.state_dict().values(), again.state_dict().values(), strict=True):
        assert one.equal(other)


def test_it_colors_no_sample_sheets():
    assert not RouterRecipe.paints


# What it cannot learn from


@pytest.mark.parametrize(
    ("categories", "said"),
    [
        ([], "animals, city, nature, others, people, scenery missing"),
        (["animals", "city", "people"], "nature, others, scenery missing"),
        ([*CATEGORIES[:5], "sea"], "scenery missing; sea unknown"),
        ([*CATEGORIES, "sea"], "categories: sea unknown"),
    ],
)
def test_data_with_other_categories_is_refused_with_what_is_missing(categories, said):
    with pytest.raises(DataError, match=said) as caught:
        RouterRecipe().survey([], categories)
    assert "folders named animals, city, nature, others, people, scenery" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"schedule": "linear"}, "schedule must be one of .* got 'linear'"),
        ({"label_smoothing": 1.0}, "label_smoothing must be in 0..1"),
        ({"label_smoothing": -0.1}, "label_smoothing must be in 0..1"),
    ],
)
def test_an_invalid_setting_is_an_error(settings, said):
    with pytest.raises(ValueError, match=said):
        RouterRecipe(**settings)


def test_only_a_router_can_be_trained():
    with pytest.raises(UsageError, match="trains a router"):
        RouterRecipe().start(Pix2Pix().build(**SMALL), Fabric(accelerator="cpu", devices=1), 10)
