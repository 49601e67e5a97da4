import json

import pytest

from colorcli.cli import main
from colorcli.cli.model_options import load_pipelines
from colorcli.errors import UsageError
from tests.evaluation.pictures import save_photographs, save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return str(save_weights(tmp_path_factory.mktemp("weights") / "small.safetensors"))


def pipelines(weights, *pairs):
    loaded = load_pipelines(["zhang"], weights=weights, pairs=pairs, device="cpu", precision="fp32", offline=True)
    return {pipeline.name: pipeline.options["temperature"] for pipeline in loaded}


def test_a_model_is_called_by_its_name(weights):
    assert list(pipelines(weights)) == ["zhang.small"]
    assert pipelines(weights, "temperature=0.2") == {"zhang.small": 0.2}


def test_several_values_of_an_option_are_several_lines_in_that_order(weights):
    assert pipelines(weights, "temperature=1,0.05") == {
        "zhang.small temperature=1": 1.0,
        "zhang.small temperature=0.05": 0.05,
    }


def test_a_model_is_loaded_once_for_all_values(weights):
    pairs = ["temperature=1,0.05"]
    one, two = load_pipelines(["zhang"], weights=weights, pairs=pairs, device="cpu", precision="fp32", offline=True)
    assert one.model is two.model


@pytest.mark.parametrize("values", ["0.2,0.2", "0.2,", "0.2,warm"])
def test_a_value_that_is_twice_there_or_none_is_wrong_usage(weights, values):
    with pytest.raises(UsageError, match="temperature="):
        pipelines(weights, f"temperature={values}")


def test_a_model_that_is_given_twice_is_wrong_usage(weights):
    with pytest.raises(UsageError, match=r"zhang\.starter is given twice"):
        load_pipelines(["zhang.starter"] * 2, weights=None, pairs=[], device="cpu", precision="fp32", offline=True)


def test_a_table_has_a_row_for_every_value(weights, tmp_path):
    save_photographs(tmp_path / "set", 2)
    told = ["evaluate", "zhang", str(tmp_path / "set"), "--weights", weights, "--device", "cpu", "--size", "32"]
    assert main([*told, "-p", "temperature=0.05,1", "-o", str(tmp_path / "table.json")]) == 0
    rows = json.loads((tmp_path / "table.json").read_text())["tables"][0]["sections"][0]["rows"]
    mode, mean = (rows[f"zhang.small temperature={value}"]["colorfulness"]["value"] for value in ("0.05", "1"))
    assert mode != mean  # random weights are not surer of the right colors
