"""Edinburgh, table 4: L1 in the generator's own space, a metric that the plugin registers."""

import pytest
import torch

from colorcli import Colors
from colorcli.color import rgb_to_lab, rgb_to_yuv
from colorcli.plugin.registry import Registry
from colorcli_pix2pix.metrics import SpaceL1


def colors(seed):
    rgb = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 0.5 + 0.25
    return Colors(rgb, rgb_to_lab(rgb)[1:])


def test_both_spaces_are_registered():
    assert {"l1_space_lab", "l1_space_yuv"} <= set(Registry().metrics())


@pytest.mark.paper("edinburgh", "table 4: L1 in the generator's space")
def test_in_lab_it_is_100_times_the_distance_of_ab_over_110():
    predicted, true = colors(0), colors(1)
    expected = 100 * (predicted.ab - true.ab).abs().mean() / 110
    assert SpaceL1("lab").measure(predicted, true) == pytest.approx(expected.item(), rel=1e-4)


def test_in_yuv_it_is_100_times_the_distance_of_u_and_v_in_their_whole_range():
    true = colors(1)
    gray = Colors(true.rgb, torch.zeros_like(true.ab))  # U and V of gray are 0
    expected = 100 * (2 * rgb_to_yuv(true.rgb, "bt601")[1:]).abs().mean()
    assert SpaceL1("yuv").measure(gray, true) == pytest.approx(expected.item(), rel=1e-3)


@pytest.mark.parametrize("space", ["lab", "yuv"])
def test_true_colors_have_no_distance(space):
    assert SpaceL1(space).measure(colors(0), colors(0)) == 0
