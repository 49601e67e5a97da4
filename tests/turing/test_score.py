import json

import pytest

from colorcli.errors import DataError
from colorcli.turing.answers import Result
from colorcli.turing.score import score
from tests.turing.squares import answers_to, write_test

# The answers of two people to 12 scenes each: (taken for real, pictures) for each version.
ANSWERS = {
    "1": {"real": (5, 6), "vivid": (0, 3), "pale": (2, 3)},
    "2": {"real": (4, 6), "vivid": (1, 3), "pale": (3, 3)},
}


@pytest.fixture
def key(tmp_path):
    return write_test(tmp_path)[2]


def results(key, counts=ANSWERS):
    for participant, kinds in counts.items():
        answers = {}
        for version, (hits, count) in kinds.items():
            answers |= answers_to(key, version, *[True] * hits, *[False] * (count - hits))
        yield Result(participant, answers)


@pytest.fixture
def report(key):
    return score(key, list(results(key)), [DataError("x.json is not valid JSON.")])


def test_answers_are_counted_for_real_pictures_and_for_each_model(report):
    found = json.loads(report.json("colorcli turing score results"))
    assert (found["participants"], found["answers"]) == (2, 24)
    assert (found["real"]["taken_for_real"], found["real"]["answers"]) == (9, 12)
    assert {n: (m["taken_for_real"], m["answers"]) for n, m in found["models"].items()} == {
        "vivid": (1, 6),
        "pale": (5, 6),
    }
    assert found["wrong"] == {"count": 3 + 1 + 5, "rate": 9 / 24}
    assert found["skipped"] == ["x.json is not valid JSON."]


def test_each_model_is_tested_against_one_half_and_against_real_photographs(report):
    found = json.loads(report.json(""))["models"]["vivid"]
    assert found["against_half"] == {
        "chi_square": pytest.approx(16 / 6),
        "p": pytest.approx(0.1025, abs=1e-4),
        "enough": False,
    }
    # 18 (1 * 3 - 5 * 9)^2 / (6 * 12 * 10 * 8)
    assert found["against_real"]["chi_square"] == pytest.approx(18 * 42**2 / 5760)
    assert found["interval_by_person"] == [0, pytest.approx(1 / 3)]


def test_models_are_compared_pairwise(report):
    (row,) = json.loads(report.json(""))["comparisons"]
    assert row["models"] == ["vivid", "pale"]
    assert row["difference"] == pytest.approx(-4 / 6)
    assert row["chi_square"] == pytest.approx(12 * 24**2 / 6**4)
    assert row["p_holm"] == row["p"]
    assert row["interval"][0] < -4 / 6 < row["interval"][1] < 0


def test_the_tables_include_their_protocol(report):
    text = report.markdown("colorcli turing score results")
    assert "| real | 9 | 3 | 12 |" in text
    assert "| all colored | 6 | 6 | 12 |" in text
    assert "Wrong answers: 9 of 24, 37.5 %." in text
    assert "| vivid | 16.7 % | 3.0 to 56.4 | 0.0 to 33.3 | 2.67 | 0.1025 | 5.51 | 0.0189 |" in text
    assert "| vivid minus pale | -66.7 |" in text
    for protocol in ("2 participants, 24 answers, 1 file skipped", "12 scenes of squares", "made of red", "Wilson"):
        assert protocol in text
    assert "`colorcli turing make vivid pale squares`" in text
    assert "`colorcli turing score results`" in text


def test_a_single_model_has_no_comparisons(tmp_path):
    key = write_test(tmp_path, models=["pale"])[2]
    counts = {"1": {"real": (3, 6), "pale": (2, 6)}}
    text = score(key, list(results(key, counts)), []).markdown("")
    assert "minus" not in text.partition("\n- ")[0]
    assert "all colored" not in text
    assert "1 participant, 12 answers;" in text


def test_cells_without_a_test_are_empty(tmp_path):
    key = write_test(tmp_path)[2]
    counts = {"1": {"real": (6, 6), "vivid": (3, 3)}}  # all for real, and nobody saw the pale ones
    report = score(key, list(results(key, counts)), [])
    text = report.markdown("")
    assert "| pale |  | 0.0 to 100.0 |  |  |  |  |  |" in text
    assert "Too few answers for a reliable p (below 5 expected in a cell): vivid, pale" in text
    found = json.loads(report.json(""))
    assert found["models"]["pale"]["rate"] is None
    assert found["models"]["vivid"]["against_real"]["p"] is None
    assert found["comparisons"] == []
