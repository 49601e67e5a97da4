import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from colorcli import read_manifest
from colorcli.cli import main
from colorcli.weights import read_header
from tests.hub import connected
from tests.training.photographs import TINY, picture, write_photographs, write_recipe

ON_THE_CPU = ("--device", "cpu", "--precision", "fp32")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("data") / "photographs")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_recipe(tmp_path_factory.mktemp("recipes") / "tiny.toml")


@pytest.fixture(scope="module")
def run(photographs, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert train(photographs, tiny, folder) == 0
    return folder


def train(photographs, recipe, folder, *more):
    return main(["train", "zhang", str(photographs), "--recipe", str(recipe), "-o", str(folder), *ON_THE_CPU, *more])


def start(photographs, recipe, folder, *more):
    command = [sys.executable, "-m", "colorcli", "train", "zhang", str(photographs), "--recipe", str(recipe)]
    return subprocess.Popen(
        [*command, "-o", str(folder), *ON_THE_CPU, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def steps_in(folder):
    path = folder / "log.csv"
    if not path.exists():
        return []
    with path.open() as file:
        return [int(row["step"]) for row in csv.DictReader(file) if row["loss"] == "loss"]


def test_a_complete_run_is_reported_and_not_repeated(run, photographs, tiny, capsys):
    before = (run / "last.safetensors").stat().st_mtime_ns
    assert train(photographs, tiny, run) == 0
    said = capsys.readouterr()
    assert "is already complete" in said.err
    assert said.out == f"{run / 'best.safetensors'}\n"
    assert f"Use it with: colorcli run --weights {run / 'best.safetensors'} photos/" in said.err
    assert (run / "last.safetensors").stat().st_mtime_ns == before


def test_the_weights_of_a_run_colorize_a_photograph(run, tmp_path):
    picture(500).convert("L").save(tmp_path / "gray.png")
    weights = str(run / "best.safetensors")
    folder = tmp_path / "out"
    assert main(["run", str(tmp_path / "gray.png"), "--weights", weights, "-o", str(folder)]) == 0
    (written,) = folder.rglob("*.png")
    pixels = np.asarray(Image.open(written).convert("RGB")).astype(int)
    assert (pixels.max(axis=2) - pixels.min(axis=2)).mean() > 5


def test_the_table_of_a_run_is_valid_in_a_manifest(run, tmp_path):
    (tmp_path / "zhang.toml").write_text((run / "best.toml").read_text())
    (tmp_path / "best.safetensors").write_bytes((run / "best.safetensors").read_bytes())
    weights = read_manifest("zhang", tmp_path)["tiny"]
    assert weights.network == {"widths": [4, 4, 8, 8], "classes": 313}
    assert weights.options == {"temperature": 0.5}
    assert weights.size == (run / "best.safetensors").stat().st_size
    assert weights.trained_on == "photographs"


def test_the_options_of_a_recipe_become_those_of_its_weights(run):
    from colorcli import load

    header = read_header(run / "best.safetensors")
    assert (header.colorizer, header.tag, header.options) == ("zhang", "tiny", {"temperature": 0.5})
    assert load("zhang", weights=run / "best.safetensors", device="cpu").options({}) == {
        "temperature": 0.5,
        "smoothing": 0.0,
    }


def test_ctrl_c_stops_after_the_current_step_and_the_run_resumes_exactly(photographs, tmp_path, capfd):
    recipe = write_recipe(tmp_path / "slow.toml", batch_size="2", epochs="1", workers="1")
    process = start(photographs, recipe, tmp_path / "run")
    while process.poll() is None and len(steps_in(tmp_path / "run")) < 3:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the processes that decode, too
    out, err = process.communicate(timeout=900)
    assert process.returncode == 130, err
    assert "Run the same command to resume." in err
    assert "Traceback" not in err
    assert "Mixed Precision" not in err  # as Fabric says
    assert out == ""
    done = steps_in(tmp_path / "run")
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == len(done) == done[-1]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert train(photographs, recipe, tmp_path / "run") == 0
    assert train(photographs, recipe, tmp_path / "straight") == 0
    torch.set_num_threads(threads)
    for name in ("log.csv", "best.safetensors", "last.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes(), name


def test_two_processes_share_every_batch(photographs, tmp_path):
    recipe = write_recipe(tmp_path / "pair.toml", epochs="1")
    process = start(photographs, recipe, tmp_path / "run", "--devices", "2")
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert out == f"{tmp_path / 'run' / 'best.safetensors'}\n"
    assert err.count("Inspecting the photographs.") == 1
    assert steps_in(tmp_path / "run") == list(range(1, 8))
    checkpoint = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    exported = load_file(tmp_path / "run" / "last.safetensors")
    assert checkpoint["network"].keys() == exported.keys()
    assert "model1.0.weight" in exported


def test_recipes_are_listed_with_their_source(capsys):
    assert main(["train", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("zhang" in line and "cats" in line and "Liège" in line for line in lines)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [("picasso", "zhang has no recipe 'picasso'"), ("missing.toml", "Recipe not found: missing.toml")],
)
def test_an_unknown_recipe_is_a_usage_error(photographs, tmp_path, capsys, recipe, said):
    assert train(photographs, recipe, tmp_path / "run") == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["train"], "COLORIZER, DATA, --recipe and -o are missing."),
        (["train", "zhang", "photos", "--recipe", "starter"], "-o is missing."),
        (["paper", "edinburgh"], "DATA and -o are missing."),
    ],
)
def test_what_is_missing_from_a_command_is_named_with_an_example(capsys, given, said):
    assert main(given) == 2
    assert f"error: {said}\nhint: For example: colorcli {given[0]} " in capsys.readouterr().err


def test_an_output_that_is_a_file_is_a_usage_error(photographs, tiny, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert train(photographs, tiny, tmp_path / "file") == 2
    assert "must be a folder, got 'file', which is a file." in capsys.readouterr().err


def test_missing_data_is_an_error(tiny, tmp_path, capsys):
    assert train(tmp_path / "nowhere", tiny, tmp_path / "run") == 1
    assert "Folder of photographs not found" in capsys.readouterr().err
    assert not Path(tmp_path / "run").exists()


def test_a_single_device_cannot_be_used_twice(photographs, tiny, tmp_path, capsys):
    assert train(photographs, tiny, tmp_path / "run", "--device", "cpu:0", "--devices", "2") == 2
    assert "is a single device, got --devices 2" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["starter", "zhang.starter", "zhang"])
def test_weights_to_start_from_are_found_by_name_tag_or_both(photographs, tmp_path, capsys, monkeypatch, name):
    network = '[192, 160, 128, 96]\nencoder = "efficientnet-lite0"'  # that of zhang.starter
    recipe = write_recipe(tmp_path / "resumed.toml", widths=network, epochs="1")
    with connected(monkeypatch, tmp_path):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert train(photographs, recipe, tmp_path / "run", "--from", name) == 0
    assert ("Using zhang.starter, because the better zhang.eccv16" in capsys.readouterr().err) == (name == "zhang")


@pytest.mark.parametrize(
    ("name", "hint"), [("zhang.startr", "Did you mean starter?"), ("runs/best.safetensors", "eccv16")]
)
def test_unknown_weights_to_start_from_are_a_usage_error(photographs, tiny, tmp_path, capsys, name, hint):
    assert train(photographs, tiny, tmp_path / "run", "--from", name) == 2
    said = capsys.readouterr().err
    assert f"--from {name} is neither a file nor weights of zhang." in said
    assert hint in said
    assert "--weights" not in said


# Runs that are compared


@pytest.fixture(scope="module")
def split_run(photographs, tmp_path_factory):
    """A run that holds out photographs for a test."""
    folder = tmp_path_factory.mktemp("split")
    recipe = write_recipe(folder / "split.toml", TINY.replace("workers = 0", "workers = 0\nsplit = [80, 10, 10]"))
    assert train(photographs, recipe, folder / "run") == 0
    return folder / "run"


@pytest.mark.parametrize(("part", "count"), [("test", 12), ("validation", 12)])
@pytest.mark.paper("all", "the run's own test split")
def test_a_model_is_evaluated_on_a_split_that_its_run_held_out(split_run, capsys, part, count):
    assert main(["evaluate", "--run", str(split_run), "--part", part, "--size", "32", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert f"- run, {part} split: {count} photographs" in out
    assert "| zhang.best |" in out
    assert f"--run {split_run} --part {part} " in out.splitlines()[-1]


def test_other_models_can_be_evaluated_on_the_split_of_a_run(split_run, capsys):
    models = [f"best=zhang:{split_run}", f"last=zhang:{split_run / 'last.safetensors'}"]
    assert main(["evaluate", *models, "--run", str(split_run), "--size", "32", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "| best |" in out
    assert "| last |" in out


def test_the_losses_of_several_runs_are_reported_together(run, split_run, tmp_path, capsys):
    outputs = [tmp_path / name for name in ("losses.md", "losses.csv", "losses.png")]
    options = [word for path in outputs for word in ("-o", str(path))]
    assert main(["train", "report", str(run), str(split_run), *options]) == 0
    out = capsys.readouterr().out
    assert outputs[0].read_text() == out
    assert outputs[1].read_text().startswith("run,loss,epoch,value\n")
    assert Image.open(outputs[2]).format == "PNG"
    assert "### validation loss" in out
    assert main(["train", "report", str(run), "-o", str(outputs[0])]) == 1
    assert "already exists" in capsys.readouterr().err


def test_the_report_has_its_own_help(capsys):
    assert main(["train", "report", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: colorcli train report [OPTIONS] RUN...")


def test_a_report_in_an_unknown_format_is_a_usage_error(run, capsys):
    assert main(["train", "report", str(run), "-o", "losses.xlsx"]) == 2
    assert "must end in .md, .csv or .png, got 'losses.xlsx'." in capsys.readouterr().err
