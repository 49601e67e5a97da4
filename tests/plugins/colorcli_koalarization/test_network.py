"""The network against the published one, written here a second time from its tables of layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from colorcli.errors import UsageError
from colorcli_koalarization.network import KoalarizationNetwork

# Name in our state dict, channels before and after, kernel, stride: the paper's tables.
ENCODER = [
    ("encoder.0.conv", 1, 64, 3, 2),
    ("encoder.1.conv", 64, 128, 3, 1),
    ("encoder.2.conv", 128, 128, 3, 2),
    ("encoder.3.conv", 128, 256, 3, 1),
    ("encoder.4.conv", 256, 256, 3, 2),
    ("encoder.5.conv", 256, 512, 3, 1),
    ("encoder.6.conv", 512, 512, 3, 1),
    ("encoder.7.conv", 512, 256, 3, 1),
]
FUSION = ("fusion.conv", 1256, 256, 1, 1)
DECODER = [
    ("decoder.0.conv", 256, 128, 3, 1),
    ("upsample",),
    ("decoder.2.conv", 128, 64, 3, 1),
    ("decoder.3.conv", 64, 64, 3, 1),
    ("upsample",),
    ("decoder.5.conv", 64, 32, 3, 1),
]
OUTPUT = ("decoder.6", 32, 2, 3, 1)
CONVOLUTIONS = [layer for layer in [*ENCODER, FUSION, *DECODER, OUTPUT] if layer != ("upsample",)]


def variables(seed=0):
    """Kernels (kh, kw, in, out) and biases as TensorFlow keeps them, of a scale that keeps the signal alive."""
    chance = torch.Generator().manual_seed(seed)
    made = {}
    for name, before, after, kernel, _ in CONVOLUTIONS:
        scale = (2 / (before * kernel**2)) ** 0.5
        made[name] = (
            torch.randn(kernel, kernel, before, after, generator=chance) * scale,
            torch.randn(after, generator=chance) * 0.1,
        )
    return made


def published(variables, lightness, embedding):
    """Compute the published ab (B, 2, H, W) of L* (B, 1, H, W) and embeddings (B, 1000), plainly."""

    def run(x, layers, activation=torch.relu):
        for name, *shape in layers:
            if name == "upsample":
                x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            else:
                x = activation(same(x, *variables[name], stride=shape[-1]))
        return x

    encoded = run(lightness / 50 - 1, ENCODER)
    fused = torch.empty(len(encoded), 1256, *encoded.shape[2:])
    fused[:, :256] = encoded
    for y in range(encoded.shape[2]):
        for x in range(encoded.shape[3]):
            fused[:, 256:, y, x] = embedding
    ab = run(run(run(fused, [FUSION]), DECODER), [OUTPUT], torch.tanh)
    return run(ab, [("upsample",)]) * 127


def same(x, kernel, bias, stride):
    """Convolve with TensorFlow's padding SAME: as many outputs as strides fit, the odd row or column at the end."""
    pads = []
    for side in (x.shape[3], x.shape[2]):  # the last dimension first, as `pad` wants it
        outputs = -(-side // stride)
        padding = max(0, (outputs - 1) * stride + kernel.shape[0] - side)
        pads += [padding // 2, padding - padding // 2]
    return functional.conv2d(functional.pad(x, pads), kernel.permute(3, 2, 0, 1), bias, stride)


@pytest.fixture(scope="module")
def network():
    made = KoalarizationNetwork(extractor="inception-v3").eval()
    for name, (kernel, bias) in variables().items():
        layer = made.get_submodule(name)
        layer.weight.data.copy_(kernel.permute(3, 2, 0, 1))
        layer.bias.data.copy_(bias)
    return made


def pictures(height, width, batch=2):
    chance = torch.Generator().manual_seed(1)
    noise = torch.rand(batch, 1, height // 8, width // 8, generator=chance) * 100
    return functional.interpolate(noise, (height, width), mode="bicubic").clamp(0, 100)


def embeddings(batch=2):
    return torch.randn(batch, 1000, generator=torch.Generator().manual_seed(2)) * 2


# As published


def test_the_layers_are_those_of_the_paper(network):
    found = {
        name: (layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0])
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and not name.startswith("extractor.")
    }
    assert found == {name: tuple(shape) for name, *shape in CONVOLUTIONS}
    ups = [name for name, layer in network.named_modules() if isinstance(layer, nn.Upsample)]
    assert ups == ["decoder.1", "decoder.4"]


def test_without_the_extractor_it_has_6_6_million_parameters(network):
    learned = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    assert learned == 6_573_794
    assert learned == sum(k**2 * before * after + after for _, before, after, k, _ in CONVOLUTIONS)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (64, 104)])
