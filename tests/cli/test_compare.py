import re

import numpy as np
import pytest
from PIL import Image

from colorcli.cli import main
from tests.evaluation.pictures import save_gray, save_photographs, save_weights


@pytest.fixture
def folder(tmp_path):
    save_photographs(tmp_path / "set", 3)
    return tmp_path / "set"


@pytest.fixture
def weights(tmp_path):
    return str(save_weights(tmp_path / "small.safetensors"))


def sheet(capsys, tmp_path, pictures, weights, *args, code=0):
    path = tmp_path / "sheet.png"
    told = [
        "compare",
        "zhang",
        str(pictures),
        "--weights",
        weights,
        "--sheet",
        str(path),
        "--height",
        "60",
        "--overwrite",
        *args,
    ]
    assert main([*told, "--device", "cpu"]) == code
    captured = capsys.readouterr()
    return captured, np.asarray(Image.open(path)) if path.exists() else None


def columns(pixels):
    """Cut a sheet's first row into its pictures, all of one width."""
    return [pixels[44:104, left : left + 80].astype(int) for left in range(0, pixels.shape[1] - 80, 86)]


def chroma(picture):
    return np.abs(np.diff(picture, axis=-1)).mean()


def test_a_row_shows_gray_the_model_and_the_original(capsys, tmp_path, folder, weights):
    captured, pixels = sheet(capsys, tmp_path, folder / "00.png", weights)
    gray, model, original = columns(pixels)
    assert captured.out == f"{tmp_path / 'sheet.png'}\n"
    assert chroma(gray) < 0.1  # rounding to 8 bits
    assert chroma(model) > 1
    expected = np.asarray(Image.open(folder / "00.png").resize((80, 60), Image.Resampling.LANCZOS))
    assert np.array_equal(original, expected)


def test_a_gray_picture_has_no_original_in_color(capsys, tmp_path, weights):
    save_gray(tmp_path / "gray.png")
    assert len(columns(sheet(capsys, tmp_path, tmp_path / "gray.png", weights)[1])) == 2


def test_a_folder_gives_a_row_for_each_picture_up_to_the_limit(capsys, tmp_path, folder, weights):
    three = sheet(capsys, tmp_path, folder, weights)[1]
    two = sheet(capsys, tmp_path, folder, weights, "--limit", "2")[1]
    assert three.shape[0] * 2 == two.shape[0] * 3


def test_unreadable_pictures_are_named_and_the_rest_is_drawn(capsys, tmp_path, folder, weights):
    (folder / "00.png").write_bytes(b"no picture")
    captured, pixels = sheet(capsys, tmp_path, folder, weights, code=1)
    assert "error: 00.png" in captured.err
    assert pixels is not None


def test_an_empty_folder_is_an_error_and_writes_nothing(capsys, tmp_path, weights):
    (tmp_path / "empty").mkdir()
    captured, pixels = sheet(capsys, tmp_path, tmp_path / "empty", weights, code=1)
    assert "no pictures found" in captured.err
    assert pixels is None


# Pages


def page(capsys, pictures, weights, path, *args, code=0):
    told = ["compare", "zhang", str(pictures), "--weights", weights, "--device", "cpu", "-o", str(path), *args]
    assert main(told) == code
    return capsys.readouterr(), path.read_text(encoding="utf-8") if path.exists() else ""


def versions(text):
    return re.findall(r'data-version="([^"]+)"', text)


def test_a_page_has_every_version_of_every_picture_and_how_they_were_made(capsys, tmp_path, folder, weights):
    captured, text = page(capsys, folder, weights, tmp_path / "page.html", "-p", "temperature=0.2", "--limit", "2")
    assert captured.out == f"{tmp_path / 'page.html'}\n"
    assert versions(text) == ["gray", "zhang.small", "original"] * 2
    assert re.findall(r'data-name="([^"]+)"', text) == ["00.png", "01.png"]
    assert "network at 256x256, temperature=0.2, smoothing=0.0, cpu" in text
    assert f"colorcli compare --weights {weights} -p temperature=0.2 --device cpu -o" in text


def test_every_value_of_an_option_is_a_version(capsys, tmp_path, folder, weights):
    args = ["--limit", "1", "-p", "temperature=0.05,0.38,1"]
    _, text = page(capsys, folder, weights, tmp_path / "page.html", *args)
    swept = [f"zhang.small temperature={value}" for value in ("0.05", "0.38", "1")]
    assert versions(text) == ["gray", *swept, "original"]


def test_a_page_and_a_sheet_are_written_together(capsys, tmp_path, folder, weights):
    args = ["--sheet", str(tmp_path / "sheet.png"), "--quality", "50", "--max-side", "64"]
    captured, text = page(capsys, folder, weights, tmp_path / "page.html", *args)
    assert captured.out.splitlines() == [str(tmp_path / "page.html"), str(tmp_path / "sheet.png")]
    assert len(versions(text)) == 9
    assert "WebP at quality 50, scaled down to at most 64 pixels a side" in text
    assert Image.open(tmp_path / "sheet.png").height > 3 * 220


def test_unreadable_pictures_are_named_on_the_page(capsys, tmp_path, folder, weights):
    (folder / "00.png").write_bytes(b"no picture")
    captured, text = page(capsys, folder, weights, tmp_path / "page.html", code=1)
    assert "error: 00.png" in captured.err
    assert "<li>00.png" in text
    assert re.findall(r'data-name="([^"]+)"', text) == ["01.png", "02.png"]


def test_no_page_is_written_if_no_picture_can_be_read(capsys, tmp_path, folder, weights):
    for path in folder.iterdir():
        path.write_bytes(b"no picture")
    captured, text = page(capsys, folder, weights, tmp_path / "page.html", code=1)
    assert captured.err.count("error: 0") == 3
    assert text == ""


@pytest.mark.parametrize(("option", "name"), [("-o", "there.html"), ("--sheet", "there.png")])
def test_existing_files_are_replaced_only_with_overwrite(capsys, tmp_path, folder, weights, option, name):
    path = tmp_path / name
    path.write_text("mine")
    told = ["compare", "zhang", str(folder), "--weights", weights, "--device", "cpu", option, str(path)]
    assert main(told) == 1
    assert "already exists" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main([*told, "--overwrite"]) == 0
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(("option", "suffixes"), [("-o", ".html or .htm"), ("--sheet", ".png")])
def test_an_output_with_the_suffix_of_another_format_is_a_usage_error(capsys, folder, option, suffixes):
    assert main(["compare", "zhang", str(folder), option, "a.jpg"]) == 2
    assert f"must end in {suffixes}, got 'a.jpg'." in capsys.readouterr().err


def test_no_output_is_a_usage_error(capsys, folder, weights):
    assert main(["compare", "zhang", str(folder), "--weights", weights]) == 2
    assert "-o page.html" in capsys.readouterr().err
