import numpy as np
import pytest

from colorcli.film.keyframes import Keyframes, References
from tests.film.scenes import SIZE, flat, flickering, painted, pan, passing_disc, rmse


class Predictions:
    """Returns given chroma for the requested frames, and records which frames those were."""

    def __init__(self, lightness, chroma):
        self.chroma = dict(zip(map(id, lightness), chroma, strict=True))
        self.number = {id(picture): number for number, picture in enumerate(lightness)}
        self.asked = []

    def __call__(self, pictures):
        self.asked.append([self.number[id(picture)] for picture in pictures])
        return [self.chroma[id(picture)] for picture in pictures]


def carried(lightness, chroma, every=None, batch=1):
    predict = Predictions(lightness, chroma)
    keyframes = Keyframes(predict, every, batch=batch)
    finished = []
    for picture in lightness:
        finished += keyframes.push(picture)
    return finished + keyframes.finish(), predict.asked


def test_only_key_frames_are_predicted():
    lightness = pan(1, 10)
    finished, asked = carried(lightness, painted(lightness), every=4)
    assert asked == [[0], [4], [8]]
    assert len(finished) == 10


def test_every_frame_may_be_a_key_frame():
    lightness = pan(1, 5)
    assert carried(lightness, painted(lightness), every=1)[1] == [[0], [1], [2], [3], [4]]


def test_colors_move_with_their_objects():
    lightness = pan(1, 40, step=2)
    true = painted(lightness)
    finished, _ = carried(lightness, true, every=5)
    held = [true[number - number % 5] for number in range(40)]
    assert rmse(finished, true) < 0.4 * rmse(held, true)


def test_colors_blend_from_one_key_frame_to_the_next():
    lightness = pan(1, 1) * 9
    lightness = [picture.copy() for picture in lightness]
    finished, asked = carried(lightness, [flat((-20, 0))] * 8 + [flat((20, 0))], every=8)
    course = [float(ab[0, 20, 20]) for ab in finished]
    assert asked == [[0], [8]]
    assert course == sorted(course)
    assert course[4] == pytest.approx(0, abs=0.1)
    assert course[0] == pytest.approx(-course[8], abs=0.1)


def test_flickering_key_frames_are_stabilized_too():
    lightness = pan(1, 60)
    true = painted(lightness)
    flickers = flickering(true)
    assert rmse(carried(lightness, flickers, every=4)[0], true) < 0.6 * rmse(flickers, true)


def test_newly_visible_areas_take_the_colors_of_the_next_key_frame():
    lightness, true, discs = passing_disc(9)
    finished, _ = carried(lightness, true, every=4)
    uncovered = discs[0] & ~discs[2]
    assert finished[2][0, uncovered].mean() < -10  # of the wall, which is -40, and not of the disc, which is 50


def test_a_still_shot_has_a_key_frame_every_12_frames():
    lightness = [picture.copy() for picture in pan(1, 1) * 30]
    assert carried(lightness, [flat((1, 1))] * 30)[1] == [[0], [12], [24]]


def test_a_key_frame_comes_sooner_when_the_picture_moves_out_of_view():
    lightness = pan(1, 30, step=6)
    assert len(carried(lightness, painted(lightness))[1]) >= 8


def test_a_change_that_the_flow_cannot_follow_makes_a_key_frame():
    lightness = pan(1, 3) + pan(2, 3)
    assert [0] in (asked := carried(lightness, painted(lightness))[1])
    assert [3] in asked


def test_batches_of_key_frames_give_the_same_colors():
    lightness = pan(1, 50)
    chroma = flickering(painted(lightness))
    one, _ = carried(lightness, chroma, every=4)
    three, asked = carried(lightness, chroma, every=4, batch=3)
    assert asked == [[0, 4, 8], [12, 16, 20], [24, 28, 32], [36, 40, 44], [48]]
    assert np.array_equal(one, three)


