"""From inputs to jobs: what is read, what is written, and what cannot be done."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from colorcli.errors import UsageError
from colorcli.jobs import plan
from tests.jobs.plans import moves, problems, touch


def test_an_unreadable_input_is_a_problem_and_the_rest_is_planned(here):
    touch("p/a.jpg")
    (here / "p" / "dangling.jpg").symlink_to(here / "gone.jpg")
    found = plan([Path("p"), Path("missing.jpg")], None)
    assert [job.source.name for job in found.jobs] == ["a.jpg"]
    assert [path.name for path, _ in found.problems] == ["dangling.jpg", "missing.jpg"]


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
def test_contradictory_and_invalid_options_are_usage_errors(here, inputs, output, options):
    touch("p/a.jpg", "p/b.jpg", "p/notes")
    with pytest.raises(UsageError):
        plan([Path(each) for each in inputs], Path(output) if output else None, **options)
