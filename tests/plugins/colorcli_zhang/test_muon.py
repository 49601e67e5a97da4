from copy import deepcopy

import pytest
import torch
from torch import nn

from colorcli_zhang.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(64, 16), (16, 64), (48, 48), (1, 9), (128, 3)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_singular_values_come_near_one(shape, scale):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3)) * scale
    wanted = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalize(matrix)
    assert found.dtype == matrix.dtype
    values = torch.linalg.svdvals(found)
    large = 0.05 * wanted.S[0] < wanted.S  # the iteration brings small ones up only so far
    assert values[: int(large.sum())].min() > 0.5
    assert values.max() < 1.3
    assert (found * (wanted.U @ wanted.Vh)).sum() > 0.8 * found.norm() * min(shape) ** 0.5  # no direction is turned


def test_a_zero_gradient_changes_nothing():
    assert orthogonalize(torch.zeros(4, 6)).equal(torch.zeros(4, 6))


def steps(weight, optimizer, count):
    for _ in range(count):
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        optimizer.step()
    return weight.square().sum().item()


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (4, 8), (32, 2, 1, 1)])
def test_steps_lower_a_quadratic(shape):
    weight = nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    before = weight.square().sum().item()
    assert steps(weight, Muon([weight], lr=0.05), 20) < 0.8 * before


def test_weight_decay_shrinks_what_has_no_gradient():
    weight = nn.Parameter(torch.ones(4, 4))
    optimizer = Muon([weight], lr=0.1, weight_decay=0.5)
    weight.grad = torch.zeros(4, 4)
    optimizer.step()
    assert weight.detach().flatten().tolist() == pytest.approx([0.95] * 16)


def test_the_state_can_be_saved_and_restored():
    weight = nn.Parameter(torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0)))
    optimizer = Muon([weight], lr=0.05)
    steps(weight, optimizer, 3)
    copy = nn.Parameter(weight.detach().clone())
    again = Muon([copy], lr=0.5)
    again.load_state_dict(deepcopy(optimizer.state_dict()))
    steps(weight, optimizer, 3)
    steps(copy, again, 3)
    assert copy.equal(weight)
