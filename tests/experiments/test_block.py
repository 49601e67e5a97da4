"""The figures of an experiment on a user's Markdown page."""

import pytest

from colorcli.cli import main
from colorcli.errors import UsageError
from colorcli.evaluation.tables import Column, Figure, Report, Section, Table
from colorcli.experiments.block import replace_block
from colorcli.experiments.page import Result
from colorcli.experiments.tables import FilledTable

PAGE = """# Ours

Before.

<!-- rome: written by colorcli paper -->
old
<!-- end of rome -->

After.
"""
ROWS = {"gray": {"l1": Figure(9.87, (8.1, 12.0))}, "T = 0": {"l1": Figure(13.2, (11.9, 14.5))}}
REPORT = Report(
    data="test photographs",
    command="",
    models={},
    versions={},
    tables=[Table("", [Column("l1", "L1 ab", 1)], [Section("", "", ROWS)], protocol=["30 photographs", "Intervals."])],
)
RESULT = Result(
    title="Rome",
    source="",
    question="",
    facts={"Scale": "short"},
    tables=[
        FilledTable("Table 1", ["", "L1"], [["T = 0", "13.2"]], note="By eye.", chance="No difference."),
        FilledTable("Table 2", ["", "people"], [["real", "715"]], is_measured=False),
    ],
    pictures=[],
    report=REPORT,
    problems=["Inception-v3: not available."],
    command="colorcli paper rome photos -o rome",
)


def test_the_tables_replace_what_is_between_the_comments(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    for _ in range(2):
        replace_block(page, "rome", RESULT)
    before, _, after = PAGE.partition("old\n")
    assert page.read_text(encoding="utf-8") == (
        before
        + """
- Scale: short
- Left out: Inception-v3: not available.
- `colorcli paper rome photos -o rome`

#### Table 1

|  | L1 |
| --- | ---: |
| T = 0 | 13.2 |

By eye.

No difference.

#### All metrics

|  | L1 ab |
| --- | ---: |
| gray | 9.9 (8.1 to 12.0) |
| T = 0 | 13.2 (11.9 to 14.5) |

test photographs: 30 photographs. Intervals.

"""
        + after
    )


@pytest.mark.parametrize("text", ["", "<!-- rome: written by colorcli paper -->\n", PAGE.replace("rome", "liege")])
def test_a_page_without_the_comments_is_an_error_that_shows_them(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"page\.md has no place for the figures of rome") as raised:
        replace_block(page, "rome", RESULT)
    assert raised.value.hint.splitlines()[1:] == ["<!-- rome: written by colorcli paper -->", "<!-- end of rome -->"]
    assert page.read_text(encoding="utf-8") == text


def test_a_page_that_cannot_be_written_to_is_an_error_before_anything_is_trained(tmp_path, capsys):
    missing = str(tmp_path / "missing.md")
    assert main(["paper", "rome", str(tmp_path), "-o", str(tmp_path / "out"), "--into", missing]) == 2
    assert f"{missing} cannot be read: No such file or directory." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
