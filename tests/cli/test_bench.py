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


def test_a_demo_the_floor_and_another_machine_are_compared(weights, tmp_path, capsys):
    page = tmp_path / "bench.html"
    assert bench("--weights", weights, "--compare", "demo,floor", "--html", str(page), "--json") == 0
    found = capsys.readouterr().out
    speeds = json.loads(found)["speeds"]
    assert [speed["way"] for speed in speeds] == ["colorcli", "floor", "demo"]
    assert all(speed["pictures_per_second"] > 0 for speed in speeds)
    assert page.read_text(encoding="utf-8").count("<rect") >= 3

    (tmp_path / "other.json").write_text(found)
    assert bench("--weights", weights, "--against", str(tmp_path / "other.json")) == 0
    assert "times other.json" in capsys.readouterr().out


def test_a_file_without_measurements_is_an_error(tmp_path, capsys):
    (tmp_path / "other.json").write_text('{"source": "pictures"}')
    assert bench("--against", str(tmp_path / "other.json")) == 2
    assert "must contain measurements from `colorcli bench --json`" in capsys.readouterr().err


def test_an_unknown_comparison_is_an_error(capsys):
    assert bench("--compare", "demo,roof") == 2
    assert "must be demo or floor" in capsys.readouterr().err


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
