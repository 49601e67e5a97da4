from fractions import Fraction

import pytest

from colorcli.errors import UsageError
from colorcli.film.shot_list import Shot, clock_time, read_shots, write_edl, write_shots

SHOTS = (
    Shot(Fraction(0), Fraction(1001, 30000), references=("00-00-00.000.png",)),
    Shot(Fraction(1001, 30000), Fraction(3723), "zhang.starter", 0.5, ("a, b.png", "c.png")),
)


def test_a_list_is_read_as_it_was_written(tmp_path):
    write_shots(tmp_path / "shots.csv", SHOTS)
    first, second = read_shots(tmp_path / "shots.csv")
    assert (first.start, first.end, first.references) == (0, Fraction(34, 1000), ("00-00-00.000.png",))
    assert (second.end, second.model, second.strength) == (3723, "zhang.starter", 0.5)
    assert second.references == ("a, b.png", "c.png")


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "0:00:00.000"),
        (Fraction(6248, 100), "0:01:02.480"),
        (Fraction(1, 3), "0:00:00.334"),
        (36000, "10:00:00.000"),
    ],
)
def test_times_are_rounded_up_to_milliseconds(time, text):
    assert clock_time(Fraction(time)) == text


@pytest.mark.parametrize(
    "text",
    [
        "start,end,model,strength,reference\r\n0:00:00.000,0:00:01.500,,0.5,a.png\r\n",
        "\ufeffstart;end;model;strength;reference\n0;1,5;;0,5;a.png\n;;;;\n",
        "reference\tstrength\tEnd\tStart\na.png\t0.5\t1.5\t0:00\n",
    ],
    ids=["as written", "a spreadsheet with decimal commas", "other columns"],
)
def test_what_spreadsheets_save_is_read(tmp_path, text):
    (tmp_path / "shots.csv").write_text(text, encoding="utf-8", newline="")
    assert read_shots(tmp_path / "shots.csv") == (Shot(Fraction(0), Fraction(3, 2), "", 0.5, ("a.png",)),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the first line must name the columns"),
        ("begin,end\n0,1\n", "the first line must name the columns"),
        ("start,end\n", "it contains no shots"),
        ("start,end\nsoon,1\n", "line 2: start must be a time such as 90, 1:30 or 1:02:03.5, got 'soon'"),
        ("start,end\n0,1\n1,1\n", "line 3: end must be after start"),
        ("start,end\n0,2\n1,3\n", "line 3: the shot begins before the one above it ends"),
        ("start,end,strength\n0,1,2\n", "strength must be between 0 and 1, got '2'"),
        ("start,end,strength\n0,1,much\n", "strength must be between 0 and 1, got 'much'"),
        ("start,end\n" + "9" * 40 + ",1\n", "start must be a time"),
    ],
)
def test_a_wrong_list_is_an_error_that_names_the_line(tmp_path, text, says):
    (tmp_path / "shots.csv").write_text(text)
    with pytest.raises(UsageError) as error:
        read_shots(tmp_path / "shots.csv")
    assert says in str(error.value)
    assert "shots.csv" in str(error.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x89PNG\r\n"])
def test_a_file_that_is_not_text_is_an_error(tmp_path, content):
    (tmp_path / "shots.csv").write_bytes(content)
    with pytest.raises(UsageError, match="not a text file"):
        read_shots(tmp_path / "shots.csv")


@pytest.mark.parametrize(("rate", "last"), [(25, "01:02:03:00"), (24, "01:02:03:00"), (30, "01:02:03:00")])
def test_an_edit_decision_list_counts_frames(tmp_path, rate, last):
    shots = (
        Shot(Fraction(0), Fraction(12, rate), references=("still.png",)),
        Shot(Fraction(12, rate), Fraction(3723)),
    )
    write_edl(tmp_path / "film.edl", shots, Fraction(rate), "film.mkv")
    lines = (tmp_path / "film.edl").read_text().splitlines()
    assert lines[:2] == ["TITLE: film.mkv", "FCM: NON-DROP FRAME"]
    assert lines[3] == "001  AX       V     C        00:00:00:00 00:00:00:12 00:00:00:00 00:00:00:12"
    assert lines[6] == f"002  AX       V     C        00:00:00:12 {last} 00:00:00:12 {last}"
    assert lines[4:6] == ["* FROM CLIP NAME: film.mkv", "* COMMENT: still.png"]
