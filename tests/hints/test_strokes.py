import numpy as np
import pytest
from PIL import Image, ImageDraw

from colorcli.errors import UnreadableMedia, UsageError
from colorcli.hints.files import read_hints
from colorcli.hints.strokes import read_strokes

RED, BLUE = (176, 48, 32), (40, 60, 160)


def painted(path, size, draw):
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    draw(ImageDraw.Draw(layer))
    layer.save(path)
    return path


def covered(hints, size):
    """The places that discs cover, by color."""
    width, height = size
    rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width) + 0.5
    planes = {}
    for hint in hints:
        disc = np.hypot(rows - hint.y * height, columns - hint.x * width) <= hint.radius * max(size) + 0.5
        planes[hint.rgb] = planes.get(hint.rgb, False) | disc
    return planes


@pytest.mark.parametrize("scale", [1, 10])
def test_discs_cover_strokes_and_little_else(tmp_path, scale):
    size = (256 * scale, 160 * scale)

    def draw(pen):
        pen.rectangle([20 * scale, 20 * scale, 120 * scale, 31 * scale], fill=(*RED, 255))
        pen.ellipse([160 * scale, 60 * scale, 220 * scale, 120 * scale], fill=(*BLUE, 255))

    hints, found = read_strokes(painted(tmp_path / "strokes.png", size, draw))
    assert found == size
    assert len(hints) < 60
    planes = covered(hints, size)
    assert set(planes) == {RED, BLUE}
    wanted = np.asarray(Image.open(tmp_path / "strokes.png"))[..., 3] > 0
    got = planes[RED] | planes[BLUE]
    assert (got & wanted).sum() > 0.9 * wanted.sum()
    assert (got & ~wanted).sum() < 0.05 * wanted.sum()


def test_a_line_of_one_pixel_on_a_large_picture_is_found(tmp_path):
    hints, _ = read_strokes(
        painted(tmp_path / "line.png", (3000, 2000), lambda pen: pen.line([500, 500, 1500, 500], fill=(*RED, 255)))
    )
    assert hints
    assert {hint.rgb for hint in hints} == {RED}
    assert all(abs(hint.y - 0.25) < 0.01 for hint in hints)
    assert min(hint.x for hint in hints) < 0.18
    assert max(hint.x for hint in hints) > 0.48


def test_a_transparent_picture_without_strokes_has_no_hints(tmp_path):
    assert read_hints(painted(tmp_path / "empty.png", (30, 20), lambda _pen: None)) == {"": []}


def test_strokes_fit_pictures_of_their_proportions_only(tmp_path):
    path = painted(tmp_path / "dot.png", (300, 200), lambda pen: pen.rectangle([150, 100, 151, 101], fill=(*RED, 255)))
    (hint,) = read_hints(path)[""]
    placed = hint.placed(600, 400)
    assert (placed.x, placed.y) == pytest.approx((0.5, 0.5), abs=0.01)
    with pytest.raises(UsageError, match="painted on 300 x 200 pixels, but the picture has 300 x 300"):
        hint.placed(300, 300)


def test_a_picture_that_is_opaque_is_refused(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "photo.png")
    with pytest.raises(UsageError, match=r"photo\.png has no transparent background"):
        read_strokes(tmp_path / "photo.png")


def test_noise_is_refused_within_seconds(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 4), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    with pytest.raises(UsageError, match="too many strokes"):
        read_strokes(tmp_path / "noise.png")


def test_a_file_that_is_not_a_picture_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("red")
    with pytest.raises(UnreadableMedia):
        read_hints(tmp_path / "notes.txt")
