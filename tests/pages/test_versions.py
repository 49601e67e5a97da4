import numpy as np
import pytest
from PIL import Image

from colorcli.errors import UnreadableMedia
from colorcli.media.photographs import find_photographs
from colorcli.media.pictures.files import DEFAULT_MAX_PIXELS
from colorcli.pages.versions import before_and_after, versions
from tests.evaluation.pictures import pipeline, save_gray, save_photographs, save_weights


@pytest.fixture(scope="module")
def zhang(tmp_path_factory):
    return pipeline(save_weights(tmp_path_factory.mktemp("weights") / "small.safetensors"), temperature=0.2)


def chroma(image):
    return float(np.asarray(image.convert("HSV"))[..., 1].mean())


def test_versions_are_gray_the_models_and_the_original_in_that_order(zhang, tmp_path):
    save_photographs(tmp_path, 1)
    (row,) = versions([zhang], find_photographs(tmp_path), [].append)
    assert list(row.versions) == ["gray", "zhang.small", "original"]
    assert chroma(row.versions["gray"]) < 2 < chroma(row.versions["zhang.small"])
    assert np.array_equal(row.versions["original"], Image.open(tmp_path / "00.png"))


def test_a_gray_picture_has_no_original(zhang, tmp_path):
    save_gray(tmp_path / "gray.png")
    (row,) = versions([zhang], find_photographs(tmp_path), [].append)
    assert list(row.versions) == ["gray", "zhang.small"]


def test_an_unreadable_file_is_reported_and_the_rest_are_done(zhang, tmp_path):
    save_photographs(tmp_path, 2)
    (tmp_path / "00.png").write_bytes(b"no picture")
    problems = []
    assert [row.name for row in versions([zhang], find_photographs(tmp_path), problems.append)] == ["01.png"]
    assert "00.png" in str(problems[0])


def test_an_output_is_shown_between_its_source_in_gray_and_in_color(tmp_path):
    save_photographs(tmp_path, 2)
    source, target = tmp_path / "00.png", tmp_path / "01.png"
    row = before_and_after(source, target, "model", "category people", max_pixels=DEFAULT_MAX_PIXELS)
    assert (row.name, row.note) == (str(source), "category people")
    assert list(row.versions) == ["gray", "model", "original"]
    assert np.array_equal(row.versions["model"], Image.open(target))


def test_a_missing_output_is_an_error(tmp_path):
    save_photographs(tmp_path, 1)
    with pytest.raises(UnreadableMedia, match=r"gone\.png"):
        before_and_after(tmp_path / "00.png", tmp_path / "gone.png", "model", "", max_pixels=DEFAULT_MAX_PIXELS)


def test_names_are_on_one_line_and_printable(zhang, tmp_path):
    save_gray(tmp_path / "one\ntwo.png")
    (row,) = versions([zhang], find_photographs(tmp_path), [].append)
    assert row.name == r"'one\ntwo.png'"
