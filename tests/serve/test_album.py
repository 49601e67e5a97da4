import numpy as np
import pytest

from colorcli.errors import UnreadableMedia
from colorcli.media.pictures.files import Frame
from colorcli.serve.album import Album, PictureGone, clean_name, reduced
from tests.serve.pictures import encoded, gray, tiff16


class Clock:
    """Seconds that a test decides."""

    now = 0.0

    def __call__(self):
        return self.now


def test_the_picture_that_was_used_longest_ago_goes_first():
    size = len(encoded(gray())) + 120 * 80
    album = Album(10**6, budget=3 * size)
    first, second, third = (album.add(f"{number}.png", encoded(gray())) for number in range(3))
    album.get(first)
    album.add("3.png", encoded(gray()))
    assert album.get(first).name == "0.png"
    assert album.get(third).name == "2.png"
    with pytest.raises(PictureGone, match="no longer in memory"):
        album.get(second)


def test_a_picture_that_is_larger_than_the_budget_can_still_be_used():
    album = Album(10**6, budget=1)
    key = album.add("a.png", encoded(gray()))
    assert album.get(key).name == "a.png"
    other = album.add("b.png", encoded(gray()))
    assert len(album) == 1
    assert album.get(other).name == "b.png"


def test_unused_pictures_are_removed():
    clock = Clock()
    album = Album(10**6, budget=10**9, clock=clock)
    key, other = album.add("a.png", encoded(gray())), album.add("b.png", encoded(gray()))
    clock.now = 1700
    album.get(other)
    clock.now = 1900
    album.release_idle()
    assert len(album) == 1
    with pytest.raises(PictureGone):
        album.get(key)


def test_only_the_picture_in_use_keeps_its_frame():
    album = Album(10**6, budget=10**9)
    first, second = (album.get(album.add("a.tif", tiff16())) for _ in range(2))
    frame = second.first_frame()
    assert second.first_frame() is frame
    album.add("c.tif", tiff16())
    assert second.first_frame() is not frame
    assert np.array_equal(second.first_frame().pixels, frame.pixels)
    assert first.first_frame().pixels.dtype == np.uint16


def test_a_picture_of_too_many_pixels_is_refused_and_leaves_nothing():
    album = Album(100, budget=10**9)
    with pytest.raises(UnreadableMedia, match=r"a\.png: 120 x 80 pixels are more than the limit of 100"):
        album.add("a.png", encoded(gray()))
    assert len(album) == 0


NAMES = {
    "portrait.jpg": "portrait.jpg",
    "Großmutter, 1920.tif": "Großmutter, 1920.tif",
    "../../etc/passwd": "passwd",
    "C:\\photos\\a.jpg": "a.jpg",
    "a\x00b\nc\x1b.png": "abc.png",
    "\u202egnp.exe": "gnp.exe",
    '<b>"a"|?*.png': "ba.png",
    "": "picture",
    "..": "picture",
    "a" * 500 + ".jpg": "a" * 197 + ".jpg",
}


@pytest.mark.parametrize(("text", "name"), NAMES.items())
def test_a_name_has_no_folders_no_control_characters_and_a_limited_length(text, name):
    assert clean_name(text) == name


@pytest.mark.parametrize("shape", [(3000, 2000), (3000, 2000, 3), (1, 10_000_000)])
def test_a_reduced_frame_has_at_most_the_pixels_that_are_wanted_in_the_same_proportions(shape):
    frame = reduced(Frame(np.full(shape, 40_000, np.uint16), np.full(shape[:2], 65535, np.uint16)), 60_000)
    height, width = frame.pixels.shape[:2]
    assert height * width <= 60_000
    again = reduced(frame, 60_000)
    assert again.pixels is frame.pixels or np.shares_memory(again.pixels, frame.pixels)  # nothing left to do
    assert frame.pixels.dtype == frame.alpha.dtype == np.uint8
    assert (frame.pixels == round(40_000 / 257)).all()
    assert (frame.alpha == 255).all()
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.01) or min(height, width) == 1


def test_a_small_frame_stays_as_it_is():
    frame = Frame(np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert np.array_equal(reduced(frame, 100).pixels, frame.pixels)
