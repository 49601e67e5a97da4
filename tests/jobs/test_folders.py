"""Which files of a folder are colored."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from colorcli.jobs import plan
from tests.jobs.plans import moves, touch


def test_a_folder_is_mirrored_beside_itself_in_order(here):
    touch("p/b/2.png", "p/b/10.png", "p/a.jpg", "p/notes.txt", "p/.hidden.jpg", "p/.git/x.jpg", "p/.colorcli-1-a.part")
    assert list(moves("p/").items()) == [
        ("p/a.jpg", "p-color/a.jpg"),
        ("p/b/10.png", "p-color/b/10.png"),
        ("p/b/2.png", "p-color/b/2.png"),
    ]


def test_numbered_pictures_in_a_folder_are_a_film_where_they_cannot_be_photographs_or_a_rate_is_given(here):
    touch("f/a.jpg", "f/dpx/1.dpx", "f/dpx/2.dpx", "f/dpx/notes.txt", "f/png/01.png", "f/png/02.png", "f/png/raw.webp")
    scans = {"f/a.jpg": "f-color/a.jpg", "f/dpx/%d.dpx": "f-color/dpx/%d.dpx"}
    pictures = {f"f/png/{name}": f"f-color/png/{name}" for name in ("01.png", "02.png", "raw.webp")}
    assert moves("f") == scans | pictures
    film = {"f/png/%02d.png": "f-color/png/%02d.png", "f/png/raw.webp": "f-color/png/raw.webp"}
    assert moves("f", sequences=True) == scans | film
    assert [job.source.name for job in plan([here / "f"], None).films] == ["%d.dpx"]


def test_several_outputs_beside_their_input_are_not_colored_again(here):
    touch("p/a.JPG", "p/a-color-1.JPG", "p/a-color-12.JPG", "p/a-color-entropy.png", "p/b-color-1.jpg", "p/c-1.jpg")
    assert [Path(each).name for each in moves("p")] == ["a.JPG", "b-color-1.jpg", "c-1.jpg"]


def test_what_earlier_runs_left_beside_their_inputs_is_not_colored_again(here):
    touch(
        "photos/a.jpg", "photos/a-color.jpg", "photos/street/b.png", "photos/street-color/b.png", "photos/c-color.jpg"
    )
    assert moves("photos") == {
        "photos/a.jpg": "photos-color/a.jpg",
        "photos/c-color.jpg": "photos-color/c-color.jpg",
        "photos/street/b.png": "photos-color/street/b.png",
    }


def test_what_they_left_in_another_format_is_not_colored_again(here):
    touch("p/a.JPG", "p/a-color.png", "p/a-color/d.png", "p/b.tif", "p/b-color.jpg", "p/c-color.png")
    assert [Path(each).name for each in moves("p")] == ["d.png", "a.JPG", "b.tif", "c-color.png"]


def test_an_output_inside_the_input_is_not_read(here):
    touch("p/a.jpg", "p/out/a.jpg", "p/sub/b.jpg")
    assert moves("p", output="p/out") == {
        "p/a.jpg": "p/out/a.jpg",
        "p/sub/b.jpg": "p/out/sub/b.jpg",
    }


def test_links_are_followed_but_not_in_circles(here):
    touch("p/a.jpg", "elsewhere/b.jpg")
    (here / "p" / "loop").symlink_to(here / "p")
    (here / "p" / "linked").symlink_to(here / "elsewhere")
    (here / "p" / "c.jpg").symlink_to(here / "elsewhere/b.jpg")
    assert list(moves("p")) == ["p/a.jpg", "p/c.jpg", "p/linked/b.jpg"]


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes of POSIX")
def test_links_that_lead_nowhere_are_problems_and_pipes_are_left_out(here):
    touch("p/a.jpg")
    (here / "p" / "itself.jpg").symlink_to("itself.jpg")
    (here / "p" / "itself").symlink_to("itself")
    (here / "p" / "broken.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(here / "p" / "pipe.jpg")
    os.mkfifo(here / "p" / "pipe.ts")  # opening it would wait forever
    found = plan([Path("p")], None)
    assert [job.source.name for job in found.jobs] == ["a.jpg"]
    assert [str(error) for _, error in found.problems] == [
        "p/broken.jpg: the target of this link does not exist.",
        "p/itself: Too many levels of symbolic links.",
        "p/itself.jpg: Too many levels of symbolic links.",
    ]


def test_an_unreadable_folder_is_a_problem_and_the_rest_is_planned(here, monkeypatch):
    touch("p/a.jpg", "p/locked/b.jpg", "p/z/c.jpg")
    real_scandir = os.scandir

    def refusing(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = plan([Path("p")], None)
    assert [job.source.name for job in found.jobs] == ["a.jpg", "c.jpg"]
    assert [str(error) for _, error in found.problems] == [f"{Path('p/locked')}: Permission denied."]
