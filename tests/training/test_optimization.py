import copy
import functools
import textwrap

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

import colorcli
from colorcli.training import optimization
from colorcli.training.optimization import ChromaWeight, Optimization

STEPS = 6


def network():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def start(optimization, module, steps=STEPS):
    inner = [torch.optim.Adam([module.weight], lr=0.1), torch.optim.Adam([module.bias], lr=0.2)]
    return optimization.start(Fabric(accelerator="cpu"), module, inner, lambda progress: 1 - progress, steps)


def loss_of(module):
    return (module(torch.ones(4, 3)) - 5).square().mean()


def test_the_loss_decreases_and_every_learning_rate_follows_the_schedule():
    optimization = Optimization()
    ready = start(optimization, network())
    losses, rates = [], []
    for _ in range(STEPS):
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in optimization.optimizers])
        losses.append(loss_of(ready))
        optimization.step(losses[-1])
    assert losses[-1] < losses[0]
    expected = [[0.1 * (1 - step / STEPS), 0.2 * (1 - step / STEPS)] for step in range(STEPS)]
    assert [rate for pair in rates for rate in pair] == pytest.approx([rate for pair in expected for rate in pair])


def test_a_resumed_optimization_gives_the_same_result_as_an_uninterrupted_one():
    whole, first = Optimization(), Optimization()
    never_stopped, stopped = start(whole, network()), start(first, network())
    for _ in range(3):
        whole.step(loss_of(never_stopped))
        first.step(loss_of(stopped))
    second = Optimization()
    second.load(copy.deepcopy(first.state()))
    resumed = start(second, copy.deepcopy(stopped.module))
    for _ in range(3):
        whole.step(loss_of(never_stopped))
        second.step(loss_of(resumed))
    assert torch.equal(never_stopped.weight, resumed.weight)
    assert torch.equal(never_stopped.bias, resumed.bias)


def test_gradients_do_not_accumulate_over_steps():
    optimization = Optimization()
    ready = start(optimization, network())
    optimization.step(loss_of(ready))
    gradient = ready.weight.grad.clone()
    expected = torch.autograd.grad(loss_of(ready), ready.weight)[0]
    optimization.step(loss_of(ready))
    assert not torch.equal(gradient, ready.weight.grad)
    assert torch.allclose(ready.weight.grad, expected)


def plain(*ab, count=1):
    return torch.tensor(ab, dtype=torch.float32)[None, :, None, None].expand(count, -1, 4, 4)


def test_saturated_colors_have_more_weight_and_the_mean_is_1():
    weight = ChromaWeight(2.0)
    weight.survey([plain(0, 0, count=3), plain(30, 40)])
    assert weight.mean == pytest.approx((3 * 1 + 3) / 4)
    assert weight(plain(30, 40)).unique().item() == pytest.approx(3 / 1.5)
    assert weight(plain(0, 0)).shape == (1, 1, 4, 4)


def test_without_strength_all_pixels_have_equal_weight():
    weight = ChromaWeight(0.0)
    weight.survey([plain(30, 40)])
    assert weight(plain(60, -80)).unique().item() == 1


def test_a_negative_strength_is_an_error():
    with pytest.raises(ValueError, match="chroma_weight must be 0 or more, got -1"):
        ChromaWeight(-1.0)


def test_the_example_of_the_module_is_a_recipe_that_trains():
    source = textwrap.dedent(optimization.__doc__.split("and little else:")[1].strip("\n"))
    names = {name: value for module in (colorcli, optimization) for name, value in vars(module).items()}
    names |= {"Recipe": colorcli.Recipe, "partial": functools.partial, "torch": torch}
    exec(source.replace("(Recipe)", ""), names)  # without `validate`, which the example leaves out
    recipe = names["MyRecipe"](learning_rate=0.1)
    recipe.start(nn.Conv2d(1, 2, 1), Fabric(accelerator="cpu"), 20)
    batch = colorcli.Batch(torch.full((2, 1, 4, 4), 0.5), torch.full((2, 2, 4, 4), 20.0), torch.zeros(2))
    losses = [recipe.step(batch)["loss"].item() for _ in range(20)]
    assert losses[-1] < losses[0]
    assert set(recipe.state()) == {"optimizers", "schedulers"}
