import json

import pytest

from colorcli.cli import main
from colorcli.cli.model_options import ModelOptions, load_pipelines
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
    with pytest.raises(UsageError, match="temperature="):
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
