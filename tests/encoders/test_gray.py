import pytest
import torch

from colorcli.encoders import EfficientNetLite, GrayEncoder, give_weights
from colorcli.encoders.pretrained import read_wheel
from colorcli.inference.device import choose
from colorcli.inference.placement import place


def test_it_sees_in_lightness_what_the_network_sees_in_a_gray_picture():
    encoder = GrayEncoder("efficientnet-lite0")
    give_weights(encoder)
    rgb = EfficientNetLite(classes=1000)
    rgb.load_state_dict(read_wheel("efficientnet-lite0"))
    luma = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    linear = torch.where(luma <= 0.04045, luma / 12.92, ((luma + 0.055) / 1.055) ** 2.4)
    lightness = torch.where(linear > 216 / 24389, 116 * linear ** (1 / 3) - 16, linear * 24389 / 27)
    with torch.inference_mode():
        seen = encoder(lightness)
        expected = rgb.features((luma.expand(-1, 3, -1, -1) * 255 - 127) / 128)
    for mine, theirs in zip(seen, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-3, rtol=1e-3)


def test_it_stays_in_eval_mode():
    assert not GrayEncoder("efficientnet-lite0").train().training


def test_a_timm_encoder_returns_its_pyramid():
    pytest.importorskip("timm")
    encoder = GrayEncoder("timm/resnet10t")
    pyramid = encoder(torch.zeros(1, 1, 64, 64))
    assert [each.shape[1] for each in pyramid] == list(encoder.channels)
    assert [64 // each.shape[-1] for each in pyramid] == list(encoder.strides)


@pytest.mark.parametrize("name", ["resnet", "timm/there-is-none"])
def test_unknown_names_are_reported(name):
    if name.startswith("timm"):
        pytest.importorskip("timm")
    with pytest.raises(ValueError, match="encoder"):
        GrayEncoder(name)


def test_a_network_that_predicts_learns_nothing():
    encoder = place(GrayEncoder("efficientnet-lite0"), choose("cpu", "fp32"))
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
