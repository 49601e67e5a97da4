import csv

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


# Stills of all shots


@pytest.fixture
def shots(tmp_path, monkeypatch):
    """A film of three shots of 12 frames."""
    monkeypatch.chdir(tmp_path)
    return make_clip(tmp_path / "film.mp4", 36, scenes=3)


def test_stills_of_all_shots_and_a_list_of_them_are_written(shots, tmp_path, capsys):
    assert main(["film", "shots", "film.mp4", "--stills", "stills", "--edl", "film.edl"]) == 0
    assert capsys.readouterr().out == "stills/shots.csv\n"
    rows = list(csv.DictReader((tmp_path / "stills" / "shots.csv").read_text().splitlines()))
    assert [(row["start"], row["end"]) for row in rows] == [
        ("0:00:00.000", "0:00:00.480"),
        ("0:00:00.480", "0:00:00.960"),
        ("0:00:00.960", "0:00:01.440"),
    ]
    assert {row["model"] + row["strength"] for row in rows} == {""}
    assert sorted(path.name for path in (tmp_path / "stills").glob("*.png")) == [row["reference"] for row in rows]
    for row in rows:
        still = cv2.imread(f"stills/{row['reference']}", cv2.IMREAD_UNCHANGED)
        assert (still.dtype, still.shape) == (np.uint16, (48, 64, 3))
    lines = (tmp_path / "film.edl").read_text().splitlines()
    assert "002  AX       V     C        00:00:00:12 00:00:00:24 00:00:00:12 00:00:00:24" in lines


def test_stills_are_written_beside_the_film_and_never_replaced_unasked(shots, tmp_path, capsys):
    assert main(["film", "shots", "film.mp4"]) == 0
    still = next((tmp_path / "film-stills").glob("*.png"))
    still.write_bytes(b"colored by hand")
    assert main(["film", "shots", "film.mp4"]) == 1
    (tmp_path / "film-stills" / "shots.csv").unlink()
    assert main(["film", "shots", "film.mp4"]) == 1
    assert "already exists" in capsys.readouterr().err
    assert still.read_bytes() == b"colored by hand"
    assert main(["film", "shots", "film.mp4", "--overwrite"]) == 0
    assert still.read_bytes() != b"colored by hand"


def test_colored_stills_color_the_film(shots, tmp_path, capsys):
    assert main(["film", "shots", "film.mp4", "--stills", "stills"]) == 0
    table = (tmp_path / "stills" / "shots.csv").read_text().splitlines()
    table[2] = table[2].replace(",,", ",,0", 1)  # the strength of the second shot
    (tmp_path / "edited.csv").write_text("\n".join(table).replace(",", ";"), encoding="utf-8-sig")
    for number, still in enumerate(sorted((tmp_path / "stills").glob("*.png"))):
        if number != 2:
            still.unlink()
    rest = ["--model", "zhang.starter", "--offline", "--device", "cpu"]
    code = main(["run", "film.mp4", *rest, "--references", "stills", "--shots", "edited.csv"])
    assert code == 1
    assert "not found" in capsys.readouterr().err
    assert main(["run", "film.mp4", *rest, "--references", "stills"]) == 0
    first = (tmp_path / "film-color.mp4").read_bytes()
    assert main(["run", "film.mp4", *rest, "-o", "plain.mp4"]) == 0
    assert first != (tmp_path / "plain.mp4").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--references", "nowhere"], "does not exist"),
        (["--shots", "nowhere.csv"], "does not exist"),
        (["--shots", "names.csv"], "no folder of stills was given"),
        (["--shots", "film.mp4"], "not a text file"),
    ],
)
def test_what_is_missing_is_an_error(shots, capsys, arguments, says):
    shots.with_name("names.csv").write_text("start,end,reference\n0,1,00-00-00.240.png\n")
    assert main(["run", "film.mp4", "--model", "zhang.starter", "--offline", *arguments]) == 2
    assert says in capsys.readouterr().err
