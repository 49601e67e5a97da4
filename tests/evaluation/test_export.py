import csv
import json
import math

import pytest

from colorcli.evaluation.export import from_json, to_csv, to_json
from colorcli.evaluation.markdown import to_markdown
from colorcli.evaluation.tables import Column, Comparison, Figure, Report, Section, Table


@pytest.fixture
def report():
    rows = {"gray": {"psnr": Figure(20.0, (19.0, 21.0))}, "a, b": {"psnr": Figure(math.inf)}}
    table = Table(
        "Photographs",
        [Column("psnr", "PSNR dB", 1, "higher"), Column("fid", "FID", missing="no weights")],
        [Section("", "2 photographs", rows), Section("city", "1 photograph", rows)],
        [Comparison("a, b", "gray", "psnr", Figure(1.0, (0.5, 1.5)), 2, 2)],
        ["2 photographs"],
    )
    return Report("set", "colorcli evaluate", {"a, b": "a network"}, {"torch": "2"}, [table], ["x: broken"], ["g.png"])


def test_json_can_be_read_back(report):
    found = from_json(to_json(report))
    assert to_markdown(found) == to_markdown(report)
    assert to_json(found) == to_json(report)
    assert found.tables[0].sections[0].rows["a, b"]["psnr"].value == math.inf


def test_json_contains_no_nan_and_no_infinity(report):
    def refuse(word):
        raise AssertionError(word)

    facts = json.loads(to_json(report), parse_constant=refuse)  # NaN and Infinity are no JSON
    cells = facts["tables"][0]["sections"][0]["rows"]
    assert cells["gray"]["psnr"] == {"value": 20.0, "interval": [19.0, 21.0]}
    assert cells["a, b"]["psnr"] == {"value": "inf", "interval": None}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"tables": [{}]}', '{"tables": []}', '{"tables": 3}'])
def test_invalid_json_is_an_error(text):
    with pytest.raises(ValueError):  # noqa: PT011
        from_json(text)


def test_csv_has_a_row_for_each_figure_and_each_difference(report):
    text = to_csv(report)
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert len(rows) == 5
    assert rows[0] == {
        "table": "Photographs",
        "section": "",
        "row": "gray",
        "minus": "",
        "metric": "psnr",
        "value": "20.0",
        "low": "19.0",
        "high": "21.0",
        "better_on": "",
        "of": "",
    }
    assert [rows[1][name] for name in ("row", "value", "low")] == ["a, b", "inf", ""]
    assert rows[2]["section"] == "city"
    assert [rows[4][name] for name in ("row", "minus", "value", "better_on", "of")] == [
        "a, b",
        "gray",
        "1.0",
        "2",
        "2",
    ]


def test_csv_has_protocol_and_command(report):
    comments = [line for line in to_csv(report).splitlines() if line.startswith("#")]
    assert {
        "# set: 2 photographs",
        "# a, b: a network",
        "# torch 2",
        "# colorcli evaluate",
        "# FID: not measured. no weights",
    } <= set(comments)
