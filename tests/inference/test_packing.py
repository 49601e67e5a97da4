import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from colorcli import load
from colorcli.encoders.efficientnet_lite import SameConv2d
from colorcli.inference.device import choose
from colorcli.inference.packing import pack, unpack
from colorcli.inference.placement import place

FP32, BF16 = choose("cpu", "fp32"), choose("cpu", "bf16")
PICTURE = torch.linspace(-2, 9, 2 * 3 * 9 * 7).view(2, 3, 9, 7)


class Clipped(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 4, 3)
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, x):
        return self.activation(super().forward(x))


def chain(*, inplace=True):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace), nn.Conv2d(4, 2, 1, bias=False))


def computed(network, picture=PICTURE):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        return network(picture).float()


def packed_layers(network):
    packed = [vars(layer)["_conv_forward"] for layer in network.modules() if "_conv_forward" in vars(layer)]
    return [each for each in packed if each._weights]


needs_packing = pytest.mark.skipif(
    not vars(place(nn.Conv2d(1, 1, 1), BF16)).get("_conv_forward"), reason="convolutions are not packed on this CPU"
)


@needs_packing
@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.Conv2d(3, 6, (3, 1), padding=(1, 0), dilation=2, bias=False),
        nn.Conv2d(3, 3, 5, padding=2, groups=3),
    ],
)
def test_a_packed_convolution_computes_what_torch_does(convolution):
    expected = computed(convolution)
    assert torch.allclose(computed(placed := place(convolution, BF16)), expected, atol=0.05)
    assert packed_layers(placed)
    for shape in ((1, 3, 16, 5), (4, 3, 8, 8)):  # not those that the weights were laid out for
        picture = torch.rand(shape)
        assert torch.allclose(computed(placed, picture), computed(unpacked(placed), picture), atol=0.05)


def unpacked(convolution):
    plain = copy.deepcopy(convolution)
    unpack(plain)
    return plain


@needs_packing
@pytest.mark.parametrize("make", [chain, Clipped])
def test_an_activation_in_place_joins_its_convolution(make):
    network = make().eval()
    expected = computed(network)
    assert torch.allclose(computed(place(network, BF16)), expected, atol=0.05)
    assert packed_layers(network)
    assert not any(isinstance(layer, (nn.ReLU, nn.ReLU6)) for layer in network.modules())


@needs_packing
@pytest.mark.parametrize("make", [chain, Clipped])
def test_a_network_may_be_placed_again_and_copied(make):
    network = make().eval()
    expected = computed(network)
    for device in (BF16, FP32, BF16):
        assert torch.allclose(computed(place(network, device)), expected, atol=0.1)
    assert torch.allclose(computed(copy.deepcopy(network)), expected, atol=0.1)
    for layer in network.modules():
        unpack(layer)
    assert not packed_layers(network)
    assert torch.allclose(computed(network), expected, atol=0.1)


def test_an_activation_stays_where_its_input_can_be_seen():
    for network in (chain(inplace=False), watched(chain(), 0), watched(chain(), 2)):
        place(network, BF16)
        assert type(network[2]) is nn.ReLU


def watched(network, index):
    if index == 0:
        network[1] = nn.Identity()  # or folding would stop first
    network[index].register_forward_hook(lambda *_: None)
    return network


def test_a_convolution_in_two_chains_is_activated_only_where_it_should_be():
    shared = nn.Conv2d(3, 3, 1)
    first, second = nn.Sequential(shared, nn.ReLU(inplace=True)), nn.Sequential(shared)
    expected = computed(nn.Sequential(copy.deepcopy(first), copy.deepcopy(second)))
    both = place(nn.Sequential(first, second), BF16)
    assert torch.allclose(computed(both), expected, atol=0.1)
    assert computed(both).min() < 0


def test_convolutions_that_do_more_than_torchs_are_left_alone():
    class Own(nn.Conv2d):
        def _conv_forward(self, x, weight, bias):
            return super()._conv_forward(x, weight * 2, bias)

    normalized = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    for convolution in (Own(3, 4, 3), nn.Conv2d(3, 4, 3, padding="same"), normalized):
        pack(convolution.bfloat16())
        assert "_conv_forward" not in vars(convolution)


def test_gradients_and_pictures_without_a_batch_are_computed_as_by_torch():
    convolution = place(nn.Conv2d(3, 4, 3), BF16)
    picture = PICTURE.bfloat16()
    expected = functional.conv2d(picture[0], convolution.weight, convolution.bias)
    assert torch.allclose(convolution(picture[0]), expected, atol=0.05)
    picture.requires_grad_()
    convolution(picture).sum().backward()
    assert picture.grad.abs().sum() > 0
    with pytest.raises(RuntimeError, match="channels"):
        convolution(PICTURE[:, :2].bfloat16())


def test_a_strided_convolution_is_computed_alike_for_even_and_odd_sides_in_any_order():
    torch.manual_seed(0)
    network = SameConv2d(3, 6, 3, stride=2).eval()
    pictures = [
        torch.rand(1, 3, *sides, generator=torch.Generator().manual_seed(1)) for sides in ((8, 8), (9, 8), (8, 7))
    ]
    with torch.inference_mode():
        expected = [network(each) for each in pictures]
        place(network, BF16)
        for each, wanted in zip(pictures, expected, strict=True):
            assert torch.allclose(computed(network, each), wanted, atol=0.05)


@needs_packing
def test_weights_are_laid_out_anew_for_another_number_of_threads():
    network = place(chain(), BF16)
    threads = torch.get_num_threads()
    try:
        for number in (1, 2, 1):
            torch.set_num_threads(number)
            computed(network)
    finally:
        torch.set_num_threads(threads)
    assert {len(each._weights) for each in packed_layers(network)} == {2}


@needs_packing
@pytest.mark.parametrize("name", ["zhang", "pix2pix"])
def test_bundled_networks_predict_the_same_bits_in_any_batch(name):
    model = load(f"{name}.starter", device="cpu", precision="bf16")
    lightness = torch.rand(4, 1, model.size, model.size, generator=torch.Generator().manual_seed(0)) * 100
    one_by_one = [model.predict(each) for each in lightness.split(1)]
    assert torch.equal(model.predict(lightness), torch.cat(one_by_one))
