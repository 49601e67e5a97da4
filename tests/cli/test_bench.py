import json

import pytest

from colorcli.cli import main
from tests.tiny import write_tiny_weights


@pytest.fixture
def weights(tmp_path):
    return str(write_tiny_weights(tmp_path / "tiny.safetensors"))


def bench(*args):
    return main(["bench", "zhang", "--device", "cpu", "--count", "2", "--rounds", "1", *args])


def test_every_combination_is_measured_on_generated_pictures(weights, capsys):
    assert bench("--weights", weights, "--precision", "fp32,bf16", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["source"] == "2 gray JPEGs made by colorcli"
    assert [speed["device"] for speed in facts["speeds"]] == ["cpu in fp32", "cpu in bf16"]
    assert all(speed["pictures_per_second"] > 0 and speed["cold_start"] > 0 for speed in facts["speeds"])
    assert facts["command"] == (
        f"colorcli bench --weights {weights} --device cpu --precision fp32,bf16 --count 2 --rounds 1 --json zhang"
    )


def test_errors_in_the_measuring_process_are_reported_as_usual(capsys):
    assert bench("-p", "temprature=1") == 2
    assert "no option 'temprature'" in capsys.readouterr().err
    assert main(["bench", "zhang", "--device", "cuda:99"]) == 1
    assert "Device not available: cuda:99" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--precision", "fp8"), ("--engine", "torch,tensorrt"), ("--batch-size", "4,0"), ("--device", "")],
)
def test_an_invalid_value_is_an_error_before_anything_is_measured(option, value, capsys):
    assert bench(option, value) == 2
    error = capsys.readouterr().err
    assert option in error
    assert "separated by commas" in error
