import json

import pytest

from colorcli.bench import table
from colorcli.bench.against import read_others
from colorcli.bench.speed import Speed
from colorcli.errors import UnreadableMedia, UsageError
from colorcli.pages.bench import to_html
from tests.bench.test_speed import FACTS, a_round


def speed(seconds, way="colorcli", **facts):
    timing = {**a_round(), "whole": seconds}
    if way != "colorcli":
        timing |= {"alone": 0, "stages": {}}
    return Speed({**FACTS, **facts}, [timing], 1.5, "", way)


def measured(folder, *speeds):
    path = folder / "other.json"
    path.write_text(table.as_json(speeds, "4 pictures", "colorcli bench zhang"))
    return read_others(path)


def test_a_row_is_compared_with_the_demo_and_its_own_floor():
    ours, other_device = speed(2), speed(1, device="cuda in bf16")
    rows = [ours, other_device, speed(1, "floor"), speed(0.5, "floor", device="cuda in bf16"), speed(8, "demo")]
    heading, _, first, second, *_ = table.markdown(rows, "pictures", "colorcli bench").splitlines()
    assert "of the floor | times the demo" in heading
    assert "| 50% | 4.0 |" in first
    assert "| 50% | 8.0 |" in second


def test_a_row_is_compared_with_the_same_row_of_another_machine(tmp_path):
    others = measured(tmp_path, speed(4), speed(1, device="cuda in bf16"))
    assert others.match(speed(2)).pictures_per_second == 1
    assert others.match(speed(2, model="iizuka.starter")) is None
    assert others.match(speed(2, "floor")) is None
    text = table.markdown([speed(2)], "pictures", "colorcli bench", others)
    assert "times other.json" in text
    assert "| 2.00 |" in text
    assert "other.json: 4 pictures; Abacus" in text


def test_a_model_measured_once_is_compared_whatever_its_device(tmp_path):
    assert measured(tmp_path, speed(4, device="cuda in bf16")).match(speed(2)).pictures_per_second == 1


def test_the_longest_bar_is_the_fastest(tmp_path):
    page = to_html([speed(2), speed(1, "floor")], "pictures", "colorcli bench", measured(tmp_path, speed(4)))
    assert [share in page for share in ('width="50.00%"', 'width="100.00%"', 'width="25.00%"')] == [True] * 3
    assert "50% of the floor" in page


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"source": "", "speeds": []}), '{"source": 1, "speeds": []}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(UsageError, match=r"other\.json must contain measurements"):
        read_others(tmp_path / "other.json")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(UnreadableMedia, match=r"other\.json"):
        read_others(tmp_path / "other.json")
