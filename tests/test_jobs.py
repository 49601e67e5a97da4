"""From inputs to jobs: what is read, what is written, and what cannot be done."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from colorcli.errors import UsageError
from colorcli.jobs import numbered, of_entropy, plan, without_clashes
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.write import write_picture
from tests.media.pictures.samples import PROVENANCE, colored, image


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def moves(*inputs: str, output: str | None = None, **options) -> dict[str, str]:
    """Source -> target of a plan that has no problems."""
    found = plan([Path(each) for each in inputs], Path(output) if output else None, **options)
    assert found.problems == []
    return {job.source.as_posix(): job.target.as_posix() for job in found.jobs}


def problems(*inputs: str, output: str | None = None, **options) -> list[str]:
    found = plan([Path(each) for each in inputs], Path(output) if output else None, **options)
    return [str(error) for _, error in found.problems]


def test_a_file_is_written_beside_itself(here):
    touch("a.jpg", "b.v1.PNG", "plain")
    assert moves("a.jpg", "b.v1.PNG", "plain") == {
        "a.jpg": "a-color.jpg",
        "b.v1.PNG": "b.v1-color.PNG",
        "plain": "plain-color",
    }


def test_a_folder_is_mirrored_beside_itself_in_order(here):
    touch("p/b/2.png", "p/b/10.png", "p/a.jpg", "p/notes.txt", "p/.hidden.jpg", "p/.git/x.jpg", "p/.colorcli-1-a.part")
    assert list(moves("p/").items()) == [
        ("p/a.jpg", "p-color/a.jpg"),
        ("p/b/10.png", "p-color/b/10.png"),
        ("p/b/2.png", "p-color/b/2.png"),
    ]


def test_the_folder_one_stands_in_has_a_name_too(here, monkeypatch):
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


def test_nor_is_what_they_left_in_another_format(here):
    touch("p/a.JPG", "p/a-color.png", "p/a-color/d.png", "p/b.tif", "p/b-color.jpg", "p/c-color.png")
    assert [Path(each).name for each in moves("p")] == ["d.png", "a.JPG", "b.tif", "c-color.png"]


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


def test_a_format_changes_suffixes_and_leaves_its_own_alone(here):
    touch("p/a.JPEG", "p/b.png", "p/c.2.tif")
    assert moves("p", format="jpg") == {
        "p/a.JPEG": "p-color/a.JPEG",
        "p/b.png": "p-color/b.jpg",
        "p/c.2.tif": "p-color/c.2.jpg",
    }


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


def test_what_cannot_be_read_is_a_problem_and_the_rest_goes_on(here):
    touch("p/a.jpg")
    (here / "p" / "dangling.jpg").symlink_to(here / "gone.jpg")
    found = plan([Path("p"), Path("missing.jpg")], None)
    assert [job.source.name for job in found.jobs] == ["a.jpg"]
    assert [path.name for path, _ in found.problems] == ["dangling.jpg", "missing.jpg"]


def test_an_unreadable_folder_is_a_problem_and_the_rest_goes_on(here, monkeypatch):
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


def test_two_inputs_for_one_output_are_named_both_and_the_first_is_kept(here):
    touch("p/a.jpg", "p/a.png", "x/1.jpg", "y/1.jpg")
    (message,) = problems("p", format="png")
    assert str(Path("p/a.jpg")) in message
    assert str(Path("p/a.png")) in message
    (message,) = problems("x/1.jpg", "y/1.jpg", output="out")
    assert str(Path("y/1.jpg")) in message


def test_names_that_differ_in_case_clash_only_where_they_are_one_file(here, monkeypatch):
    touch("x/A.jpg", "y/a.jpg")
    monkeypatch.setattr("colorcli.jobs._ignores_case", lambda path: False)
    assert len(moves("x/A.jpg", "y/a.jpg", output="out")) == 2
    monkeypatch.setattr("colorcli.jobs._ignores_case", lambda path: True)
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


def test_an_output_of_an_earlier_run_is_no_input_when_its_source_is_one(here):
    image().save("a.jpg")
    picture = open_picture(Path("a.jpg"))
    write_picture(Path("a-color.jpg"), colored(picture), picture, provenance=PROVENANCE)
    assert moves("a.jpg", "a-color.jpg") == {"a.jpg": "a-color.jpg"}
    assert moves("a-color.jpg") == {"a-color.jpg": "a-color-color.jpg"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_any_name_that_a_system_allows_is_allowed(here):
    names = [
        "Großmutter.jpg",
        "おばあさん.png",
        "two\nlines.jpg",
        os.fsdecode(b"\xff\xfe.jpg"),
        "-dash.jpg",
        "a b.jpg",
    ]
    touch(*(f"p/{name}" for name in names))
    assert {Path(source).name for source in moves("p")} == set(names)
    assert len(moves("p", shard=(1, 1))) == len(names)
    shutil.rmtree("p")
    (message,) = problems("two\nlines.jpg")
    assert "\n" not in message


def test_shards_share_the_work_out_and_depend_on_nothing_but_paths(here):
    touch(*(f"p/{number}.jpg" for number in range(200)))
    shards = [set(moves("p", shard=(number, 3))) for number in (1, 2, 3)]
    assert set.union(*shards) == set(moves("p"))
    assert sum(map(len, shards)) == 200
    assert min(map(len, shards)) > 40
    shutil.move("p", "moved")
    assert {Path(each).name for each in moves("moved", shard=(1, 3))} == {Path(each).name for each in shards[0]}


@pytest.mark.parametrize(
    ("inputs", "output", "options"),
    [
        (["p"], None, {"format": "docx"}),
        (["p"], None, {"shard": (0, 4)}),
        (["p"], None, {"shard": (5, 4)}),
        (["p"], "out.jpg", {}),
        (["p/a.jpg", "p/b.jpg"], "out.jpg", {}),
        (["p"], "p/notes", {}),
        (["/"], None, {}),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(here, inputs, output, options):
    touch("p/a.jpg", "p/b.jpg", "p/notes")
    with pytest.raises(UsageError):
        plan([Path(each) for each in inputs], Path(output) if output else None, **options)


# Several outputs of each picture


def clashes(*inputs: str, output: str | None = None) -> tuple[list[list[str]], list[str]]:
    """The targets that remain of colorings and entropies, and the problems."""
    found = plan([Path(each) for each in inputs], Path(output) if output else None)
    passes = without_clashes([found.jobs, [of_entropy(job) for job in found.jobs]], found)
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
    assert without_clashes([found.jobs, [of_entropy(job) for job in found.jobs]], found) == [found.jobs, []]
    assert "would have 258 bytes" in str(found.problems[0][1])
