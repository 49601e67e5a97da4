"""`colorcli paper edinburgh` in seconds: the built-in experiment with one more scale, on a handful of photographs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from colorcli.cli import main
from colorcli.plugin.registry import Registry
from tests.training.photographs import picture

CATEGORIES = ("animals", "city", "nature", "others", "people", "scenery")
TINY = """
[scales.tiny]
summary = "seconds"
input_size = 32
network = { width = 2, levels = 5, router_width = 2, router_size = 32 }
recipe = { discriminator_width = 2 }
training = { epochs = 1, batch_size = 8, sizes = [[0.0, 32]], split = [60, 20, 20], workers = 0 }
limit = 6

[[classes]]
title = "Classes"
variants = { "baseline LAB" = "baseline", "baseline LAB, with noise" = "noise" }
pictures = 2
"""
ON_THE_CPU = ("--scale", "tiny", "--device", "cpu", "--precision", "fp32", "--offline")


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """The declared experiment, of which only LAB is trained, with a scale of seconds."""
    text = Registry().experiments()["edinburgh"].read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("experiments") / "edinburgh.toml"
    for name in ("baseline-yuv", "ensemble-yuv"):
        text = text.replace(f'[[runs]]\nname = "{name}"', f'[[runs]]\nscales = ["full"]\nname = "{name}"')
    path.write_text(text + TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "photographs"
    for number, category in enumerate(CATEGORIES):
        (folder / category).mkdir(parents=True)
        for seed in range(10):
            picture(seed + 100 * number, 40, 32).save(folder / category / f"{seed}.jpg", quality=90)
    return folder


def command(experiment, photographs):
    return ["paper", str(experiment), str(photographs), "-o", "out", *ON_THE_CPU]


@pytest.fixture(scope="module")
def whole(experiment, photographs, tmp_path_factory):
    """The folder of an experiment that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(experiment, photographs, folder)
    return folder / "out"


def run(experiment, photographs, folder):
    done = subprocess.run(
        [sys.executable, "-m", "colorcli", *command(experiment, photographs)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(Path("out", "page.html")), str(Path("out", "page.md"))]


def kill_when(exists, experiment, photographs, folder):
    """Start the experiment, and kill it as soon as a file is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "colorcli", *command(experiment, photographs)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and not (folder / "out" / exists).exists():
        time.sleep(0.01)
    assert process.poll() is None, f"the experiment ended before {exists} was there"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "out" / "page.html").exists()


@pytest.mark.paper("edinburgh", "killed at three moments, the same page")
def test_an_experiment_that_is_killed_at_three_moments_and_resumed_gives_the_same_page(
    experiment, photographs, whole, tmp_path
):
    """While the first run trains, between the stages of the ensemble, and after the evaluation."""
    for moment in ("runs/baseline-lab/log.csv", "runs/ensemble-lab/nature/checkpoint.pt", "evaluation.json"):
        kill_when(moment, experiment, photographs, tmp_path)
    run(experiment, photographs, tmp_path)
    for file in ("page.html", "page.md", "figures/sheet-2.png", "figures/curves-1.png"):
        assert (tmp_path / "out" / file).read_bytes() == (whole / file).read_bytes(), file


@pytest.mark.paper("edinburgh", "tables 1 to 3")
def test_the_tables_have_the_papers_form_and_figures_beside_ours(whole):
    text = (whole / "page.md").read_text(encoding="utf-8")
    tables = {part.splitlines()[0]: part.splitlines() for part in text.split("\n## ")}
    first = tables["Table 1. Pix2Pix with early stopping, last epoch"]
    assert first[2] == "|  | LAB, paper | LAB, here | YUV, paper | YUV, here |"
    name, printed, measured, *yuv = (cell.strip() for cell in first[4].strip("|").split("|"))
    assert (name, printed, yuv) == ("Train: L1 loss", "5.923", ["5.933", "-"])
    assert 0 < float(measured) < 200
    assert "| Last epoch | 119 | 1 | 109 | - |" in first


@pytest.mark.paper("edinburgh", "table 6")
def test_the_losses_of_an_ensemble_in_table_6_are_the_mean_over_its_categories(whole):
    losses = []
    for category in CATEGORIES:
        rows = (whole / "runs" / "ensemble-lab" / category / "log.csv").read_text().splitlines()
        losses += [float(row.rpartition(",")[2]) for row in rows if ",validation adversarial," in row]
    (row,) = [
        line for line in (whole / "page.md").read_text().splitlines() if line.startswith("| Ensemble: GAN plain")
    ]
    assert len(losses) == 6
    assert f"| 1.237 | {sum(losses) / 6:.3f} |" in row


def test_a_sheet_shows_gray_each_variant_and_the_truth(whole):
    text = (whole / "page.md").read_text(encoding="utf-8")
    assert "![Pictures in gray, by baseline LAB, ensemble LAB, and originals](figures/sheet-2.png)" in text


def test_a_classifier_names_what_it_recognizes_in_each_version(whole):
    text = (whole / "page.md").read_text(encoding="utf-8")
    rows = text.partition("## Classes\n\n")[2].partition("\n\n")[0].splitlines()[2:]
    versions = [row.split("|")[2].strip() for row in rows]
    assert versions == ["original", "baseline", "noise", "gray"] * 3  # two pictures, and all of them
    assert rows[-1].startswith("| all 2 | gray |")


def test_a_complete_experiment_is_not_trained_again(experiment, photographs, whole, monkeypatch, capsys):
    monkeypatch.chdir(whole.parent)
    weights = whole / "runs" / "baseline-lab" / "best.safetensors"
    page, before = (whole / "page.html").read_bytes(), weights.stat().st_mtime_ns
    assert main(command(experiment, photographs)) == 0
    assert "already complete" in capsys.readouterr().err
    assert weights.stat().st_mtime_ns == before
    assert (whole / "page.html").read_bytes() == page
