"""Outputs that would replace an input or another output."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorcli.jobs import of_entropy, passes_without_clashes, plan
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.write import write_picture
from tests.jobs.plans import moves, problems, touch
from tests.media.pictures.samples import PROVENANCE, colored, image


def test_two_inputs_with_one_output_are_both_named_and_the_first_is_kept(here):
    touch("p/a.jpg", "p/a.png", "x/1.jpg", "y/1.jpg")
    (message,) = problems("p", format="png")
    assert str(Path("p/a.jpg")) in message
    assert str(Path("p/a.png")) in message
    (message,) = problems("x/1.jpg", "y/1.jpg", output="out")
    assert str(Path("y/1.jpg")) in message


def test_names_that_differ_in_case_clash_only_where_they_are_one_file(here, monkeypatch):
    touch("x/A.jpg", "y/a.jpg")
    monkeypatch.setattr("colorcli.jobs.clashes._ignores_case", lambda path: False)
    assert len(moves("x/A.jpg", "y/a.jpg", output="out")) == 2
    monkeypatch.setattr("colorcli.jobs.clashes._ignores_case", lambda path: True)
    assert len(problems("x/A.jpg", "y/a.jpg", output="out")) == 1


def test_an_input_given_twice_is_done_once(here):
    touch("a.jpg")
    assert len(moves("a.jpg", "a.jpg")) == 1
    assert len(plan([Path("a.jpg"), Path("./a.jpg"), Path("a.jpg").absolute()], None).jobs) == 1


def test_no_output_replaces_an_input(here):
    touch("a.jpg", "b.jpg", "b-color.jpg")
    assert "would replace an input" in problems("a.jpg", output=".")[0]
    assert "would replace an input" in problems("a.jpg", output="a.jpg")[0]
    assert "would replace an input" in problems("b.jpg", "b-color.jpg")[0]
    (here.parent / f"{here.name}-link").symlink_to(here)
    assert "would replace an input" in problems("a.jpg", output=str(here.parent / f"{here.name}-link"))[0]


def test_an_output_of_an_earlier_run_is_not_an_input_if_its_source_is_one(here):
    image().save("a.jpg")
    picture = open_picture(Path("a.jpg"))
    write_picture(Path("a-color.jpg"), colored(picture), picture, provenance=PROVENANCE)
    assert moves("a.jpg", "a-color.jpg") == {"a.jpg": "a-color.jpg"}
    assert moves("a-color.jpg") == {"a-color.jpg": "a-color-color.jpg"}


def clashes(*inputs: str, output: str | None = None) -> tuple[list[list[str]], list[str]]:
    """The targets that remain of colorings and entropies, and the problems."""
    found = plan([Path(each) for each in inputs], Path(output) if output else None)
    passes = passes_without_clashes([found.jobs, [of_entropy(job) for job in found.jobs]], found)
    return [[job.target.name for job in jobs] for jobs in passes], [str(error) for _, error in found.problems]


def test_entropies_of_pictures_that_differ_in_their_suffix_clash(here):
    touch("p/a.jpg", "p/a.png", "p/b.jpg")
    targets, told = clashes("p", output="out")
    assert targets == [["a.jpg", "a.png", "b.jpg"], ["a-entropy.png", "b-entropy.png"]]
    assert len(told) == 1
    assert "have the same output" in told[0]


def test_an_entropy_that_would_replace_the_coloring_of_another_picture_clashes(here):
    touch("p/a.jpg", "p/a-entropy.png")
    targets, told = clashes("p", output="out")
    assert targets == [["a-entropy.png", "a.jpg"], ["a-entropy-entropy.png"]]
    assert len(told) == 1


def test_outputs_that_differ_clash_with_nothing(here):
    touch("p/a.jpg", "p/b.jpg", "p/q/a.jpg")
    assert clashes("p", output="out")[1] == []


@pytest.mark.parametrize("name", [f"{'a' * 246}.png", f"{'ä' * 123}.jpg", f"{'a' * 246}.mkv"])
def test_a_name_that_is_too_long_with_its_ending_is_an_error_that_says_so(here, name):
    touch(name)
    (problem,) = problems(name)
    assert "the name of its output would have 256 bytes" in problem
    assert moves(name, output="out") == {name: f"out/{name}"}


def test_outputs_of_several_passes_may_be_too_long_too(here):
    name = f"{'a' * 246}.png"
    touch(name)
    found = plan([Path(name)], Path("out"))
    assert passes_without_clashes([found.jobs, [of_entropy(job) for job in found.jobs]], found) == [found.jobs, []]
    assert "would have 258 bytes" in str(found.problems[0][1])
