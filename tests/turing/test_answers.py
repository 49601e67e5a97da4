import json

import pytest

from colorcli.errors import DataError
from colorcli.turing.answers import find_key, find_results, read_key, read_result, read_results
from tests.turing.squares import answers_to, result, save, write_test


@pytest.fixture
def key(tmp_path):
    return write_test(tmp_path)[2]


def test_answers_say_which_pictures_were_taken_for_real(tmp_path, key):
    given = answers_to(key, "real", "real", "colored")
    read = read_result(save(tmp_path / "a.json", result(key, "Zoë", given)), key)
    assert read.participant == "Zoë"
    assert list(read.answers.values()) == [True, False]


def test_a_pasted_text_with_a_byte_order_mark_and_blank_lines_is_read(tmp_path, key):
    text = "\ufeff\n\n" + json.dumps(result(key, "1", answers_to(key, "real", "real"))) + "\r\n"
    assert read_result(save(tmp_path / "a.txt", text), key).participant == "1"


def broken(key):
    good = result(key, "1", answers_to(key, "real", "real", "real"))
    scene = next(iter(key.pictures.values())).scene
    of_scene = [name for name, shown in key.pictures.items() if shown.scene == scene][:2]
    not_ours, twice = "answer 1 must have a picture of this test", "answer 2 is for a scene that was already answered"
    return {
        "half a file": (json.dumps(good)[:50], "is not valid JSON"),
        "another kind of file": ([1, 2], "must contain a JSON object"),
        "another program's": ({"format": "x"}, "is not the result of a Turing test"),
        "another test": ({**good, "test": "abc"}, f"belongs to the test abc, but the key belongs to {key.test}"),
        "nobody": ({**good, "participant": ""}, "the participant or the answers are missing"),
        "no answers": ({**good, "answers": []}, "the participant or the answers are missing"),
        "an unknown picture": (result(key, "1", {"x": "real"}), not_ours),
        "an unknown answer": (result(key, "1", answers_to(key, "real", "maybe")), not_ours),
        "a list for a picture": ({**good, "answers": [{"picture": [], "answer": "real"}]}, not_ours),
        "no object for an answer": ({**good, "answers": ["real"]}, not_ours),
        "a scene twice": (result(key, "1", dict.fromkeys(of_scene, "real")), twice),
        "a picture twice": ({**good, "answers": good["answers"][:1] * 2}, twice),
    }


def test_invalid_results_are_reported_and_the_others_count(tmp_path, key):
    cases = broken(key)
    paths = [save(tmp_path / f"{name}.json", content) for name, (content, _) in cases.items()]
    good = save(tmp_path / "good.json", result(key, "2", answers_to(key, "real", "real")))
    results, problems = read_results([*paths, good, tmp_path / "gone.json"], key)
    assert [each.participant for each in results] == ["2"]
    for (name, (_, reason)), problem in zip(cases.items(), problems, strict=False):
        assert f"{name}.json" in problem.message
        assert reason in problem.message
    assert "gone.json cannot be read" in problems[-1].message
    assert len(problems) == len(cases) + 1


def test_only_the_first_file_of_a_participant_counts(tmp_path, key):
    one, other = (result(key, "1", answers_to(key, "real", answer)) for answer in ("real", "colored"))
    paths = [save(tmp_path / f"{n}.json", each) for n, each in enumerate((one, one, other))]
    (counted,), problems = read_results(paths, key)
    assert list(counted.answers.values()) == [True]
    assert ["with the same answers" in each.message for each in problems] == [True, False]
    assert all("participant '1' is already in" in each.message and "0.json, with" in each.message for each in problems)


def test_results_are_found_in_folders_without_their_keys(tmp_path, key):
    (tmp_path / "notes.md").touch()
    found = [save(tmp_path / name, {}) for name in ("a.json", "b.txt")]
    assert find_results([tmp_path]) == found
    assert find_results([tmp_path, tmp_path / "a.json"]) == found
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="No results found"):
        find_results([tmp_path / "empty"])


def test_the_key_near_the_results_is_found_unless_there_are_two(tmp_path, key, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    near = [tmp_path / "results" / "a.json"]
    assert find_key(near) == tmp_path / "test.key.json"
    save(tmp_path / "results" / "b.key.json", {})
    with pytest.raises(DataError, match="Found 2 keys near the results"):
        find_key(near)
    with pytest.raises(DataError, match=r"No \*\.key\.json found"):
        find_key([tmp_path / "elsewhere" / "deep" / "a.json"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not valid JSON"),
        ({"format": "x"}, "is not the key of a Turing test"),
        ({}, r"is not a valid key:\nformat is missing\ntest is missing"),
        (
            {"format": "colorcli turing key 1", "seconds": -1},
            r"\nseconds must be a number of seconds from 0, got -1",
        ),
        ({"format": "colorcli turing key 1"}, r"\npictures is missing"),
    ],
)
def test_a_file_that_is_not_a_key_is_an_error_that_names_every_wrong_field(tmp_path, content, reason):
    with pytest.raises(DataError, match=reason):
        read_key(save(tmp_path / "x.key.json", content))
