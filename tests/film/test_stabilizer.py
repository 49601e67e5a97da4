import numpy as np
import pytest

from colorcli.film.stabilizer import METHODS, WINDOW, Stabilizer
from tests.film.scenes import flat, flickering, painted, pan, passing_disc, rmse


def steadied(lightness, chroma, method="flow", window=WINDOW):
    stabilizer = Stabilizer(method, window)
    finished = []
    for picture, ab in zip(lightness, chroma, strict=True):
        finished += stabilizer.push(picture, ab)
    return finished + stabilizer.finish()


@pytest.mark.parametrize("method", METHODS)
def test_every_frame_comes_back_in_order(method):
    steady = steadied(pan(1, 1) * 50, [flat((number, 0)) for number in range(50)], method)
    course = [float(ab[0, 20, 20]) for ab in steady]
    assert len(course) == 50
    assert course == sorted(course)
    assert course[25] == pytest.approx(25, abs=0.6)  # the window reaches further back than ahead


@pytest.mark.parametrize("frames", [1, 2, 7, 31, 32, 33, 100])
def test_a_shot_may_have_any_length(frames):
    lightness = pan(1, frames)
    assert len(steadied(lightness, painted(lightness))) == frames


def test_flicker_is_averaged_out_in_moving_pictures():
    lightness = pan(1, 40, step=2)
    true = painted(lightness)
    flickers = flickering(true)
    assert rmse(steadied(lightness, flickers), true) < 0.5 * rmse(flickers, true)


def test_average_leaves_trails_and_flow_does_not():
    lightness, true, discs = passing_disc(16)
    near = [np.logical_or.reduce(discs[max(0, number - 3) : number + 4]) & ~disc for number, disc in enumerate(discs)]

    def trail(method):
        steady = steadied(lightness, true, method)
        return np.mean([ab[0, mask].mean() + 40 for ab, mask in zip(steady, near, strict=True)])

    assert trail("flow") < 0.4 * trail("average")


def test_steady_colors_stay_unchanged():
    lightness = pan(1, 40, step=3)
    steady = steadied(lightness, [flat((20, -30))] * 40)
    assert rmse(steady, [flat((20, -30))] * 40) < 1e-3


def test_average_reduces_the_weight_by_a_fifth_per_frame():
    chroma = [flat((0, 0))] * 9
    chroma[4] = flat((10, 0))
    steady = steadied(pan(1, 1) * 9, chroma, "average")
    weights = 0.8 ** np.abs(np.subtract.outer(np.arange(9), np.arange(9)))
    expected = 10 * weights[:, 4] / weights.sum(axis=1)
    assert [float(ab[0, 5, 5]) for ab in steady] == pytest.approx(expected, rel=1e-5)


def test_off_returns_every_frame_immediately():
    stabilizer, ab = Stabilizer("off"), flat((1, 2))
    assert stabilizer.push(pan(1, 1)[0], ab)[0] is ab
    assert stabilizer.finish() == []


@pytest.mark.parametrize("method", METHODS)
def test_no_color_crosses_a_cut(method):
    first, second = pan(1, 12), pan(2, 12)
    stabilizer = Stabilizer(method)
    for picture in first:
        stabilizer.push(picture, flat((60, 60)))
    stabilizer.finish()
    after = [ab for picture in second for ab in stabilizer.push(picture, flat((-50, 0)))] + stabilizer.finish()
    assert rmse(after, [flat((-50, 0))] * 12) < 1e-3
    assert np.array_equal(after, steadied(second, [flat((-50, 0))] * 12, method))


def test_a_shot_does_not_depend_on_the_shot_before():
    first, second = pan(1, 20), pan(2, 45)
    stabilizer = Stabilizer("flow")
    for picture, ab in zip(first, painted(first), strict=True):
        stabilizer.push(picture, ab)
    stabilizer.finish()
    chroma = flickering(painted(second))
    after = [ab for pair in zip(second, chroma, strict=True) for ab in stabilizer.push(*pair)] + stabilizer.finish()
    assert np.array_equal(after, steadied(second, chroma))


def test_at_most_one_window_of_frames_is_held():
    stabilizer, held, most = Stabilizer("average"), 0, 0
    for _ in range(300):
        held += 1 - len(stabilizer.push(pan(1, 1)[0], flat((1, 1))))
        most = max(most, held)
    assert most == WINDOW - 1
    assert len(stabilizer.finish()) == held


def test_the_end_of_the_window_is_barely_visible():
    lightness = pan(1, 90)
    flickers = flickering(painted(lightness))
    whole = steadied(lightness, flickers, window=400)
    assert rmse(steadied(lightness, flickers), whole) < 0.05 * rmse(flickers, whole)


def test_colors_stay_finite_when_the_flow_fails_everywhere():
    lightness = [pan(seed, 1)[0] for seed in range(40)]
    chroma = flickering([flat((0, 0))] * 40, strength=40)
    steady = np.stack(steadied(lightness, chroma))
    assert np.isfinite(steady).all()
    assert np.abs(steady).max() <= np.abs(chroma).max()


def test_an_unknown_method_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match="method must be one of flow, average, off, got 'smooth'"):
        Stabilizer("smooth")


def test_a_window_of_three_frames_is_an_error():
    with pytest.raises(ValueError, match="window must be at least 4 frames, got 3"):
        Stabilizer("flow", 3)
