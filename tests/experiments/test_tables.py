"""The tables of a paper in their own form."""

import pytest

from colorcli.evaluation.tables import Column, Comparison, Figure, Report, Section, Table
from colorcli.experiments.declaration import PaperTable, TableRow
from colorcli.experiments.tables import Figures
from colorcli.training.report import RunLosses

LOSSES = {
    "lab": RunLosses("lab", {"l1": {1: 9.0, 2: 8.0, 3: 7.0}, "validation l1": {1: 3.0, 2: 2.0, 3: 2.5}}),
    "all/router": RunLosses("all/router", {"loss": {1: 1.0}}),
    "all/city": RunLosses("all/city", {"validation l1": {1: 4.0}}),
    "all/people": RunLosses("all/people", {"validation l1": {1: 6.0}}),
}
ROWS = {"baseline": {"l1": Figure(12.345, (11.0, 13.5)), "fid": Figure(3.0)}}
REPORT = Report("", "", {}, {}, [Table("", [Column("l1", "L1"), Column("fid", "FID")], [Section("", "", ROWS)])])


def filled(*rows, columns=("LAB",), of=()):
    return Figures(LOSSES, REPORT).fill(PaperTable(title="Table 1", columns=columns, of=of, rows=rows))


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (TableRow(name="a", loss="l1", of=("lab",), printed=(5.923,)), ["5.923", "7.000"]),
        (TableRow(name="a", loss="validation l1", of=("lab",), at="best", printed=(1.0,)), ["1.000", "2.000"]),
        (TableRow(name="a", loss="epoch", of=("lab",), printed=(119,)), ["119", "3"]),
        (TableRow(name="a", loss="epoch", of=("lab",), at="best", printed=(13,)), ["13", "2"]),
        (TableRow(name="a", loss="validation l1", of=("all/*",), printed=(1.237,)), ["1.237", "5.000"]),
        (TableRow(name="a", loss="l1", of=("yuv",), printed=(5.9,), decimals=1), ["5.9", "-"]),
        (
            TableRow(name="a", metric="l1", of=("baseline",), printed=(12.6,)),
            ["12.600", "12.345 (11.000 to 13.500)"],
        ),
        (TableRow(name="a", metric=("fid",), of=("baseline",), printed=("none",)), ["none", "3.000"]),
        (TableRow(name="a", printed=(715,), decimals=0), ["715", "-"]),
    ],
)
def test_a_cell_of_the_paper_is_followed_by_ours(row, cells):
    table = filled(row)
    assert table.heading == ["", "LAB, paper", "LAB, here"]
    assert table.rows == [["a", *cells]]
    assert table.beside


def test_a_table_without_figures_in_the_paper_has_only_ours():
    table = filled(TableRow(name="L1", metric="l1", of=("baseline", "ensemble")), columns=("one", "other"))
    assert table.heading == ["", "one", "other"]
    assert table.rows == [["L1", "12.345 (11.000 to 13.500)", "-"]]
    assert not table.is_empty
    assert not table.beside


def test_a_table_of_runs_of_another_scale_is_empty():
    assert filled(TableRow(name="L1", loss="l1", of=("yuv",))).is_empty
    assert not filled(TableRow(name="L1", loss="l1", of=("yuv",), printed=(5.9,))).is_empty


def with_comparisons(*intervals):
    """A report in which one is compared with two, three and so on in L1, with these intervals of the difference."""
    names = ("two", "three", "four", "five", "six")[: len(intervals)]
    compared = [
        Comparison(name, "one", "l1", Figure(sum(each) / 2, each), 5, 10)
        for name, each in zip(names, intervals, strict=True)
    ]
    return Report("", "", {}, {}, [Table("", [Column("l1", "L1")], [Section("", "", {})], compared)])


@pytest.mark.parametrize(
    ("intervals", "said"),
    [
        ([(-0.5, 0.1)], "No 95 % interval of a difference between these columns excludes 0."),
        (
            [(-0.5, -0.1), (-1.0, 1.0)],
            "95 % intervals of differences between these columns that exclude 0: L1 ab, two minus one -0.3 (-0.5 to "
            "-0.1).",
        ),
        (
            [(0.1, 0.2)] * 5,
            "95 % intervals of differences between these columns that exclude 0: L1 ab, 5 of 5 differences.",
        ),
        ([], ""),
    ],
)
def test_a_table_says_which_differences_are_larger_than_chance(intervals, said):
    columns = ("one", "two", "three", "four", "five", "six")
    rows = (TableRow(name="L1 ab", metric="l1", decimals=1), TableRow(name="colorfulness", metric="colorfulness"))
    declared = PaperTable(title="Table", columns=columns, rows=rows)
    assert Figures({}, with_comparisons(*intervals)).fill(declared).chance == said
