import numpy as np
import pytest

from colorcli.errors import UnreadableMedia
from colorcli.media.pictures.files import Frame
from colorcli.media.pictures.images import from_image, to_image
from tests.media.pictures.samples import HEIGHT, WIDTH, color, gray, image


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_images_of_every_mode_become_frames(mode):
    frame = from_image(image("L").convert(mode) if mode in {"I;16", "F"} else image(mode))
    assert frame.pixels.shape[:2] == (HEIGHT, WIDTH)
    assert frame.pixels.dtype in (np.uint8, np.uint16)
    assert (frame.alpha is not None) == mode.endswith("A")


def test_arrays_become_frames_and_frames_images():
    assert np.array_equal(from_image(color(16)).pixels, color(16))
    assert np.array_equal(np.asarray(to_image(Frame(color(), gray()))), np.dstack((color(), gray())))
    assert to_image(Frame(color(16))).mode == "RGB"
    with pytest.raises(UnreadableMedia, match="float64"):
        from_image(np.zeros((4, 4)))
    with pytest.raises(UnreadableMedia, match="7 channels"):
        from_image(np.zeros((4, 4, 7), np.uint8))
