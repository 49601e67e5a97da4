import pytest
import torch
from torch import nn

from colorcli.encoders import EncoderTraining, GrayEncoder
from colorcli.encoders.pretrained import read_wheel
from colorcli.errors import UsageError


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = GrayEncoder("efficientnet-lite0")
        self.head = nn.Linear(2, 2)


def test_a_new_network_gets_the_published_weights():
    network = Network()
    EncoderTraining("published", 0.1).start(network)
    expected = read_wheel("efficientnet-lite0")["blocks.3.project_conv.bias"]
    assert torch.equal(network.encoder.model.blocks[3].project_conv.bias, expected)


def test_a_network_that_continues_keeps_its_own_weights():
    network = Network()
    own = {key: value + 1 for key, value in network.state_dict().items()}
    network.load_state_dict(own)
    EncoderTraining("published", 0.1).start(network)
    assert torch.equal(network.encoder.model.conv_stem.weight, own["encoder.model.conv_stem.weight"])


def test_an_encoder_learns_at_its_share_of_the_rate():
    network = Network()
    training = EncoderTraining("random", 0.1)
    training.start(network)
    others, encoder = training.groups(network, 0.02)
    assert (others["lr"], encoder["lr"]) == (0.02, pytest.approx(0.002))
    assert {id(p) for p in others["params"]} == {id(p) for p in network.head.parameters()}
    assert {id(p) for p in encoder["params"]} == {id(p) for p in network.encoder.parameters()}


@pytest.mark.parametrize(("finest", "first"), [(2, 0), (4, 1), (8, 3), (16, 5), (32, 11)])
def test_an_encoder_learns_from_the_given_stride(finest, first):
    network = Network()
    EncoderTraining("random", 1.0, finest).start(network)
    model = network.encoder.model
    assert model.conv_stem.weight.requires_grad == (finest == 2)
    learning = [all(p.requires_grad for p in block.parameters()) for block in model.blocks]
    assert learning == [index >= first for index in range(len(model.blocks))]


def test_a_stride_that_the_encoder_does_not_have_raises_usage_error():
    with pytest.raises(UsageError, match="encoder_stride must be 2, 4, 8, 16, 32, got 3"):
        EncoderTraining("random", 1.0, 3).start(Network())


def test_a_frozen_encoder_is_in_no_group():
    network = Network()
    training = EncoderTraining("random")
    training.start(network)
    (only,) = training.groups(network, 0.02)
    assert {id(p) for p in only["params"]} == {id(p) for p in network.head.parameters()}


def test_a_network_without_an_encoder_of_ours_is_left_alone():
    plain = nn.Module()
    plain.encoder = nn.Linear(2, 2)
    training = EncoderTraining("published", 0.1)
    training.start(plain)
    (only,) = training.groups(plain, 0.02)
    assert len(only["params"]) == 2
