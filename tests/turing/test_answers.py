import json

import pytest

from colorcli.errors import DataError
from colorcli.turing.answers import find_key, find_results, read_key, read_result, read_results
from tests.turing.squares import answers_to, result, save, write_test


@pytest.fixture
def key(tmp_path):
    return write_test(tmp_path)[2]


def test_answers_are_read_as_what_was_taken_for_real(tmp_path, key):
    given = answers_to(key, "real", "real", "colored")
    read = read_result(save(tmp_path / "a.json", result(key, "Zoë", given)), key)
    assert read.participant == "Zoë"
    assert list(read.answers.values()) == [True, False]


def test_a_text_that_was_pasted_with_a_mark_and_blank_lines_is_read(tmp_path, key):
    text = "\ufeff\n\n" + json.dumps(result(key, "1", answers_to(key, "real", "real"))) + "\r\n"
    assert read_result(save(tmp_path / "a.txt", text), key).participant == "1"


def broken(key):
    good = result(key, "1", answers_to(key, "real", "real", "real"))
    (scene, _) = next(iter(key.versions.values()))
    of_scene = [name for name, (each, _) in key.versions.items() if each == scene][:2]
    return {
        "half a file": (json.dumps(good)[:50], "no JSON, or a part of it only"),
        "another kind of file": ([1, 2], "no JSON object"),
        "another program's": ({"format": "x"}, "no result of a Turing test"),
        "another test": ({**good, "test": "abc"}, f"of the test abc, and the key is of the test {key.test}"),
        "nobody": ({**good, "participant": ""}, "the participant or the answers are missing"),
        "no answers": ({**good, "answers": []}, "the participant or the answers are missing"),
        "an unknown picture": (result(key, "1", {"x": "real"}), "answer 1 is"),
        "an unknown answer": (result(key, "1", answers_to(key, "real", "maybe")), "answer 1 is"),
        "a list for a picture": ({**good, "answers": [{"picture": [], "answer": "real"}]}, "answer 1 is"),
        "no object for an answer": ({**good, "answers": ["real"]}, "answer 1 is"),
        "a scene twice": (result(key, "1", dict.fromkeys(of_scene, "real")), "answer 2 is to a scene"),
        "a picture twice": ({**good, "answers": good["answers"][:1] * 2}, "answer 2 is to a scene"),
    }


def test_files_that_cannot_count_are_named_with_the_reason_and_the_others_count(tmp_path, key):
    cases = broken(key)
    paths = [save(tmp_path / f"{name}.json", content) for name, (content, _) in cases.items()]
    good = save(tmp_path / "good.json", result(key, "2", answers_to(key, "real", "real")))
    results, problems = read_results([*paths, good, tmp_path / "gone.json"], key)
    assert [each.participant for each in results] == ["2"]
    for (name, (_, reason)), problem in zip(cases.items(), problems, strict=False):
        assert f"{name}.json: " in problem.message
        assert reason in problem.message
    assert "gone.json: it cannot be read" in problems[-1].message
    assert len(problems) == len(cases) + 1


def test_of_two_files_of_one_participant_the_first_counts(tmp_path, key):
    one, other = (result(key, "1", answers_to(key, "real", answer)) for answer in ("real", "colored"))
    paths = [save(tmp_path / f"{n}.json", each) for n, each in enumerate((one, one, other))]
    (counted,), problems = read_results(paths, key)
    assert list(counted.answers.values()) == [True]
    assert ["with the same answers" in each.message for each in problems] == [True, False]
    assert all("participant '1' is in" in each.message and "0.json already" in each.message for each in problems)


def test_a_folder_has_results_and_keys_are_none(tmp_path, key):
    (tmp_path / "notes.md").touch()
    found = [save(tmp_path / name, {}) for name in ("a.json", "b.txt")]
    assert find_results([tmp_path]) == found
    assert find_results([tmp_path, tmp_path / "a.json"]) == found
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no results here"):
        find_results([tmp_path / "empty"])


def test_the_key_near_the_results_is_found_unless_there_are_two(tmp_path, key, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    near = [tmp_path / "results" / "a.json"]
    assert find_key(near) == tmp_path / "test.key.json"
    save(tmp_path / "results" / "b.key.json", {})
    with pytest.raises(DataError, match="There are 2 keys near the results"):
        find_key(near)
    with pytest.raises(DataError, match="There is no"):
        find_key([tmp_path / "elsewhere" / "deep" / "a.json"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "no JSON"), ({"format": "x"}, "no key of"), ({}, "damaged"), ({"format": "colorcli turing key 1"}, "test")],
)
def test_what_is_no_key_is_an_error(tmp_path, content, reason):
    with pytest.raises(DataError, match=reason):
        read_key(save(tmp_path / "x.key.json", content))
