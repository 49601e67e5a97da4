from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from colorcli.validation import find_problems


class Inner(msgspec.Struct):
    rate: Annotated[float, Meta(gt=0)]


class Outer(msgspec.Struct):
    name: Annotated[str, Meta(min_length=1, description="a name")]
    count: Annotated[int, Meta(ge=1)] = 1
    sizes: list[int] = []
    extra: dict[str, Any] = {}
    inner: Inner | None = None
    training: Inner = msgspec.field(default_factory=lambda: Inner(1.0))


CASES = {
    "a wrong value": ({"name": ""}, "run.name must be a name, got ''"),
    "a bound": ({"name": "a", "count": 0}, "run.count must be an integer >= 1, got 0"),
    "a wrong type": ({"name": "a", "extra": 3}, "run.extra must be a table, got 3"),
    "an item of a list": ({"name": "a", "sizes": [1, "2"]}, "run.sizes[1] must be an integer"),
    "an unknown field": ({"name": "a", "cuont": 2}, "run.cuont is not a known field. Did you mean count?"),
    "a missing field": ({}, "run.name is missing"),
    "a field inside a table": (
        {"name": "a", "training": {"rate": -1.0}},
        "run.training.rate must be a number > 0.0, got -1.0",
    ),
    "a field inside an optional table": ({"name": "a", "inner": {"rate": "x"}}, "run.inner.rate must be a number"),
    "a value instead of a table": ({"name": "a", "training": 3}, "run.training must be a table, got 3"),
    "a long value": ({"name": "a", "count": "x" * 500}, f"run.count must be an integer, got '{'x' * 76}..."),
}


@pytest.mark.parametrize(("table", "problem"), CASES.values(), ids=CASES)
def test_a_problem_has_the_path_of_its_field(table, problem):
    assert find_problems(table, Outer, "run") == [problem]


def test_every_problem_is_found():
    problems = find_problems({"count": 0, "sizes": 1, "x": 2}, Outer, "")
    assert [problem.split()[0] for problem in problems] == ["count", "sizes", "x", "name"]


def test_a_correct_table_has_no_problems():
    assert find_problems({"name": "a", "sizes": [1], "inner": {"rate": 1}}, Outer, "run") == []


@pytest.mark.parametrize("table", [3, "text", [1]])
def test_a_value_instead_of_the_whole_table_is_a_problem(table):
    assert find_problems(table, Outer, "") == [f"the file must be a table, got {table!r}"]
