import pytest
import torch
from torch import nn

from colorcli import Colorizer
from colorcli.weights.fitting import build, build_network
from colorcli.weights.initialization import ZeroInitialization


class Drawing(nn.Module):
    """Draws weights in every way that layers do, and a fixed projection that is not in its state dict."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ConvTranspose2d(8, 4, 2))
        self.attention = nn.MultiheadAttention(8, 2)
        self.embedding = nn.Embedding(3, 8)
        nn.init.kaiming_normal_(self.layers[0].weight)
        nn.init.trunc_normal_(self.layers[2].weight)
        self.register_buffer("projection", torch.randn(8, 4), persistent=False)


class Draws(Colorizer):
    name = "draws"

    def build(self):
        return Drawing()

    def predict(self, network, lightness):
        return lightness.new_zeros(len(lightness), 2, 1, 1)


@pytest.fixture
def state():
    torch.manual_seed(0)
    return Drawing().state_dict()


def test_a_network_has_the_weights_that_were_loaded(state, tmp_path):
    network = build_network(Draws(), state, {}, tmp_path / "weights")
    assert all(torch.equal(found, state[name]) for name, found in network.state_dict().items())


def test_random_values_are_drawn_only_where_none_are_loaded(state, tmp_path):
    torch.manual_seed(1)
    projection, after = torch.randn(8, 4), torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(build_network(Draws(), state, {}, tmp_path / "weights").projection, projection)
    assert torch.equal(torch.get_rng_state(), after)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_parameters_are_zero_until_weights_are_loaded_or_the_network_sets_them(dtype):
    with ZeroInitialization():
        layer = nn.Conv2d(2, 8, 3, dtype=dtype)
    assert layer.weight.dtype == dtype
    assert not layer.weight.any()
    nn.init.ones_(layer.weight)
    assert layer.weight.sum() == 2 * 8 * 3 * 3


def test_a_network_that_is_built_without_weights_is_random():
    network = build(Draws(), {})
    assert all(parameter.std() > 0 for parameter in network.attention.parameters() if parameter.ndim > 1)
