import numpy as np
import pytest

from colorcli.film.shots import DELAY, ShotDetector
from tests.film.scenes import pan, wall


def begins(film):
    """The numbers of the frames with which shots begin."""
    detector = ShotDetector()
    decided = [answer for lightness in film for answer in detector.push(lightness)] + detector.finish()
    assert len(decided) == len(film)
    return list(np.flatnonzero(decided))


def test_every_hard_cut_is_found_at_its_frame():
    film = pan(1, 12) + pan(2, 7) + pan(3, 20)
    assert begins(film) == [0, 12, 19]


def test_a_single_frame_is_a_shot():
    assert begins(pan(1, 1)) == [0]


def test_no_frames_give_no_shot():
    assert begins([]) == []


def test_a_frame_is_decided_after_four_more_frames():
    detector = ShotDetector()
    answers = [len(detector.push(lightness)) for lightness in pan(1, 8)]
    assert answers == [0] * DELAY + [1] * 4
    assert len(detector.finish()) == DELAY


@pytest.mark.parametrize("length", range(1, DELAY + 1))
@pytest.mark.parametrize("color", [0, 100])
def test_a_flash_is_not_a_cut(length, color):
    film = pan(1, 30)
    film[12 : 12 + length] = [np.full_like(film[0], color)] * length
    assert begins(film) == [0]


def test_a_few_stray_frames_are_not_a_shot():
    film = pan(1, 30)
    film[12:15] = pan(2, 3)
    assert begins(film) == [0]


def test_a_cut_during_a_flash_is_one_cut():
    film = pan(1, 12) + [np.full_like(pan(1, 1)[0], 100)] * 2 + pan(2, 12)
    assert len(begins(film)) == 2


def test_switching_on_a_lamp_is_not_a_cut():
    film = [lightness * (0.6 if number < 10 else 1) for number, lightness in enumerate(pan(1, 20))]
    assert begins(film) == [0]


def test_flicker_and_grain_are_not_cuts():
    generator = np.random.default_rng(0)
    film = [
        lightness * np.float32(generator.uniform(0.8, 1.2))
        + generator.normal(0, 6, lightness.shape).astype(np.float32)
        for lightness in pan(1, 60)
    ]
    assert begins(film) == [0]


def test_a_fast_pan_is_not_a_cut():
    assert begins(pan(1, 30, step=6)) == [0]


def test_a_sudden_fast_pan_is_not_a_cut():
    film = pan(1, 40, step=8)
    assert begins([film[0]] * 10 + film) == [0]


def test_a_shot_begins_after_a_fade_through_black():
    out, back = np.linspace(1, 0, 8), np.linspace(0, 1, 8)
    first, second = pan(1, 8), pan(2, 8)
    black = [np.zeros_like(first[0])] * DELAY
    film = [p * np.float32(f) for p, f in zip(first, out, strict=True)] + black
    film += [p * np.float32(f) for p, f in zip(second, back, strict=True)]
    found = begins(film)
    assert len(found) == 2
    assert 8 + DELAY <= found[1] <= 8 + DELAY + 3  # as soon as there is something to be seen


def test_a_dissolve_is_not_a_cut():
    share = np.linspace(0, 1, 12, dtype=np.float32)
    between = [a * (1 - f) + b * f for a, b, f in zip(pan(1, 12), pan(2, 12), share, strict=True)]
    assert begins(pan(1, 1) * 10 + between + pan(2, 12)[-1:] * 10) == [0]


def test_a_cut_between_dark_scenes_is_found():
    film = [lightness * np.float32(0.15) for lightness in pan(1, 10) + pan(2, 10)]
    assert begins(film) == [0, 10]


def test_noise_in_the_dark_is_not_a_cut():
    generator = np.random.default_rng(0)
    film = [generator.uniform(0, 3, (1, 48, 64)).astype(np.float32) for _ in range(30)]
    assert begins(film) == [0]


@pytest.mark.parametrize("size", [(9, 16), (144, 256), (200, 30)])
def test_pictures_may_have_any_size(size):
    whole = [wall(seed, size)[None, :, : size[1]] for seed in (1, 2)]
    assert begins([whole[0]] * 8 + [whole[1]] * 8) == [0, 8]