def test_its_colors_are_those_of_the_published_network(network, height, width):
    lightness, embedding = pictures(height, width), embeddings()
    with torch.inference_mode():
        expected = published(variables(), lightness, embedding)
        ab = network.to_ab(network.color(lightness, embedding))
    assert expected.std() > 5
    doubled = ab.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert (doubled - expected).abs().max() < 1e-3


def test_the_embedding_matters_at_every_place(network):
    lightness = pictures(32, 32)
    with torch.inference_mode():
        one = network.color(lightness, embeddings())
        other = network.color(lightness, embeddings().flip(0))
    assert ((one - other).abs().amax(dim=(0, 1)) > 1e-3).all()


# Ours


def test_the_channels_are_shares_of_the_published_ones_in_multiples_of_8():
    narrow = KoalarizationNetwork(0.375, norm=True, extractor="none")
    found = [layer.out_channels for layer in narrow.modules() if isinstance(layer, nn.Conv2d)]
    assert found == [24, 48, 48, 96, 96, 192, 192, 96, 96, 48, 24, 24, 16, 2]


def test_with_norm_every_convolution_but_the_last_has_one_instead_of_a_bias():
    network = KoalarizationNetwork(0.1, norm=True, extractor="none")
    *inner, last = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()) == len(inner) == 13
    assert all(layer.bias is None for layer in inner)
    assert last.bias is not None


def test_an_untrained_network_is_nearly_gray():
    torch.manual_seed(0)
    network = KoalarizationNetwork(0.5, extractor="none").eval()
    with torch.inference_mode():
        assert network.to_ab(network(pictures(64, 64))).abs().mean() < 10


def test_with_bins_the_color_is_the_mean_of_each_distribution():
    network = KoalarizationNetwork(0.1, bins=4, extractor="none")
    probability = torch.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]])
    logits = (probability.log() + 3).clamp(min=-50).view(1, 8, 1, 1).expand(1, 8, 2, 3)
    quarters = [-127 * 3 / 4, -127 / 4, 127 / 4, 127 * 3 / 4]
    a = sum(p * center for p, center in zip([0.1, 0.2, 0.3, 0.4], quarters, strict=True))
    ab = network.to_ab(logits)
    assert ab.shape == (1, 2, 2, 3)
    assert ab[0, 0].flatten().tolist() == pytest.approx([a] * 6, rel=1e-4)
    assert ab[0, 1].flatten().tolist() == pytest.approx([quarters[0]] * 6, rel=1e-4)


def test_with_bins_the_network_gives_logits_for_a_and_for_b():
    network = KoalarizationNetwork(0.1, bins=5, extractor="none")
    assert network(pictures(32, 40)).shape == (2, 10, 16, 20)


def test_sides_that_are_not_multiples_of_8_are_an_error():
    network = KoalarizationNetwork(0.1, extractor="none")
    with pytest.raises(UsageError, match="multiples of 8, got 40x36"):
        network(torch.zeros(1, 1, 36, 40))


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"width": 0.0}, "width must be above 0"),
        ({"bins": 1}, "bins 0 or at least 2"),
        ({"bins": -1}, "bins 0 or at least 2"),
        ({"extractor": "vgg16"}, "extractor must be one of inception-resnet-v2, inception-v3"),
        ({"extractor": "none", "dimensions": 4}, "dimensions must be from 1 to 0 for the extractor none, got 4"),
        ({"extractor": "resnet34-grey", "extractor_size": 8}, "size 32 or more"),
    ],
)
def test_an_invalid_hyperparameter_is_an_error(hyperparameters, said):
    with pytest.raises(ValueError, match=said):
        KoalarizationNetwork(**hyperparameters)
