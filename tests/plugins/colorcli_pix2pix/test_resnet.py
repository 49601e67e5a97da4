"""The router's network against torchvision's."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import resnet34

from colorcli_pix2pix.resnet import ResNet34
from tests.plugins.colorcli_pix2pix.networks import enliven, pictures


@pytest.fixture(scope="module")
def published():
    """Torchvision's, with one channel instead of three."""
    network = resnet34(num_classes=6)
    network.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    return enliven(network)


def test_the_keys_and_shapes_are_those_of_torchvision(published):
    ours = {key: value.shape for key, value in ResNet34().state_dict().items()}
    assert ours == {key: value.shape for key, value in published.state_dict().items()}


def test_torchvision_gives_the_same_logits_with_the_same_weights(published):
    network = ResNet34(size=64).eval()
    network.load_state_dict(published.state_dict())
    lightness = pictures(3, 64)
    with torch.no_grad():
        expected = published((lightness - 50) / 25)
        found = network(lightness)
    assert expected.std() > 0.1
    assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4)


def test_features_are_what_the_last_layer_classifies():
    network = enliven(ResNet34(4, size=32))
    with torch.no_grad():
        features = network.features(pictures())
        assert features.shape == (6, 32)
        assert torch.allclose(network(pictures()), network.fc(features))


def test_it_looks_at_a_copy_of_its_own_size():
    network = enliven(ResNet34(4, size=32))
    large = pictures(2, 96)
    small = functional.interpolate(large, (32, 32), mode="bilinear", antialias=True)
    with torch.no_grad():
        assert torch.allclose(network(large), network(small), atol=1e-5)
        assert network(pictures(2, 64)[..., :40]).shape == (2, 6)


def test_a_quarter_of_the_width_is_as_deep():
    layers = [
        sum(
            isinstance(module, (nn.Conv2d, nn.Linear))
            for name, module in network.named_modules()
            if "down" not in name
        )
        for network in (ResNet34(), ResNet34(16))
    ]
    assert layers == [34, 34]


@pytest.mark.parametrize("arguments", [{"width": 0}, {"classes": 0}, {"size": 16}])
def test_an_invalid_argument_is_an_error(arguments):
    with pytest.raises(ValueError, match="width and classes must be 1 or more and size 32 or more"):
        ResNet34(**arguments)
