import json
from fractions import Fraction

import pytest

from colorcli.errors import UsageError
from colorcli.hints.files import HintSet, gather, read_hints
from colorcli.hints.hint import Length, WrittenHint

RED = WrittenHint(Length(120, False), Length(45, True), (176, 48, 32))
DISC = WrittenHint(Length(5, False), Length(6, False), (0, 0, 128), Length(8, False))


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_json_file_is_a_list_of_hints(tmp_path):
    rows = [
        {"x": 120, "y": "45%", "color": "#b03020"},
        {"picture": "b.jpg", "x": 5, "y": 6.0, "color": "navy", "radius": 8},
        {"x": "1", "y": "2", "color": "red", "time": "1:02"},
    ]
    found = read_hints(write(tmp_path / "hints.json", json.dumps(rows)))
    at_a_time = WrittenHint(Length(1, False), Length(2, False), (255, 0, 0), seconds=Fraction(62))
    assert found == {"": [RED, at_a_time], "b.jpg": [DISC]}


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_csv_file_has_a_row_for_each_hint(tmp_path, separator):
    text = "picture,x,y,color,radius\n,120,45%,#b03020,\nb.jpg,5,6,navy,8\n".replace(",", separator)
    assert read_hints(write(tmp_path / "hints.csv", "\ufeff" + text)) == {"": [RED], "b.jpg": [DISC]}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", "{}", "must be a list of hints"),
        ("a.json", "[1", "is not a valid JSON file"),
        ("a.json", '[{"x": 1, "y": 2}]', "hint 1.color is missing"),
        ("a.json", '[{"x": -1, "y": 2, "color": "red"}]', "hint 1.x must be pixels such as 120, or percent"),
        ("a.json", '[{"x": 1, "y": 2, "colr": "red", "color": "red"}]', "Did you mean color?"),
        ("a.json", '[{"x": 1, "y": 2, "color": "reddish"}]', "hint 1: A color must be like #b03020"),
        ("a.csv", "x,y,color\n1,2,red\n3,x,red\n", "hint 2.y must be pixels such as 120, or percent"),
        ("a.csv", "x,y,color\n1,2,red,4\n", "a row has more fields than the header"),
        ("a.csv", "x,y,color,time\n1,2,red,soon\n", "hint 1: A time must be"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, name, text, problem):
    with pytest.raises(UsageError) as caught:
        read_hints(write(tmp_path / name, text))
    assert problem in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_many_problems_are_counted_and_not_listed(tmp_path):
    rows = "x,y,color\n" + "a,b,red\n" * 50
    with pytest.raises(UsageError, match="and 90 more"):
        read_hints(write(tmp_path / "a.csv", rows))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"missing\.csv: No such file"):
        read_hints(tmp_path / "missing.csv")


def test_a_picture_gets_the_hints_of_its_name_and_of_its_path():
    hints = HintSet({"": (RED,), "b.jpg": (DISC,), "in/b.jpg": (RED, DISC)})
    assert hints.of("in/b.jpg") == (RED, DISC, RED, DISC)
    assert hints.of("out/b.jpg") == (RED, DISC)
    assert hints.of("c.jpg") == (RED,)
    assert hints
    assert not HintSet({"": ()})


def test_hints_without_a_name_are_for_a_single_picture():
    HintSet({"": (RED,)}).check(["a.jpg"])
    with pytest.raises(UsageError, match="for a single picture, but there are 2"):
        HintSet({"": (RED,)}).check(["a.jpg", "b.jpg"])


def test_a_name_that_no_picture_has_is_refused():
    HintSet({"b.jpg": (RED,), "in/b.jpg": (RED,)}).check(["a.jpg", "in/b.jpg"])
    with pytest.raises(
        UsageError, match=r"Hints refer to bb\.jpg, which is not among the inputs\. Did you mean b\.jpg"
    ):
        HintSet({"bb.jpg": (RED,)}).check(["a.jpg", "in/b.jpg"])


def test_hints_of_the_command_line_come_before_those_of_files(tmp_path):
    path = write(tmp_path / "hints.csv", "x,y,color,radius\n5,6,navy,8\n")
    assert gather([RED], [path]).rows == {"": (RED, DISC)}


def test_numbers_of_any_kind_are_read_or_refused(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('[{"x": 1e-7, "y": 12.5, "color": "red", "radius": 3}]')
    (hint,) = read_hints(file)[""]
    assert (hint.x.value, hint.y.value, hint.radius.value) == (1e-7, 12.5, 3)
    for number in ("1e999", "NaN", "-1", "9" * 400, f'"{"9" * 400}"'):
        file.write_text(f'[{{"x": {number}, "y": 1, "color": "red"}}]')
        with pytest.raises(UsageError, match=r"hint 1\.x must be pixels"):
            read_hints(file)
