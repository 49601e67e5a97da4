import json

import pytest

from colorcli.cli import colorcli, main
from colorcli.cli.model_options import ModelArgument, ModelOptions, complete_model, load_pipelines
from colorcli.errors import UsageError
from tests.evaluation.pictures import save_photographs, save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return str(save_weights(tmp_path_factory.mktemp("weights") / "small.safetensors"))


def options(weights, *pairs):
    return ModelOptions(weights=weights, pairs=pairs, device="cpu", precision="fp32", offline=True)


def pipelines(weights, *pairs):
    loaded, _ = load_pipelines(["zhang"], options(weights, *pairs))
    return {pipeline.name: pipeline.options["temperature"] for pipeline in loaded}


def test_a_pipeline_has_the_name_of_its_model(weights):
    assert list(pipelines(weights)) == ["zhang.small"]
    assert pipelines(weights, "temperature=0.2") == {"zhang.small": 0.2}


def test_several_values_of_an_option_make_several_pipelines_in_that_order(weights):
    assert pipelines(weights, "temperature=1,0.05") == {
        "zhang.small temperature=1": 1.0,
        "zhang.small temperature=0.05": 0.05,
    }


def test_a_model_is_loaded_once_for_all_values(weights):
    pairs = ["temperature=1,0.05"]
    (one, two), problems = load_pipelines(["zhang"], options(weights, *pairs))
    assert problems == []
    assert one.model is two.model


@pytest.mark.parametrize("values", ["0.2,0.2", "0.2,", "0.2,warm"])
def test_a_repeated_or_missing_value_is_a_usage_error(weights, values):
    with pytest.raises(UsageError, match="temperature"):
        pipelines(weights, f"temperature={values}")


def test_a_model_given_twice_is_a_usage_error(weights):
    with pytest.raises(UsageError, match=r"zhang\.starter is given twice"):
        load_pipelines(["zhang.starter"] * 2, options(None))


def test_a_table_has_a_row_for_every_value(weights, tmp_path):
    save_photographs(tmp_path / "set", 2)
    args = ["evaluate", "zhang", str(tmp_path / "set"), "--weights", weights, "--device", "cpu", "--size", "32"]
    assert main([*args, "-p", "temperature=0.05,1", "-o", str(tmp_path / "table.json")]) == 0
    rows = json.loads((tmp_path / "table.json").read_text())["tables"][0]["sections"][0]["rows"]
    mode, mean = (rows[f"zhang.small temperature={value}"]["colorfulness"]["value"] for value in ("0.05", "1"))
    assert mode != mean  # random weights are not surer of the right colors


