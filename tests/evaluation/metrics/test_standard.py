"""The standard metrics of pictures whose figures are known."""

import pytest
import torch

from colorcli.color import lab_to_rgb, rgb_to_lab
from colorcli.evaluation.metrics.standard import STANDARD, UnsignedColorfulness
from colorcli.metric import Colors

METRICS = {metric.name: metric for metric in (*STANDARD, UnsignedColorfulness())}


def colors(rgb):
    return Colors(rgb, rgb_to_lab(rgb)[1:])


def flat(red, green, blue, side=12):
    return colors(torch.tensor([red, green, blue]).reshape(3, 1, 1).expand(3, side, side).contiguous())


def figures(*pairs):
    found = {}
    for name, metric in METRICS.items():
        measured = torch.stack([torch.as_tensor(metric.measure(*pair), dtype=torch.float64) for pair in pairs])
        found[name] = metric.of_set(measured)
    return found


def test_gray_beside_gray_is_perfect_and_has_no_colorfulness():
    gray = flat(0.5, 0.5, 0.5)
    found = figures((gray, gray))
    assert found == {
        "auc": 100,
        "auc_rebalanced": pytest.approx(100),
        "rmse": 0,
        "l1": 0,
        "psnr": float("inf"),
        "ssim": pytest.approx(1),
        "ciede2000": 0,
        "colorfulness": 0,
        "colorfulness_delta": 0,
        "colorfulness_unsigned": 0,
    }


def test_two_flat_colors_have_the_figures_that_are_worked_out_by_hand():
    lightness, ab = torch.full((1, 12, 12), 60.0), torch.tensor([10.0, 10.0])[:, None, None].expand(2, 12, 12)
    near, far = (
        Colors(lab_to_rgb(lightness, each), each) for each in (ab, ab + torch.tensor([3.0, 4.0])[:, None, None])
    )
    found = figures((far, near))
    assert found["auc"] == found["auc_rebalanced"] == pytest.approx(100 * 146 / 151)  # 5 is within 5, 6, ... 150
    assert found["rmse"] == pytest.approx(5, rel=1e-5)
    assert found["l1"] == pytest.approx(3.5, rel=1e-5)


def test_the_delta_is_of_the_mean_colorfulness_of_the_set():
    gray, red = flat(0.5, 0.5, 0.5), flat(1.0, 0.0, 0.0)
    assert figures((gray, red), (red, gray))["colorfulness_delta"] == 0
    expected = 0.3 * (255**2 + 127.5**2) ** 0.5
    assert figures((gray, red))["colorfulness_delta"] == pytest.approx(expected)


def test_signs_that_are_lost_make_pictures_less_colorful():
    """Half red and half green: rg is 255 and -255, and without the sign no spread is left of it."""
    rgb = torch.zeros(3, 12, 12)
    rgb[0, :6], rgb[1, 6:] = 1, 1
    found = figures((colors(rgb), colors(rgb)))
    assert found["colorfulness"] == pytest.approx(255 + 0.3 * 127.5)
    assert found["colorfulness_unsigned"] == pytest.approx(0.3 * (255**2 + 127.5**2) ** 0.5)


@pytest.mark.parametrize("name", METRICS)
def test_the_figure_of_a_set_does_not_depend_on_the_order_of_its_pictures(name):
    generator = torch.Generator().manual_seed(0)
    pictures = [colors(torch.rand(3, 12, 12, generator=generator)) for _ in range(8)]
    pairs = list(zip(pictures[::2], pictures[1::2], strict=True))
    assert figures(*pairs)[name] == pytest.approx(figures(*pairs[::-1])[name], rel=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_definition(name):
    metric = METRICS[name]
    assert metric.heading
    assert metric.definition.endswith(".")


def test_a_result_that_two_metrics_need_is_computed_once():
    asked = []
    picture = flat(0.1, 0.2, 0.3)

    def look(found):
        asked.append(found)
        return len(asked)

    assert (picture.once(look), picture.once(look)) == (1, 1)
    assert asked == [picture]
