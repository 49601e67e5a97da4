"""Dropout as noise, as Isola et al. and the Edinburgh paper have it, as an option."""

import pytest
import torch

from colorcli_pix2pix import Pix2Pix
from colorcli_pix2pix.dynamic_unet import DynamicUnet
from colorcli_pix2pix.noise import with_noise
from colorcli_pix2pix.unet import UnetGenerator


def generator():
    torch.manual_seed(0)
    return UnetGenerator(width=4, levels=7).eval()


def color(network, lightness, noise):
    with torch.inference_mode():
        return Pix2Pix().predict(network, lightness, category="auto", blend=False, noise=noise)


@pytest.mark.paper("edinburgh", "dropout as noise at test time")
def test_noise_changes_the_colors_by_its_seed_and_not_the_network():
    network, lightness = generator(), torch.rand(2, 1, 128, 128) * 100
    plain = color(network, lightness, 0)
    first, second = color(network, lightness, 1), color(network, lightness, 2)
    assert not torch.equal(plain, first)
    assert not torch.equal(first, second)
    assert torch.equal(color(network, lightness, 1), first)
    assert torch.equal(color(network, lightness, 0), plain)


def test_a_pictures_noise_does_not_depend_on_the_others_in_the_batch():
    network, lightness = generator(), torch.rand(3, 1, 128, 128) * 100
    together = color(network, lightness, 1)
    alone = torch.cat([color(network, each[None], 1) for each in lightness])
    assert (together - alone).abs().max() < 1e-3


def test_half_of_the_values_of_the_inner_levels_are_dropped_and_the_others_doubled():
    noisy = with_noise(generator(), 1)
    (dropout, *_), x = [each for each in noisy.modules() if hasattr(each, "seed")], torch.ones(1, 32, 16, 16)
    assert sorted(dropout(x).unique().tolist()) == [0, 2]
    assert 0.45 < (dropout(x) == 0).float().mean() < 0.55
    assert sum(hasattr(each, "seed") for each in noisy.modules()) == 2  # as many as levels between 5 and 7


def test_a_network_without_dropout_has_no_noise():
    torch.manual_seed(0)
    network, lightness = DynamicUnet().eval(), torch.rand(1, 1, 64, 64) * 100
    assert torch.equal(color(network, lightness, 1), color(network, lightness, 0))
