from copy import deepcopy

import pytest
import torch
from lightning_fabric import Fabric

from colorcli import Batch
from colorcli_pix2pix import Pix2Pix
from colorcli_pix2pix.categories import CATEGORIES
from colorcli_pix2pix.router_recipe import RouterRecipe

ROUTER = {"kind": "router", "router_width": 4, "router_size": 32}
TAUGHT = {"teacher": "efficientnet-lite0", "teaching": 0.5, "learning_rate": 0.05}


def toy(count=12):
    """Pictures whose category is how light they are."""
    category = torch.arange(count) % 6
    noise = torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 8
    return Batch(category.view(-1, 1, 1, 1) * 18 + noise, torch.zeros(count, 2, 32, 32), category)


def started(recipe, steps):
    torch.manual_seed(0)
    network = Pix2Pix().build(**ROUTER)
    recipe.start(network, Fabric(accelerator="cpu", devices=1), steps)
    return network.train()


def weights(network):
    return {name: value.clone() for name, value in network.named_parameters()}


def changed(network, before):
    return any(not torch.equal(value, before[name]) for name, value in network.named_parameters())


def test_the_teacher_learns_first_and_the_router_then():
    recipe = RouterRecipe(**TAUGHT)
    router = started(recipe, steps=8)
    teacher = recipe.teacher._classifier
    before = weights(router), weights(teacher)
    losses = [recipe.step(toy())["cross entropy"] for _ in range(4)]
    assert losses[-1] < losses[0]
    assert not changed(router, before[0])
    assert changed(teacher, before[1])
    before = weights(router), weights(teacher)
    recipe.step(toy())
    assert changed(router, before[0])
    assert not changed(teacher, before[1])


def test_a_router_that_trusts_its_teacher_alone_never_sees_the_labels():
    recipes = [RouterRecipe(**TAUGHT, trust=1.0) for _ in range(2)]
    routers = [started(recipe, steps=2) for recipe in recipes]
    for recipe in recipes:
        recipe.step(toy())
    recipes[0].step(toy())
    recipes[1].step(Batch(toy().lightness, toy().ab, toy().category.flip(0)))
    for one, other in zip(*(router.parameters() for router in routers), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("done", [1, 3])
def test_interrupted_teaching_resumes_as_if_it_had_not_been(done):
    straight, broken = RouterRecipe(**TAUGHT), RouterRecipe(**TAUGHT)
    routers = [started(recipe, steps=4) for recipe in (straight, broken)]
    for _ in range(done):
        straight.step(toy())
        broken.step(toy())
    resumed = RouterRecipe(**TAUGHT)
    resumed.load(deepcopy(broken.state()))
    network = Pix2Pix().build(**ROUTER)
    network.load_state_dict(routers[1].state_dict())
    resumed.start(network, Fabric(accelerator="cpu", devices=1), 4)
    network.train()
    for _ in range(done, 4):
        expected, got = straight.step(toy()), resumed.step(toy())
        assert got["cross entropy"].item() == pytest.approx(expected["cross entropy"].item(), rel=1e-4)
    for (name, mine), theirs in zip(network.named_parameters(), routers[0].parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, msg=name)


def test_validation_measures_the_teacher():
    recipe = RouterRecipe(**TAUGHT)
    router = started(recipe, steps=8)
    means = recipe.validate(router.eval(), toy())
    assert means["teacher's confusion"].sum().item() == pytest.approx(1)
    assert 0 <= recipe.score(means)["teacher's macro F1"] <= 1
    assert len(CATEGORIES) == len(means["teacher's confusion"])
