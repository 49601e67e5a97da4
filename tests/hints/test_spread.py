import pytest
import torch

from colorcli.color import lab_to_rgb, rgb_to_lab
from colorcli.hints.hint import Hint, hex_color
from colorcli.hints.spread import LONGEST_SIDE, Spreader, chroma_of_rgb

RED, BLUE, GRAY = (176, 48, 32), (40, 60, 160), (128, 128, 128)


def halves(left=30.0, right=70.0, height=64, width=96):
    """Lightness with a strong edge in the middle."""
    lightness = torch.full((1, 1, height, width), left)
    lightness[..., width // 2 :] = right
    return lightness


def test_a_hint_colors_its_region_and_nothing_beyond_a_strong_edge():
    predicted = torch.full((1, 2, 64, 96), 5.0)
    ab = Spreader(halves()).spread(predicted, [Hint(0.2, 0.5, RED)])
    wanted = Spreader(halves()).fit(Hint(0.2, 0.5, RED))
    chroma = rgb_to_lab(torch.tensor(wanted.rgb).view(1, 3, 1, 1) / 255)[0, 1:, 0, 0]
    assert (ab[0, :, 32, 19] - chroma).abs().max() < 1
    assert (ab[0, :, 8:-8, 8:40].flatten(1) - chroma[:, None]).abs().max() < 0.4 * (chroma - 5).abs().max()
    assert (ab[..., 50:] - 5).abs().max() < 0.1


def test_a_hint_on_the_edge_itself_colors_only_the_side_that_it_is_on():
    ab = Spreader(halves()).spread(torch.zeros(1, 2, 64, 96), [Hint(0.49, 0.5, RED, radius=0.05)])
    assert ab[..., 20:40].norm(dim=1).min() > 20
    assert ab[..., 56:].norm(dim=1).max() < 0.1


def test_a_hint_changes_what_the_model_colors_otherwise_less():
    predicted = torch.zeros(1, 2, 64, 96)
    predicted[:, 0, :, :48], predicted[:, 0, :, 48:] = 40, -40
    ab = Spreader(torch.full((1, 1, 64, 96), 50.0)).spread(predicted, [Hint(0.2, 0.5, BLUE)])
    change = (ab - predicted).norm(dim=1)[0]
    assert change[32, 40] > 0.5 * change[32, 19]
    assert change[32, 56] < 0.1 * change[32, 40]


def test_without_hints_a_prediction_stays_as_it_is():
    predicted = torch.randn(1, 2, 20, 30)
    assert Spreader(halves()).spread(predicted, []) is predicted


def test_a_hint_that_agrees_with_the_prediction_changes_nothing():
    lightness = torch.full((1, 1, 64, 64), 50.0)
    hint = Hint(0.5, 0.5, RED)
    predicted = rgb_to_lab(lab_to_rgb(lightness, chroma_of_rgb(RED).expand(1, 2, 64, 64)))[:, 1:]
    assert (Spreader(lightness).spread(predicted, [hint]) - predicted).abs().max() < 0.05


def test_colors_out_of_gamut_at_the_pictures_lightness_lose_chroma_and_say_so():
    spreader = Spreader(torch.full((1, 1, 32, 32), 95.0))
    fitted = spreader.fit(Hint(0.5, 0.5, (0, 0, 255)))
    assert fitted.kept < 0.2
    lab = rgb_to_lab(torch.tensor(fitted.rgb).view(1, 3, 1, 1) / 255)
    assert abs(lab[0, 0].item() - 95) < 0.5
    changed = f"#0000ff at 50%,50% becomes {hex_color(fitted.rgb)}"
    assert str(fitted) == f"{changed}, paler because the picture is too light there"
    ab = spreader.spread(torch.zeros(1, 2, 32, 32), [fitted.hint])
    assert (ab[0, :, 16, 16] - lab[0, 1:, 0, 0]).abs().max() < 1


def test_a_color_in_gamut_keeps_its_chroma():
    fitted = Spreader(torch.full((1, 1, 32, 32), 40.0)).fit(Hint(0.25, 0.5, RED))
    assert fitted.kept > 0.98
    assert "paler" not in str(fitted)


def test_the_later_of_two_hints_at_one_place_wins():
    hints = [Hint(0.5, 0.5, RED), Hint(0.5, 0.5, BLUE)]
    spreader = Spreader(torch.full((1, 1, 32, 32), 50.0))
    both, last = (spreader.spread(torch.zeros(1, 2, 32, 32), each) for each in (hints, hints[1:]))
    assert torch.allclose(both, last, atol=1e-3)


def test_hints_one_at_a_time_give_what_all_of_them_give_at_once():
    lightness = torch.rand(1, 1, 40, 30, generator=torch.Generator().manual_seed(0)) * 10 + 40
    hints = [Hint(0.2, 0.3, RED), Hint(0.7, 0.8, BLUE), Hint(0.5, 0.1, GRAY)]
    predicted = torch.full((1, 2, 40, 30), 8.0)
    grown = Spreader(lightness)
    for count in (1, 2, 3, 1, 3):
        last = grown.spread(predicted, hints[:count])
    assert torch.allclose(last, Spreader(lightness).spread(predicted, hints), atol=1e-3)


def test_every_place_of_a_large_stroke_gets_its_color():
    lightness = torch.rand(1, 1, 200, 256, generator=torch.Generator().manual_seed(0)) * 5 + 45
    stroke = [Hint(0.3 + 0.004 * n, 0.5, RED, 0.1) for n in range(50)]
    ab = Spreader(lightness).spread(torch.zeros(1, 2, 200, 256), stroke)
    wanted = chroma_of_rgb(RED)
    assert (ab[:, :, 90:110, 70:130] - wanted).abs().max() < 8  # of which some is lost at the brightest places
    assert (ab[:, :, 90:110, 70:130] - wanted).abs().mean() < 2


def test_a_dot_spreads_beside_a_large_stroke():
    lightness = halves(height=200, width=256)
    stroke = [Hint(0.75, 0.1 + 0.02 * n, BLUE, 0.15) for n in range(40)]
    ab = Spreader(lightness).spread(torch.zeros(1, 2, 200, 256), [*stroke, Hint(0.2, 0.333, RED, 0.0)])
    assert ab[0, 0, 60:80, 40:60].min() > 20


@pytest.mark.parametrize("size", [(700, 500), (300, 1200), (1, 40), (3, 2), (1, 1)])
def test_hints_spread_over_pictures_of_any_proportions(size):
    ab = Spreader(torch.full((1, 1, *size), 50.0)).spread(torch.zeros(1, 2, 16, 16), [Hint(1.0, 1.0, RED)])
    scale = min(1, LONGEST_SIDE / max(size))
    assert ab.shape[-2:] == tuple(max(16, round(side * scale)) for side in size)
    assert ab[0, :, -1, -1].norm() > 30
