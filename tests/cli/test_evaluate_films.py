"""`colorcli evaluate` with films."""

import json
import shlex

import numpy as np
import pytest

from colorcli.cli import main
from tests.evaluation.pictures import save_weights
from tests.media.films.clips import make_clip, moving_pictures


@pytest.fixture
def weights(tmp_path):
    return str(save_weights(tmp_path / "small.safetensors"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


def run(capsys, weights, *args, code=0):
    found = main(["evaluate", "zhang", *map(str, args), "--weights", weights, "--size", "32", "--device", "cpu"])
    captured = capsys.readouterr()
    assert found == code, captured.err
    return captured


def first_cells(text):
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]


ROWS = ["true", "gray", "zhang.small, per frame", "zhang.small, --stabilize flow"]


def test_a_film_is_compared_with_its_true_colors_stabilized_and_per_frame(capsys, folder, weights):
    out = run(capsys, weights, make_clip(folder / "a.mp4", frames=5)).out
    assert first_cells(out)[2:] == ROWS
    assert "a.mp4: 5 frames at 32x24" in out
    assert "`colorcli evaluate --weights" in out


def test_every_film_in_a_folder_has_a_table_and_there_is_a_mean(capsys, folder, weights):
    for name in ("a.mp4", "b.mkv"):
        make_clip(folder / name, frames=4)
    run(capsys, weights, folder, "-o", folder.parent / "found.json")
    (table,) = json.loads((folder.parent / "found.json").read_text(encoding="utf-8"))["tables"]
    mean, *films = table["sections"]
    assert [film["name"] for film in films] == ["a.mp4", "b.mkv"]
    for name in ("warp_error", "cdc", "rmse", "colorfulness"):
        own = [film["rows"]["gray"][name]["value"] for film in films]
        assert mean["rows"]["gray"][name]["value"] == pytest.approx(np.mean(own))


def test_a_table_without_stabilization_has_a_single_row(capsys, folder, weights):
    out = run(capsys, weights, make_clip(folder / "a.mp4", frames=3), "--stabilize", "off").out
    assert first_cells(out)[2:] == ROWS[:3]


def test_start_and_end_limit_the_evaluation(capsys, folder, weights):
    clip = make_clip(folder / "a.mp4", frames=20)
    out = run(capsys, weights, clip, "--start", "0.2", "--end", "0.4").out
    assert "a.mp4: 5 frames" in out


def test_the_command_below_the_table_makes_the_same_table(capsys, folder, weights):
    clip = make_clip(folder / "a.mp4", frames=30)
    out = run(capsys, weights, clip, "--start", "0:00.2", "--end", "1.1", "--keyframes", "auto").out
    command = out.rstrip().splitlines()[-1].strip("-` ")
    assert "--start 0.2 --end 1.1 " in command
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == out


def test_a_gray_film_is_named_and_skipped(capsys, folder, weights):
    make_clip(folder / "a.mp4", frames=3)
    gray = moving_pictures(3, (64, 48)).mean(axis=3, keepdims=True).repeat(3, axis=3).astype(np.uint8)
    make_clip(folder / "b.mp4", pictures=gray)
    captured = run(capsys, weights, folder, code=1)
    assert "b.mp4 is gray" in captured.err
    assert first_cells(captured.out)[2:] == ROWS


def test_films_without_any_color_are_an_error(capsys, folder, weights):
    gray = np.full((3, 48, 64, 3), 128, np.uint8)
    captured = run(capsys, weights, make_clip(folder / "a.mp4", pictures=gray), code=1)
    assert "is gray" in captured.err
    assert not captured.out


def test_key_frames_without_flow_are_refused(capsys, folder, weights):
    clip = make_clip(folder / "a.mp4", frames=3)
    err = run(capsys, weights, clip, "--keyframes", "2", "--stabilize", "off", code=2).err
    assert "--keyframes needs --stabilize flow" in err
