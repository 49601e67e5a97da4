import copy
import platform

import pytest
import torch
from torch import nn

from colorcli.inference.device import choose
from colorcli.inference.packing import unpack
from colorcli.inference.placement import place
from colorcli.inference.winograd import Winograd, is_faster

FP32 = choose("cpu", "fp32")
WIDE = 96

needs_x86 = pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="only measured, and used, on x86 CPUs"
)


def convolution(before=WIDE, after=WIDE, kernel=3, **settings):
    torch.manual_seed(0)
    return nn.Conv2d(before, after, kernel, **settings).requires_grad_(requires_grad=False)


def computed(layer, x, winograd=None):
    with torch.inference_mode():
        return (winograd or Winograd(layer))(x, layer.weight, layer.bias)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("size", "settings"),
    [
        ((1, 32, 32), {"padding": 1}),
        ((1, 29, 43), {"padding": 1}),  # no multiple of a tile
        ((1, 32, 32), {"bias": False}),
        ((3, 17, 30), {"padding": (0, 2)}),
        ((1, 37, 33), {"padding": 2, "dilation": 2}),
        ((1, 40, 31), {"padding": 3, "dilation": 3}),
        ((40, 5, 7), {"padding": 1}),  # several pictures at once
    ],
)
def test_it_computes_what_torch_does_up_to_rounding(size, settings, layout):
    layer = convolution(6, 10, **settings)
    count, height, width = size
    x = torch.randn(count, 6, height, width).to(memory_format=layout)
    expected = layer(x)
    found = computed(layer, x)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 2e-5 * expected.abs().max()


def test_each_picture_of_a_batch_has_the_values_that_it_has_alone():
    layer = convolution(6, 10, padding=1)
    x = torch.randn(3, 6, 40, 40)
    assert computed(layer, x).equal(torch.cat([computed(layer, each) for each in x.split(1)]))


@pytest.mark.parametrize(
    "x",
    [
        torch.randn(1, 6, 12, 12),  # too few tiles to be faster
        torch.randn(6, 40, 40),
        torch.randn(0, 6, 40, 40),
        torch.randn(1, 6, 40, 40, requires_grad=True),
    ],
)
def test_what_it_would_not_speed_up_is_computed_by_torch(x):
    layer = convolution(6, 10, padding=1)
    winograd = Winograd(layer)
    assert winograd(x, layer.weight, layer.bias).equal(layer(x))
    assert winograd._weights is None


@needs_x86
@pytest.mark.parametrize(
    ("layer", "faster"),
    [
        (convolution(padding=1), True),
        (convolution(padding=2, dilation=2), True),
        (convolution(WIDE - 1), False),
        (convolution(kernel=5), False),
        (convolution(stride=2), False),
        (convolution(groups=2), False),
        (convolution(dilation=(1, 2)), False),
        (convolution().bfloat16(), False),
    ],
)
def test_wide_plain_convolutions_in_float32_are_faster(layer, faster):
    assert is_faster(layer) == faster


@needs_x86
def test_a_network_may_be_placed_again_and_copied():
    network = nn.Sequential(convolution(1), nn.BatchNorm2d(WIDE), nn.ReLU(inplace=True), convolution())
    x = torch.randn(1, 1, 40, 40)
    with torch.inference_mode():
        expected = network.eval()(x)
        for _ in range(2):
            assert torch.allclose(place(network, FP32)(x), expected, atol=1e-4)
            assert isinstance(network[3]._conv_forward, Winograd)
        copied = copy.deepcopy(network)
        assert copied[3]._conv_forward._weights is None
        assert torch.allclose(copied(x), expected, atol=1e-4)
        unpack(network[3])
        assert "_conv_forward" not in vars(network[3])
        assert torch.allclose(network(x), expected, atol=1e-4)
