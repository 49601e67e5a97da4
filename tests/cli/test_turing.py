import json

import pytest

from colorcli.cli import main
from colorcli.turing.answers import read_key
from tests.evaluation.pictures import save_gray, save_photographs, save_weights
from tests.turing.squares import answers_to, result, save


@pytest.fixture
def here(tmp_path, monkeypatch):
    save_photographs(tmp_path / "set", 6)
    save_weights(tmp_path / "small.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make(here, capsys):
    def run(*args):
        given = ["turing", "make", "zhang", "set", "--weights", "small.safetensors", "--device", "cpu", *args]
        code = main(given)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def score(capsys):
    def run(*args):
        code = main(["turing", "score", *args])
        return code, *capsys.readouterr()

    return run


def answered(key, participant, real, colored):
    (model,) = key.models
    half = len(real)
    pictures = answers_to(key, "real", *real)
    others = [p for p, shown in key.pictures.items() if shown.version == model][half : half + len(colored)]
    return result(key, participant, {**pictures, **dict(zip(others, colored, strict=True))})


def test_a_page_and_its_key_are_written(make, here):
    assert make("-o", "survey.html", "--practice", "2", "--seed", "3") == (0, "survey.html\nsurvey.key.json\n", "")
    key = read_key(here / "survey.key.json")
    assert {shown.version for shown in key.pictures.values()} == {"real", "zhang.small"}
    assert len({shown.scene for shown in key.pictures.values()}) == 4
    assert key.command.startswith("colorcli turing make --weights small.safetensors --device cpu -o survey.html")
    assert "network at 256x256" in key.models["zhang.small"]


def test_each_value_of_an_option_is_a_model(make, here):
    assert make("-p", "temperature=0.1,1")[0] == 0
    assert list(read_key(here / "turing.key.json").models) == [
        "zhang.small temperature=0.1",
        "zhang.small temperature=1",
    ]


def test_gray_and_damaged_photographs_are_skipped_and_named(make, here):
    save_gray(here / "set" / "gray.png")
    (here / "set" / "bad.png").write_bytes(b"no picture")
    code, _, err = make()
    assert code == 1
    assert "error: bad.png" in err
    assert "note: skipped because they are gray: gray.png" in err
    assert len({shown.scene for shown in read_key(here / "turing.key.json").pictures.values()}) == 5


def test_a_folder_before_the_models_is_explained(here, capsys):
    assert main(["turing", "make", "set", "zhang"]) == 1
    assert "The last argument must be PICTURES" in capsys.readouterr().err


@pytest.mark.parametrize("there", ["turing.html", "turing.key.json"])
def test_an_existing_page_or_key_is_kept_without_overwrite(make, here, there):
    (here / there).write_text("precious")
    code, _, err = make()
    assert code == 1
    assert f"{there} already exists" in err
    assert (here / there).read_text() == "precious"
    assert make("--overwrite")[0] == 0


def test_too_few_photographs_are_an_error(make, here):
    code, _, err = make("--limit", "2", "--practice", "1")
    assert code == 1
    assert "A test needs 3 photographs in color, 1 of them for practice, got 2" in err
    assert not (here / "turing.html").exists()


def test_results_are_scored_and_invalid_ones_are_named(make, score, here):
    make("--practice", "0")
    key = read_key(here / "turing.key.json")
    (here / "results").mkdir()
    save(here / "results" / "1.json", answered(key, "1", ["real"] * 3, ["colored", "colored", "real"]))
    save(here / "results" / "2.json", answered(key, "2", ["real", "real", "colored"], ["colored"] * 3))
    assert score("results")[0] == 0
    save(here / "results" / "3.json", "{")
    save(here / "results" / "4.json", answered(key, "2", ["real"] * 3, ["real"] * 3))
    code, out, err = score("results")
    assert code == 1
    assert "| real | 5 | 1 | 6 |\n| zhang.small | 1 | 5 | 6 |" in out
    assert "2 participants, 12 answers, 2 files skipped" in out
    assert "`colorcli turing score results`" in out
    assert "error: results/3.json is not valid JSON" in err
    assert "error: results/4.json: participant '2' is already in results/2.json" in err
    told = json.loads(score("results", "--json", "--key", "turing.key.json")[1])
    assert told["models"]["zhang.small"]["rate"] == pytest.approx(1 / 6)


def test_results_without_a_valid_one_are_an_error(make, score, here):
    make("--practice", "0")
    save(here / "a.json", "{}")
    code, out, err = score("a.json")
    assert (code, out) == (1, "")
    assert err.startswith(
        "error: a.json is not the result of a Turing test.\nerror: None of the results can be counted."
    )


def test_results_without_a_key_are_an_error(here, score):
    save(here / "a.json", "{}")
    code, _, err = score("a.json")
    assert code == 1
    assert "No *.key.json found near the results.\nhint: Pass the page's key with --key." in err
