import pytest
import torch

from colorcli.errors import UsageError
from colorcli.surfaces import smooth_surfaces
from colorcli.testing import ColorizerSuite
from colorcli_zhang import Zhang
from colorcli_zhang.bins import bin_centers
from tests.tiny import WIDTHS, tiny_network

ENCODED = {"encoder": "efficientnet-lite0", "widths": [8, 8, 8, 8]}


class TestZhang(ColorizerSuite):
    colorizer = Zhang()
    small = {"widths": WIDTHS}  # noqa: RUF012


def test_the_temperature_goes_from_vivid_to_calm():
    lightness = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    network, zhang = tiny_network(), Zhang()
    with torch.inference_mode():
        chroma = [
            zhang.predict(network, lightness, temperature=temperature).norm(dim=1).mean()
            for temperature in (0.0, 0.01, 0.38, 1.0, 2.0)
        ]
    assert chroma == sorted(chroma, reverse=True)
    assert chroma[0] > chroma[-1] + 1


def test_a_temperature_that_is_folded_in_already_is_not_applied_again():
    lightness = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    plain, folded, zhang = tiny_network(), tiny_network(folded_temperature=0.38), Zhang()
    for tensor in folded.model8[-1].parameters():
        tensor.data /= 0.38
    with torch.inference_mode():
        for temperature in (0.1, 0.38, 1.0):
            one = zhang.predict(plain, lightness, temperature=temperature)
            other = zhang.predict(folded, lightness, temperature=temperature)
            assert torch.allclose(one, other, atol=1e-2)


@pytest.mark.parametrize("text", ["-0.1", "-1", "3", "nan", "warm", ""])
def test_an_invalid_temperature_is_an_error_that_names_its_bounds(text):
    option = Zhang.options[0]
    with pytest.raises(UsageError, match=r"must be a number from 0 to 2, got"):
        option.parse(text)


def test_the_entropy_is_that_of_the_distribution_whatever_the_temperature():
    lightness = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    network, zhang = tiny_network(), Zhang()
    with torch.inference_mode():
        bits = zhang.explain(network, lightness, temperature=0.38)
        p = network(lightness).softmax(dim=1).double()
        assert torch.allclose(bits.double(), -(p * p.log2()).sum(dim=1, keepdim=True), atol=1e-4)
        assert bits.equal(zhang.explain(network, lightness, temperature=2.0))
        network.model8[-1].weight.data.zero_()
        network.model8[-1].bias.data.zero_()
        assert torch.allclose(zhang.explain(network, lightness, temperature=1.0), torch.tensor(313.0).log2())


@pytest.mark.parametrize("hyperparameters", [{"widths": WIDTHS}, ENCODED], ids=["published", "encoder"])
def test_smoothing_the_features_smooths_the_logits(hyperparameters):
    torch.manual_seed(0)
    network = Zhang().build(**hyperparameters).eval()
    torch.nn.init.normal_(next(each for each in network.modules() if getattr(each, "out_channels", 0) == 313).weight)
    lightness = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    with torch.inference_mode():
        smoothed = network(lightness, torch.full((2, 1), 20.0))
        expected = smooth_surfaces(network(lightness), lightness, 20.0)
    assert torch.allclose(smoothed, expected, atol=1e-4 * expected.abs().max())
    assert not torch.allclose(smoothed, network(lightness), atol=1e-2 * expected.abs().max())


def test_samples_differ_where_the_network_is_unsure_and_agree_where_it_is_sure():
    lightness = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    network, zhang = tiny_network(), Zhang()
    last = network.model8[-1]

    def spread():
        with torch.inference_mode():
            samples = [zhang.sample(network, lightness, seed=seed, temperature=0.38) for seed in range(4)]
        return torch.cat(samples).std(dim=0).mean()

    unsure = spread()
    last.weight.data.zero_()
    last.bias.data.zero_()
    last.bias.data[100] = 30
    assert unsure > 3
    assert spread() < 0.1


def test_a_sample_is_coherent():
    network, zhang = tiny_network(), Zhang()
    with torch.inference_mode():
        ab = zhang.sample(network, torch.full((1, 1, 64, 64), 50.0), seed=0, temperature=0.38)[..., 16:48, 16:48]
    assert (ab[..., 1:] - ab[..., :-1]).norm(dim=1).max() < 5


def test_likely_colors_are_those_of_the_distribution_at_the_place():
    lightness = torch.zeros(1, 1, 64, 64)
    lightness[..., 32:] = 100  # the right half
    network, zhang = tiny_network(), Zhang()
    with torch.inference_mode():
        left, right = (zhang.likely_colors(network, lightness, (x, 0.5), temperature=0.38) for x in (0.05, 0.95))
        p = network(lightness).softmax(dim=1)
    assert left[:, :2].equal(bin_centers())
    assert torch.allclose(left[:, 2], p[0, :, 7:10, 0:2].mean(dim=(1, 2)), atol=1e-6)
    assert left[:, 2].sum() == pytest.approx(1)
    assert not torch.allclose(left[:, 2], right[:, 2], atol=1e-4)
