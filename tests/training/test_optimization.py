"""A loss goes down, at the scheduled rates, and a descent that was stopped goes on as if it had not been."""

import copy

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from colorcli.training.optimization import ChromaWeight, Descent

STEPS = 6


def network():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def set_out(descent, module, steps=STEPS):
    inner = [torch.optim.Adam([module.weight], lr=0.1), torch.optim.Adam([module.bias], lr=0.2)]
    return descent.start(Fabric(accelerator="cpu"), module, inner, lambda progress: 1 - progress, steps)


def loss_of(module):
    return (module(torch.ones(4, 3)) - 5).square().mean()


def test_the_loss_goes_down_and_every_rate_follows_the_schedule():
    descent = Descent()
    ready = set_out(descent, network())
    losses, rates = [], []
    for _ in range(STEPS):
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in descent.optimizers])
        losses.append(loss_of(ready))
        descent.step(losses[-1])
    assert losses[-1] < losses[0]
    expected = [[0.1 * (1 - step / STEPS), 0.2 * (1 - step / STEPS)] for step in range(STEPS)]
    assert [rate for pair in rates for rate in pair] == pytest.approx([rate for pair in expected for rate in pair])


def test_a_descent_goes_on_as_if_it_had_not_stopped():
    whole, first = Descent(), Descent()
    never_stopped, stopped = set_out(whole, network()), set_out(first, network())
    for _ in range(3):
        whole.step(loss_of(never_stopped))
        first.step(loss_of(stopped))
    second = Descent()
    second.load(copy.deepcopy(first.state()))
    resumed = set_out(second, copy.deepcopy(stopped.module))
    for _ in range(3):
        whole.step(loss_of(never_stopped))
        second.step(loss_of(resumed))
    assert torch.equal(never_stopped.weight, resumed.weight)
    assert torch.equal(never_stopped.bias, resumed.bias)


def test_what_one_step_leaves_behind_does_not_add_up():
    descent = Descent()
    ready = set_out(descent, network())
    descent.step(loss_of(ready))
    gradient = ready.weight.grad.clone()
    expected = torch.autograd.grad(loss_of(ready), ready.weight)[0]
    descent.step(loss_of(ready))
    assert not torch.equal(gradient, ready.weight.grad)
    assert torch.allclose(ready.weight.grad, expected)


def plain(*ab, count=1):
    return torch.tensor(ab, dtype=torch.float32)[None, :, None, None].expand(count, -1, 4, 4)


def test_saturated_colors_count_more_and_the_mean_is_one():
    weight = ChromaWeight(2.0)
    weight.survey([plain(0, 0, count=3), plain(30, 40)])
    assert weight.mean == pytest.approx((3 * 1 + 3) / 4)
    assert weight(plain(30, 40)).unique().item() == pytest.approx(3 / 1.5)
    assert weight(plain(0, 0)).shape == (1, 1, 4, 4)


def test_without_strength_all_pixels_count_alike():
    weight = ChromaWeight(0.0)
    weight.survey([plain(30, 40)])
    assert weight(plain(60, -80)).unique().item() == 1


def test_a_strength_below_nothing_is_refused():
    with pytest.raises(ValueError, match="chroma_weight from 0"):
        ChromaWeight(-1.0)
