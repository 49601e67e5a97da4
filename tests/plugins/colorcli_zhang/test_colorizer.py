import pytest
import torch

from colorcli.errors import UsageError
from colorcli.testing import ColorizerSuite
from colorcli_zhang import Zhang
from colorcli_zhang.bins import bin_centres
from tests.tiny import WIDTHS, tiny_network


class TestZhang(ColorizerSuite):
    colorizer = Zhang()
    small = {"widths": WIDTHS}  # noqa: RUF012

    def _network(self):
        network = super()._network()
        network.set_centres(bin_centres())  # as weights do, or training
        return network


def test_the_temperature_goes_from_vivid_to_calm():
    lightness = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100
    network, zhang = tiny_network(), Zhang()
    with torch.inference_mode():
        chroma = [
            zhang.predict(network, lightness, temperature=temperature).norm(dim=1).mean()
            for temperature in (0.01, 0.38, 1.0, 2.0)
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


@pytest.mark.parametrize("text", ["0", "-1", "3", "nan", "warm", ""])
def test_a_temperature_that_makes_no_sense_is_refused_with_its_bounds(text):
    (option,) = Zhang.options
    with pytest.raises(UsageError, match=r"a number from 0\.01 to 2 was expected"):
        option.parse(text)
