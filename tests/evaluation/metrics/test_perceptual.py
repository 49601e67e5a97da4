from pathlib import Path

import lpips
import pytest
import torch
from torch.nn import functional
from torchvision.models import alexnet

from colorcli.evaluation.metrics.judges import Judge
from colorcli.evaluation.metrics.perceptual import URL, Lpips
from tests.evaluation.metrics.judges import picture, save_alexnet


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_alexnet(tmp_path_factory.mktemp("alexnet") / "alexnet.pth")


@pytest.fixture(scope="module")
def metric(weights):
    return Lpips(Judge("lpips", URL, weights))


def by_hand(one, other, weights):
    """Zhang et al. 2018, equation 1, on torchvision's AlexNet with the linear layers that lpips comes with."""
    layers = alexnet()
    layers.load_state_dict(torch.load(weights))
    linear = torch.load(Path(lpips.__file__).parent / "weights" / "v0.1" / "alex.pth", map_location="cpu")
    shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[:, None, None]
    x, y = ((2 * rgb - 1 - shift) / scale for rgb in (one.rgb[None], other.rgb[None]))
    total, part = torch.zeros(()), 0
    for number, layer in enumerate(layers.features):
        x, y = layer(x), layer(y)
        if number in {1, 4, 7, 9, 11}:
            difference = (functional.normalize(x, dim=1) - functional.normalize(y, dim=1)).square()
            total = total + (difference * linear[f"lin{part}.model.1.weight"]).sum(dim=1).mean()
            part += 1
    return total.item()


def test_lpips_is_its_formula_on_the_network_of_the_file(metric, weights):
    one, other = picture(1), picture(2)
    expected = by_hand(one, other, weights)
    assert expected > 0.001
    assert metric.measure(one, other) == pytest.approx(expected, rel=1e-4)


def test_equal_pictures_differ_by_nothing_and_either_order_is_the_same(metric):
    one, other = picture(1), picture(2)
    assert metric.measure(one, one) == pytest.approx(0, abs=1e-7)
    assert metric.measure(one, other) == pytest.approx(metric.measure(other, one))
