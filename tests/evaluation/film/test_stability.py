import numpy as np
import pytest

from colorcli.evaluation.film.stability import FilmTally, divergence, histograms, warp_error
from tests.film.scenes import flat, flickering, painted, pan, passing_disc


def figures(lightness, colorings, cuts=()):
    tally = FilmTally()
    for number, picture in enumerate(lightness):
        frames = {name: chroma[number] for name, chroma in colorings.items()}
        tally.add(picture, frames, begins_shot=number in cuts)
    return tally.figures()


def test_colors_that_move_along_with_the_picture_have_little_warp_error():
    lightness = pan(1, 10, step=2)
    true = painted(lightness)
    found = figures(lightness, {"true": true, "stuck": [true[0]] * 10})
    assert found["true"]["warp_error"] < 0.1 * found["stuck"]["warp_error"]


def test_the_warp_error_of_flicker_is_its_square():
    lightness = pan(1, 1) * 3
    found = figures(lightness, {"true": [flat((0, 0)), flat((3, 4)), flat((0, 0))]})
    assert found["true"]["warp_error"] == pytest.approx(25)


def test_the_warp_ratio_is_relative_to_the_true_film():
    lightness = pan(1, 1) * 2
    found = figures(lightness, {"true": [flat((0, 0)), flat((1, 0))], "twice": [flat((0, 0)), flat((2, 0))]})
    assert found["true"]["warp_ratio"] == pytest.approx(1)
    assert found["twice"]["warp_ratio"] == pytest.approx(4)


def test_the_order_of_names_does_not_matter():
    lightness = pan(1, 4)
    true, flickers = painted(lightness), flickering(painted(lightness))
    assert figures(lightness, {"a": flickers, "true": true}) == figures(lightness, {"true": true, "a": flickers})


def test_nothing_is_compared_across_a_cut():
    lightness = pan(1, 1) * 2 + pan(2, 1) * 2
    chroma = [flat((30, 0))] * 2 + [flat((-30, 0))] * 2
    across, within = (
        figures(lightness, {"true": chroma})["true"],
        figures(lightness, {"true": chroma}, cuts=[2])["true"],
    )
    assert within["warp_error"] == pytest.approx(0, abs=1e-6)
    assert within["cdc"] == 0
    assert across["cdc"] > 0


def test_what_is_hidden_does_not_count():
    lightness, true, _ = passing_disc(8)
    assert figures(lightness, {"true": true})["true"]["warp_error"] < 0.02 * 90**2  # from the wall to the disc: 90 ab


def test_colors_off_by_three_and_four_have_an_rmse_of_five():
    lightness = pan(1, 3)
    found = figures(lightness, {"true": [flat((10, 10))] * 3, "off": [flat((13, 14))] * 3})
    assert found["off"]["rmse"] == pytest.approx(5)
    assert found["true"]["rmse"] == 0


def test_gray_has_no_colorfulness():
    lightness = pan(1, 2)
    found = figures(lightness, {"true": [flat((40, 10))] * 2, "gray": [flat((0, 0))] * 2})
    assert found["gray"]["colorfulness"] < 0.1 < found["true"]["colorfulness"]


def test_the_cdc_of_frames_that_share_no_value_is_one():
    """Equal frames two and four apart, and no value in common of those next to each other."""
    lightness = [np.full((1, 4, 4), level, np.float32) for level in (10, 90, 10, 90, 10)]
    found = figures(lightness, {"true": [flat((0, 0), (4, 4))] * 5})["true"]
    assert (found["cdc_1"], found["cdc_2"], found["cdc_4"]) == (1, 0, 0)
    assert found["cdc"] == pytest.approx(1 / 3)


def test_the_cdc_of_equal_frames_is_zero():
    found = figures(pan(1, 1) * 5, {"true": [flat((20, 10))] * 5})["true"]
    assert found["cdc"] == found["cdc_1"] == found["cdc_2"] == found["cdc_4"] == 0


def test_one_frame_has_no_flicker():
    found = figures(pan(1, 1), {"true": [flat((1, 1))]})["true"]
    assert (found["warp_error"], found["cdc"], found["warp_ratio"]) == (0, 0, 0)


def test_the_warp_error_counts_what_is_visible_only():
    earlier, later = flat((0, 0), (4, 4)), flat((0, 0), (4, 4))
    later[:, 0] = 100
    visible = np.ones((4, 4), bool)
    visible[0] = False
    assert warp_error(earlier, later, np.zeros((4, 4, 2), np.float32), visible) == 0


def test_histograms_are_shares_of_each_value():
    picture = np.zeros((3, 2, 2), np.uint8)
    picture[2, 0, 0] = 255
    found = histograms(picture)
    assert found.shape == (3, 256)
    assert (found[0, 0], found[2, 0], found[2, 255]) == (1, 0.75, 0.25)


def test_the_divergence_of_equal_histograms_is_zero_and_of_disjoint_ones_one():
    one, other = np.eye(4)[:1], np.eye(4)[1:2]
    assert divergence(one, one) == 0
    assert divergence(one, other) == 1
    assert divergence(one, other) == divergence(other, one)


def test_the_divergence_is_that_of_jensen_and_shannon():
    from scipy.spatial.distance import jensenshannon

    generator = np.random.default_rng(0)
    one, other = (generator.dirichlet(np.ones(20), size=3) for _ in range(2))
    expected = np.mean([jensenshannon(p, q, base=2) ** 2 for p, q in zip(one, other, strict=True)])
    assert divergence(one, other) == pytest.approx(expected)
