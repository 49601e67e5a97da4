import numpy as np
import pytest

from colorcli.film.flow import MotionEstimator, downscale, resize, warp
from tests.film.scenes import SIZE, pan, passing_disc, wall


def step_between(earlier, later):
    motion = MotionEstimator()
    assert motion.step(earlier) is None
    return motion.step(later)


def carried(step, planes, *, backward=False):
    return step.at(planes.shape[:2]).carry(planes, backward=backward)[0]


@pytest.mark.parametrize("size", [(48, 64), (144, 256), (300, 200)])
def test_moving_objects_are_carried_to_their_new_place(size):
    earlier, later = pan(1, 2, step=3, size=size)
    step = step_between(earlier, later)
    inner = np.s_[12:-12, 12:-12]
    assert np.abs(carried(step, earlier[0]) - later[0])[inner].mean() < 0.2 * np.abs(earlier - later).mean()
    assert (
        np.abs(carried(step, later[0], backward=True) - earlier[0])[inner].mean()
        < 0.2 * np.abs(earlier - later).mean()
    )


def test_several_planes_are_carried_like_each_alone():
    step = step_between(*pan(1, 2, step=2))
    planes = np.random.default_rng(0).random((*SIZE, 4), np.float32)
    together = carried(step, planes)
    assert all(
        np.allclose(together[..., each], carried(step, planes[..., each].copy()), atol=1e-5) for each in range(4)
    )


def test_still_pictures_have_full_confidence_and_stay():
    picture = pan(1, 1)[0]
    step = step_between(picture, picture)
    assert step.backward_confidence.min() > 0.99
    assert np.abs(carried(step, picture[0]) - picture[0]).max() < 0.5


def test_uncovered_and_covered_areas_have_low_confidence():
    lightness, _, discs = passing_disc(2, step=8)
    step = step_between(*lightness)
    uncovered, covered = discs[0] & ~discs[1], discs[1] & ~discs[0]
    neither = ~(discs[0] | discs[1])
    assert step.backward_confidence[uncovered].mean() < step.backward_confidence[neither].mean() - 0.3
    assert step.forward_confidence[covered].mean() < step.forward_confidence[neither].mean() - 0.3


def test_confidence_drops_at_a_cut():
    cut = step_between(pan(1, 1)[0], pan(2, 1)[0])
    assert cut.backward_confidence.mean() < 0.6 * step_between(*pan(1, 2)).backward_confidence.mean()


def test_confidence_is_between_a_tenth_and_one():
    step = step_between(pan(1, 1)[0], pan(2, 1)[0])
    for trust in (step.backward_confidence, step.forward_confidence):
        assert trust.min() >= np.float32(0.1)
        assert trust.max() <= 1


def test_a_large_picture_is_searched_at_8000_pixels_in_its_aspect_ratio():
    height, width = downscale(np.zeros((1, 720, 1280), np.float32)).shape
    assert 7000 < height * width < 8200
    assert width / height == pytest.approx(16 / 9, rel=0.03)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (17, 5)])
def test_the_smallest_pictures_have_a_flow(size):
    picture = wall(1, size)[None, :, : size[1]]
    assert carried(step_between(picture, picture), picture[0]).shape == size


def test_displacements_are_in_pixels_of_the_downscaled_picture():
    small = np.zeros((6, 8, 2), np.float32)
    small[..., 0] = 1  # of 8 pixels across
    planes = np.tile(np.arange(16, dtype=np.float32), (12, 1))
    assert warp(planes, small)[0, :14].tolist() == list(range(2, 16))


def test_planes_are_resized_to_height_and_width():
    assert resize(np.ones((4, 6, 2), np.float32), (8, 3)).shape == (8, 3, 2)
