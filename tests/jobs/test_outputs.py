"""Where outputs go, and what they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorcli.errors import UsageError
from colorcli.jobs import Job, numbered, of_copy, of_entropy, plan
from tests.jobs.plans import moves, touch


def test_a_file_is_written_beside_itself(here):
    touch("a.jpg", "b.v1.PNG", "plain")
    assert moves("a.jpg", "b.v1.PNG", "plain") == {
        "a.jpg": "a-color.jpg",
        "b.v1.PNG": "b.v1-color.PNG",
        "plain": "plain-color",
    }


def test_the_current_folder_has_a_name_too(here, monkeypatch):
    touch("p/a.jpg", "p/q/b.jpg")
    monkeypatch.chdir(here / "p")
    assert moves(".") == {
        "a.jpg": (here / "p-color/a.jpg").as_posix(),
        "q/b.jpg": (here / "p-color/q/b.jpg").as_posix(),
    }


def test_several_outputs_of_a_picture_have_names_of_their_own(here):
    touch("a.v1.jpg", "plain")
    found = plan([Path("a.v1.jpg"), Path("plain")], None).jobs
    assert [numbered(job, 2).target.name for job in found] == ["a.v1-color-2.jpg", "plain-color-2"]
    assert [of_entropy(job).target.name for job in found] == ["a.v1-color-entropy.png", "plain-color-entropy.png"]


@pytest.mark.parametrize(
    ("source", "target", "copy"),
    [
        ("a.jpg", "b.png", "b.jpg"),
        ("a.JPG", "a.v1-color.png", "a.v1-color.JPG"),
        ("a.jpg", "a-color.JPG", "a-color.JPG"),
        ("scan.dat", "scan.dat-color", "scan.dat-color"),
        ("scan.dat", "b.png", "b.dat"),
        ("plain", "plain-color", "plain-color"),
    ],
)
def test_a_copy_has_the_suffix_of_its_source_and_never_its_name(source, target, copy):
    assert of_copy(Job(Path(source), Path(target), source)).target == Path(copy)


def test_a_name_and_a_format_that_contradict_each_other_are_an_error(here):
    touch("a.jpg")
    with pytest.raises(UsageError, match=r"b\.png is not the name of a JPEG file"):
        plan([Path("a.jpg")], Path("b.png"), format="jpeg")
    assert moves("a.jpg", output="b.png", format="png") == {"a.jpg": "b.png"}


def test_one_file_can_be_given_a_name_or_a_folder(here):
    touch("a.jpg")
    assert moves("a.jpg", output="out/b.png") == {"a.jpg": "out/b.png"}
    assert moves("a.jpg", output="out") == {"a.jpg": "out/a.jpg"}


def test_one_folder_goes_into_the_output_and_several_go_each_into_its_own(here):
    touch("p/a.jpg", "q/a.jpg", "b.jpg")
    assert moves("p", output="out") == {"p/a.jpg": "out/a.jpg"}
    assert moves("p", "q", "b.jpg", output="out") == {
        "p/a.jpg": "out/p/a.jpg",
        "q/a.jpg": "out/q/a.jpg",
        "b.jpg": "out/b.jpg",
    }


def test_a_format_changes_only_the_suffixes_of_other_formats(here):
    touch("p/a.JPEG", "p/b.png", "p/c.2.tif")
    assert moves("p", format="jpg") == {
        "p/a.JPEG": "p-color/a.JPEG",
        "p/b.png": "p-color/b.jpg",
        "p/c.2.tif": "p-color/c.2.jpg",
    }


@pytest.mark.parametrize("name", ["photos.zip", "page.HTML", "a.jp2", "out/notes.txt", "photos.tar.gz", "film.mp3"])
def test_a_name_of_a_file_that_cannot_be_written_is_an_error_unless_a_folder_has_it(here, name):
    touch("a.jpg", "p/b.jpg")
    for source in ("a.jpg", "p"):
        with pytest.raises(UsageError, match=f"can be written as {Path(name).suffix}, got -o {name}") as error:
            plan([Path(source)], Path(name))
        assert f"mkdir {name}" in error.value.hint
    Path(name).mkdir(parents=True)
    assert moves("a.jpg", output=name) == {"a.jpg": f"{name}/a.jpg"}


@pytest.mark.parametrize("name", ["photos.2024", "v1.0", "2024.05.06", "St. Moritz", "A.B", ".hidden", "out.color"])
def test_a_folder_may_have_dots_in_its_name(here, name):
    touch("a.jpg")
    assert moves("a.jpg", output=name) == {"a.jpg": f"{name}/a.jpg"}
