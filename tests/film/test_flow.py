import numpy as np
import pytest

from colorcli.film.flow import Motion, reduced, resized, taken
from tests.film.scenes import SIZE, pan, passing_disc, wall


def step_between(earlier, later):
    motion = Motion()
    assert motion.step(earlier) is None
    return motion.step(later)


@pytest.mark.parametrize("size", [(48, 64), (144, 256), (300, 200)])
def test_what_moves_is_carried_to_where_it_is(size):
    earlier, later = pan(1, 2, step=3, size=size)
    step = step_between(earlier, later)
    inner = np.s_[12:-12, 12:-12]
    assert np.abs(step.forward(earlier[0]) - later[0])[inner].mean() < 0.2 * np.abs(earlier - later).mean()
    assert np.abs(step.backward(later[0]) - earlier[0])[inner].mean() < 0.2 * np.abs(earlier - later).mean()


def test_several_planes_are_carried_as_each_alone():
    step = step_between(*pan(1, 2, step=2))
    planes = np.random.default_rng(0).random((*SIZE, 4), np.float32)
    together = step.forward(planes)
    assert all(
        np.allclose(together[..., each], step.forward(planes[..., each].copy()), atol=1e-5) for each in range(4)
    )


def test_what_keeps_still_is_trusted_and_stays():
    picture = pan(1, 1)[0]
    step = step_between(picture, picture)
    assert step.seen_before.min() > 0.99
    assert np.abs(step.forward(picture[0]) - picture[0]).max() < 0.5


def test_what_a_thing_uncovers_and_covers_is_not_trusted():
    lightness, _, discs = passing_disc(2, step=8)
    step = step_between(*lightness)
    uncovered, covered = discs[0] & ~discs[1], discs[1] & ~discs[0]
    neither = ~(discs[0] | discs[1])
    assert step.seen_before[uncovered].mean() < step.seen_before[neither].mean() - 0.3
    assert step.seen_after[covered].mean() < step.seen_after[neither].mean() - 0.3


def test_nothing_is_trusted_after_a_cut_as_within_a_shot():
    cut = step_between(pan(1, 1)[0], pan(2, 1)[0])
    assert cut.seen_before.mean() < 0.6 * step_between(*pan(1, 2)).seen_before.mean()


def test_trust_is_between_a_tenth_and_one():
    step = step_between(pan(1, 1)[0], pan(2, 1)[0])
    for trust in (step.seen_before, step.seen_after):
        assert trust.min() >= np.float32(0.1)
        assert trust.max() <= 1


def test_a_large_picture_is_searched_at_8000_pixels_of_its_own_shape():
    height, width = reduced(np.zeros((1, 720, 1280), np.float32)).shape
    assert 7000 < height * width < 8200
    assert width / height == pytest.approx(16 / 9, rel=0.03)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (17, 5)])
def test_the_smallest_pictures_have_a_flow(size):
    picture = wall(1, size)[None, :, : size[1]]
    assert step_between(picture, picture).forward(picture[0]).shape == size


def test_ways_are_in_pixels_of_the_picture_that_they_are_of():
    small = np.zeros((6, 8, 2), np.float32)
    small[..., 0] = 1  # of 8 pixels across
    planes = np.tile(np.arange(16, dtype=np.float32), (12, 1))
    assert taken(planes, small)[0, :14].tolist() == list(range(2, 16))


def test_planes_are_scaled_to_a_height_and_a_width():
    assert resized(np.ones((4, 6, 2), np.float32), (8, 3)).shape == (8, 3, 2)
