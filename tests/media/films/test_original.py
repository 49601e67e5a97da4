"""Frames of films in their own colors, as a player shows them."""

from fractions import Fraction

import numpy as np
import pytest

from colorcli.errors import UsageError
from colorcli.media.films.original import read_still
from colorcli.media.films.probe import probe
from tests.media.films.clips import add_clean_aperture, make_clip, moving_pictures


def close(pixels, expected):
    """Whether two pictures agree within what 4:2:0 and 8 bits leave of flat areas."""
    return np.median(np.abs(pixels.astype(float) - expected)) < 4


@pytest.mark.parametrize(
    ("time", "number"), [(0, 0), (Fraction(1, 25), 1), (Fraction(5, 100), 1), (Fraction(9, 25), 9)]
)
def test_a_still_is_the_frame_on_screen_at_its_time(tmp_path, time, number):
    clip = make_clip(tmp_path / "film.mp4")
    pixels = read_still(probe(clip), Fraction(time))
    expected = moving_pictures(10, (64, 48))
    assert pixels.shape == (48, 64, 3)
    assert pixels.dtype == np.uint8
    errors = [np.abs(pixels.astype(float) - each).mean() for each in expected]
    assert int(np.argmin(errors)) == number
    assert close(pixels, expected[number])


def test_a_time_after_the_last_frame_is_an_error_that_names_it(tmp_path):
    clip = make_clip(tmp_path / "film.mp4")
    with pytest.raises(UsageError, match=r"shows no frame at 7 s: its last frame begins at 0\.36 s"):
        read_still(probe(clip), Fraction(7))


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_a_still_of_a_rotated_film_is_upright(tmp_path, rotation, turns):
    clip = make_clip(tmp_path / "film.mp4", rotation=rotation)  # counterclockwise, as numpy rotates
    expected = np.rot90(moving_pictures(10, (64, 48))[0], turns)
    pixels = read_still(probe(clip), Fraction(0))
    assert pixels.shape == expected.shape
    assert close(pixels, expected)


def test_a_still_has_square_pixels(tmp_path):
    clip = make_clip(tmp_path / "film.mp4", sample_aspect_ratio="16/15")
    assert read_still(probe(clip), Fraction(0)).shape == (48, 68, 3)


def test_a_still_of_full_range_in_another_matrix_has_the_same_colors(tmp_path):
    clip = make_clip(tmp_path / "film.mkv", matrix="smpte170m", full_range=True)
    assert close(read_still(probe(clip), Fraction(0)), moving_pictures(10, (64, 48))[0])


@pytest.mark.parametrize(("time", "number"), [(0, 0), (Fraction(1, 25), 1), (Fraction(9, 25), 9)])
def test_a_still_of_a_cropped_film_is_cropped(tmp_path, time, number):
    pictures = moving_pictures(10, (96, 64))
    make_clip(tmp_path / "plain.mov", pictures=pictures)
    film = probe(add_clean_aperture(tmp_path / "plain.mov", tmp_path / "film.mov", 80, 48))
    pixels = read_still(film, Fraction(time))
    assert (pixels.shape, pixels.dtype) == ((48, 80, 3), np.uint8)
    assert close(pixels, pictures[number, 8:56, 8:88])
