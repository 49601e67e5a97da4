import numpy as np
import pytest
from PIL import Image

from colorcli.cli import main
from tests.evaluation.pictures import save_grey, save_photographs, save_weights


@pytest.fixture
def folder(tmp_path):
    save_photographs(tmp_path / "set", 3)
    return tmp_path / "set"


@pytest.fixture
def weights(tmp_path):
    return str(save_weights(tmp_path / "small.safetensors"))


def sheet(capsys, tmp_path, pictures, weights, *args, code=0):
    path = tmp_path / "sheet.png"
    told = ["compare", "zhang", str(pictures), "--weights", weights, "--sheet", str(path), "--height", "60", "--overwrite", *args]
    assert main([*told, "--device", "cpu"]) == code
    captured = capsys.readouterr()
    return captured, np.asarray(Image.open(path)) if path.exists() else None


def columns(pixels):
    """Cut a sheet's first row into its pictures, all of one width."""
    return [pixels[44:104, left : left + 80].astype(int) for left in range(0, pixels.shape[1] - 80, 86)]


def chroma(picture):
    return np.abs(np.diff(picture, axis=-1)).mean()


def test_a_row_shows_grey_the_model_and_the_original(capsys, tmp_path, folder, weights):
    captured, pixels = sheet(capsys, tmp_path, folder / "00.png", weights)
    grey, model, original = columns(pixels)
    assert captured.out == f"{tmp_path / 'sheet.png'}\n"
    assert chroma(grey) < 0.1  # rounding to 8 bits
    assert chroma(model) > 1
    expected = np.asarray(Image.open(folder / "00.png").resize((80, 60), Image.Resampling.LANCZOS))
    assert np.array_equal(original, expected)


def test_a_grey_picture_has_no_original_in_colour(capsys, tmp_path, weights):
    save_grey(tmp_path / "grey.png")
    assert len(columns(sheet(capsys, tmp_path, tmp_path / "grey.png", weights)[1])) == 2


def test_a_folder_gives_a_row_for_each_picture_up_to_the_limit(capsys, tmp_path, folder, weights):
    three = sheet(capsys, tmp_path, folder, weights)[1]
    two = sheet(capsys, tmp_path, folder, weights, "--limit", "2")[1]
    assert three.shape[0] * 2 == two.shape[0] * 3


def test_what_cannot_be_read_is_named_and_the_rest_is_drawn(capsys, tmp_path, folder, weights):
    (folder / "00.png").write_bytes(b"no picture")
    captured, pixels = sheet(capsys, tmp_path, folder, weights, code=1)
    assert "error: 00.png" in captured.err
    assert pixels is not None


def test_nothing_to_draw_is_an_error_and_writes_nothing(capsys, tmp_path, weights):
    (tmp_path / "empty").mkdir()
    captured, pixels = sheet(capsys, tmp_path, tmp_path / "empty", weights, code=1)
    assert "there are no pictures in this folder" in captured.err
    assert pixels is None