# Several runs of one colorizer in one table, sheet or survey


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two folders of runs, each with weights of its own."""
    folder = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("a", "b")):
        (folder / name).mkdir()
        save_weights(folder / name / "best.safetensors", seed)
    return folder


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("zhang", ("", "zhang", None)),
        ("zhang.eccv16", ("", "zhang.eccv16", None)),
        ("mine=zhang.eccv16", ("mine", "zhang.eccv16", None)),
        ("zhang:runs/a", ("", "zhang", "runs/a")),
        ("T = 0.1=zhang:a=b.pth", ("T = 0.1", "zhang", "a=b.pth")),
        ("zhang:0.7+iizuka.starter:0.3", ("", "zhang:0.7+iizuka.starter:0.3", None)),
        ("both=zhang+iizuka", ("both", "zhang+iizuka", None)),
        ("zhang:runs/a+b", ("", "zhang", "runs/a+b")),
        ("x=zhang:hf://o/n/f.pth@1", ("x", "zhang", "hf://o/n/f.pth@1")),
    ],
)
def test_a_model_may_have_a_name_and_weights(text, parsed):
    argument = ModelArgument.parse(text)
    assert (argument.label, argument.name, argument.weights) == parsed


@pytest.mark.parametrize("text", ["", "=zhang", "a=", "zhang:", ":runs/a", "a=:runs/a", " =zhang"])
def test_an_incomplete_model_is_a_usage_error(text):
    with pytest.raises(UsageError, match="A model must be"):
        ModelArgument.parse(text)


def test_several_runs_of_one_colorizer_have_names_of_their_own(runs):
    models = [f"a=zhang:{runs / 'a'}", f"zhang:{runs / 'b'}", f"file=zhang:{runs / 'b' / 'best.safetensors'}"]
    (a, b, file), _ = load_pipelines(models, options(None))
    assert [a.name, b.name, file.name] == ["a", "zhang.best", "file"]
    assert a.model.fingerprint != b.model.fingerprint == file.model.fingerprint


def test_two_runs_without_names_are_a_usage_error(runs):
    with pytest.raises(UsageError, match=r"zhang\.best is given twice") as found:
        load_pipelines([f"zhang:{runs / 'a'}", f"zhang:{runs / 'b'}"], options(None))
    assert "a=zhang:runs/a" in found.value.hint


def test_a_run_without_weights_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"has no best\.safetensors"):
        load_pipelines([f"zhang:{tmp_path}"], options(None))


def test_weights_given_twice_are_a_usage_error(weights, runs):
    with pytest.raises(UsageError, match="Weights are given twice"):
        load_pipelines([f"zhang:{runs / 'a'}"], options(weights))


def test_no_model_is_a_usage_error():
    with pytest.raises(UsageError, match="No MODEL given"):
        load_pipelines([], options(None))


@pytest.mark.parametrize("command", ["evaluate", "compare", "turing make"])
@pytest.mark.paper("all", "several runs in one table, sheet or survey")
def test_several_runs_are_in_one_table_sheet_or_survey(runs, tmp_path, monkeypatch, command, capsys):
    monkeypatch.chdir(tmp_path)
    save_photographs(tmp_path / "set", 3)
    models = [f"first=zhang:{runs / 'a'}", f"second=zhang:{runs / 'b'}"]
    rest = {
        "evaluate": [*models, "set", "--size", "32", "-o", "out.html"],
        "compare": [*models, "set", "-o", "out.html"],
        "turing make": [*models, "set", "-o", "out.html", "--practice", "0"],
    }[command]
    assert main([*command.split(), *rest, "--device", "cpu"]) == 0
    written = tmp_path / ("out.key.json" if command == "turing make" else "out.html")
    text = written.read_text(encoding="utf-8")
    assert "first" in text
    assert "second" in text


LOADING = ["run", "evaluate", "compare", "bench", "turing make"]


def options_of(name):
    command = colorcli
    for word in name.split():
        command = command.commands[word]
    return {flag: option for option in command.params for flag in option.opts if flag.startswith("-")}


@pytest.mark.parametrize("name", LOADING)
def test_every_command_that_loads_models_has_the_same_options(name):
    flags = {"--weights", "-p", "--option", "--device", "--precision", "--engine", "--offline", "--accept-license"}
    options = options_of(name)
    assert flags <= options.keys()
    for flag in ("--offline", "--accept-license"):
        assert options[flag].help == options_of("run")[flag].help


@pytest.mark.parametrize("name", ["train", "weights pull"])
def test_commands_that_download_weights_can_accept_their_license(name):
    assert {"--offline", "--accept-license"} <= options_of(name).keys()


def test_accepting_a_license_is_recorded_for_the_model(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ModelOptions().accept("pix2pix.shariatnia")
    assert not (tmp_path / "colorcli").exists()
    ModelOptions(accept_license=True).accept("pix2pix.shariatnia")
    assert "accepted pix2pix.shariatnia" in (tmp_path / "colorcli" / "licenses.txt").read_text()


def test_every_combination_of_several_devices_precisions_and_engines_is_given():
    several = ModelOptions(device="cpu,cuda", precision="fp32,bf16", engine="torch", offline=True)
    assert [(each.device, each.precision, each.engine, each.offline) for each in several.combinations()] == [
        ("cpu", "fp32", "torch", True),
        ("cpu", "bf16", "torch", True),
        ("cuda", "fp32", "torch", True),
        ("cuda", "bf16", "torch", True),
    ]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("zha", {"zhang", "zhang.starter", "zhang.eccv16"}), ("zhang.s", {"zhang.starter"}), ("xyz", set())],
)
def test_names_of_models_are_completed(typed, expected):
    assert {item.value for item in complete_model(None, None, typed)} == expected
