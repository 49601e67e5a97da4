import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from colorcli.cli import main
from tests.media.films.clips import make_clip


@pytest.fixture
def film(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_clip(tmp_path / "film.mp4")


def test_a_frame_is_saved_beside_its_film_under_its_time(film, capsys):
    assert main(["film", "frame", "film.mp4@0.2"]) == 0
    assert capsys.readouterr().out == "film-0.2.png\n"
    assert Image.open("film-0.2.png").size == (64, 48)


@pytest.mark.parametrize("name", ["frame.png", "frame.tif", "frame.jpg"])
def test_all_three_formats_have_the_same_colors(film, name):
    assert main(["film", "frame", "film.mp4@0.2", "-o", name]) == 0
    assert main(["film", "frame", "film.mp4@0.2", "-o", "other.png"]) == 0
    one, other = (np.asarray(Image.open(each).convert("RGB"), float) for each in (name, "other.png"))
    assert np.abs(one - other).mean() < 3


def test_a_frame_of_ten_bits_has_sixteen_and_a_jpeg_of_it_eight(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "film.mkv", pix_fmt="yuv420p10le")
    for name in ("frame.png", "frame.tif", "frame.jpg"):
        assert main(["film", "frame", "film.mkv@0", "-o", name]) == 0
    png = cv2.imread("frame.png", cv2.IMREAD_UNCHANGED)[..., ::-1]
    tiff = tifffile.imread("frame.tif")
    assert png.dtype == tiff.dtype == np.uint16
    assert np.array_equal(png, tiff)
    jpeg = np.asarray(Image.open("frame.jpg"), float)
    assert np.abs(jpeg - tiff / 257.0).mean() < 3


def test_an_existing_picture_is_kept_unless_told_otherwise(film, tmp_path, capsys):
    (tmp_path / "frame.png").write_bytes(b"mine")
    assert main(["film", "frame", "film.mp4@0", "-o", "frame.png"]) == 1
    assert "already exists" in capsys.readouterr().err
    assert (tmp_path / "frame.png").read_bytes() == b"mine"
    assert main(["film", "frame", "film.mp4@0", "-o", "frame.png", "--overwrite"]) == 0
    assert Image.open("frame.png").size == (64, 48)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["film.mp4"], "must be FILE@TIME"),
        (["film.mp4@soon"], "must be a time"),
        (["film.mp4@99"], "shows no frame at 99 s"),
        (["film.mp4@0", "-o", "frame.bmp"], "must end in .png, .tif or .jpg"),
    ],
)
def test_what_cannot_be_saved_is_an_error(film, capsys, arguments, message):
    assert main(["film", "frame", *arguments]) != 0
    assert message in capsys.readouterr().err