def test_no_color_crosses_a_cut():
    first, second = pan(1, 10), pan(2, 10)
    predict = Predictions(first + second, [flat((60, 0))] * 10 + [flat((-60, 0))] * 10)
    keyframes = Keyframes(predict, 4)
    before = [ab for picture in first for ab in keyframes.push(picture)] + keyframes.finish()
    after = [ab for picture in second for ab in keyframes.push(picture)] + keyframes.finish()
    assert rmse(before, [flat((60, 0))] * 10) < 1e-3
    assert rmse(after, [flat((-60, 0))] * 10) < 1e-3
    assert predict.asked == [[0], [4], [8], [10], [14], [18]]


def test_colors_last_until_the_next_key_frame_however_far():
    lightness = [picture.copy() for picture in pan(1, 1) * 130]
    finished, asked = carried(lightness, [flat((30, 10))] * 130, every=200)
    assert asked == [[0]]
    assert rmse(finished, [flat((30, 10))] * 130) < 1e-2


def test_colors_stay_finite_when_the_flow_fails_everywhere():
    lightness = [pan(seed, 1)[0] for seed in range(60)]
    finished, _ = carried(lightness, [flat((40, -40))] * 60, every=60)
    assert rmse(finished, [flat((40, -40))] * 60) < 1e-2


def test_an_empty_shot_gives_nothing():
    assert Keyframes(lambda pictures: pictures, 4).finish() == []


@pytest.mark.parametrize(("every", "batch"), [(0, 1), (-3, 1), (4, 0)])
def test_every_and_batch_must_be_at_least_one(every, batch):
    with pytest.raises(ValueError, match="every and batch must be at least 1"):
        Keyframes(lambda pictures: pictures, every, batch=batch)


def tinted(lightness, chroma, corrected):
    references = References(corrected, lightness[: max(corrected) + 1])
    return [references.tint(picture, ab) for picture, ab in zip(lightness, chroma, strict=True)]


def test_a_corrected_frame_has_exactly_its_corrected_colors():
    lightness = pan(1, 20)
    corrected = flickering([flat((30, 30))])[0] + painted(lightness)[7]
    assert np.allclose(tinted(lightness, painted(lightness), {7: corrected})[7], corrected, atol=1e-3)


@pytest.mark.parametrize("number", [0, 10, 19])
def test_a_corrected_frame_colors_its_shot_in_both_directions(number):
    lightness = pan(1, 20)
    true = painted(lightness)
    colored = tinted(lightness, [flat((0, 0))] * 20, {number: true[number]})
    for frame in range(20):
        moved = frame - number  # pixels to the left since then; the picture's edges, too, are hard to follow
        shown = np.s_[:, 4:-4, max(0, -moved) + 4 : min(64, 64 - moved) - 4]
        assert rmse([colored[frame][shown]], [true[frame][shown]]) < 0.4 * rmse(
            [0 * true[frame][shown]], [true[frame][shown]]
        )


def test_in_a_still_shot_a_corrected_frame_does_not_fade():
    lightness = pan(1, 1) * 120
    colored = tinted(lightness, [flat((0, 0))] * 120, {60: flat((50, -20))})
    assert rmse(colored, [flat((50, -20))] * 120) < 0.5


def test_areas_that_no_corrected_frame_shows_keep_their_colors():
    lightness = pan(1, 40, step=4)
    colored = tinted(lightness, [flat((0, 0))] * 40, {0: flat((50, 0))})
    assert colored[4][0, :, 6:30].mean() > 45  # still in sight
    assert np.abs(colored[30]).mean() < 2  # 120 pixels on, in a picture 64 wide


def test_the_nearer_of_two_corrected_frames_counts_more():
    lightness = pan(1, 1) * 11
    colored = tinted(lightness, [flat((0, 0))] * 11, {0: flat((-40, 0)), 10: flat((40, 0))})
    course = [float(ab[0, 20, 20]) for ab in colored]
    assert course == sorted(course)
    assert [course[0], course[5], course[10]] == pytest.approx([-40, 0, 40], abs=0.5)


def test_a_corrected_frame_beyond_the_shot_is_an_error():
    with pytest.raises(ValueError, match=r"Corrected frames \[5\] must lie within the 5 given frames"):
        References({5: np.zeros((2, *SIZE), np.float32)}, pan(1, 5))
