"""A stopping rule for plausibility: what each rule chooses, on curves computed by hand and in a run of seconds."""

import pytest

from colorcli.cli import main
from colorcli.errors import UsageError
from colorcli.evaluation.tables import Column, Comparison, Figure, Report, Section, Table
from colorcli.experiments.declaration import Stopping
from colorcli.experiments.stopping import gl_over_pk, kept_epochs, study_epochs
from colorcli.training.report import RunLosses
from colorcli.training.stopping import is_over
from tests.training.photographs import write_photographs, write_recipe

RUN = RunLosses(
    "run",
    {
        "loss": {1: 4.0, 2: 2.0, 3: 1.5, 4: 1.2, 5: 1.0},
        "validation loss": {1: 3.0, 2: 2.0, 3: 2.2, 4: 2.5, 5: 3.0},
    },
)


def by_hand():
    """GL is 0, 0, 10, 25 and 50; P_2 is 500, 166.7, 125 and 100, as 1000 (3 / 2 - 1) and so on."""
    return {2: 0 / 500, 3: 10 / (1000 / 6), 4: 25 / 125, 5: 50 / 100}


@pytest.mark.paper("edinburgh", "GL and P_k of a curve computed by hand")
def test_gl_over_p_k_is_that_of_a_curve_computed_by_hand():
    assert gl_over_pk(RUN, "loss", 2) == pytest.approx(by_hand())


def test_the_rule_stops_where_training_would_have_stopped():
    training, validation = (list(RUN.losses[name].values()) for name in ("loss", "validation loss"))
    for limit in (0.05, 0.1, 0.3, 0.6):
        stopped = [n for n in range(1, 6) if is_over(training[:n], validation[:n], 2, limit)]
        chosen = study_epochs(Stopping(title="t", run="run", losses=("loss",), k=2, limit=limit), RUN, report({}), {})
        never = "" if stopped else " (never)"
        assert chosen.choices[f"GL / P_2 on loss above {limit:g}{never}"] == min(stopped, default=5)


def report(figures, comparisons=()):
    """An evaluation with these figures of `recognition`, `colorfulness_delta` and `fd_lite2` for each epoch."""
    names = ("recognition", "colorfulness_delta", "fd_lite2")
    rows = {
        f"epoch {epoch}": {name: Figure(value) for name, value in zip(names, values, strict=True)}
        for epoch, values in figures.items()
    }
    columns = [Column(name, name) for name in names]
    return Report("data", "", {}, {}, [Table("t", columns, [Section("", "", rows)], comparisons)])


def test_each_rule_chooses_its_own_epoch():
    figures = {1: (10.0, 9.0, 50.0), 3: (30.0, 5.0, 40.0), 5: (20.0, 1.0, 45.0)}
    declared = Stopping(title="t", run="run", losses=("loss",), k=2, limit=0.15)
    found = study_epochs(declared, RUN, report(figures), {f"epoch {epoch}": epoch for epoch in figures})
    assert found.choices == {
        "lowest validation loss": 2,
        "GL / P_2 on loss above 0.15": 4,
        "best recognized as the original %": 3,
        "best colorfulness gap": 5,
        "best Fréchet distance": 3,
        "last epoch": 5,
    }
    by_epoch, choices = found.tables(declared)
    assert by_epoch.rows[3] == ["4", "2.5", "0.2", "", "", ""]
    assert ["last epoch", "5", "-"] in choices.rows


def test_epochs_whose_difference_from_the_chosen_one_may_be_chance_are_named():
    figures = {1: (10.0, 9.0, 50.0), 3: (30.0, 5.0, 40.0), 5: (20.0, 1.0, 45.0)}
    intervals = {(3, 1): (5.0, 35.0), (5, 3): (-25.0, 5.0), (5, 1): (-5.0, 25.0)}
    compared = [
        Comparison(f"epoch {one}", f"epoch {other}", "recognition", Figure(0.0, interval), 1, 10)
        for (one, other), interval in intervals.items()
    ]
    compared.append(Comparison("epoch 3", "mean color", "recognition", Figure(0.0, (-1.0, 1.0)), 1, 10))
    declared = Stopping(title="t", run="run", losses=("loss",), k=2)
    found = study_epochs(declared, RUN, report(figures, compared), {f"epoch {epoch}": epoch for epoch in figures})
    assert found.comparable["best recognized as the original %"] == [5]
    _, choices = found.tables(declared)
    assert ["best recognized as the original %", "3", "5"] in choices.rows


def test_a_loss_that_the_run_does_not_have_is_an_error_that_lists_the_others():
    with pytest.raises(UsageError, match="no loss 'adversarial'") as raised:
        gl_over_pk(RUN, "adversarial", 2)
    assert raised.value.hint == "Its losses: loss."


def test_the_evaluated_epochs_are_evenly_spaced_and_end_with_the_last():
    assert kept_epochs(5, 12) == [1, 2, 3, 4, 5]
    assert kept_epochs(12, 4) == [3, 6, 9, 12]
    assert kept_epochs(200, 3)[-1] == 200


EXPERIMENT = """
title = "When to stop"
source = "us"
part = "validation"
size = 32

[scales.tiny]
input_size = 32

[[runs]]
name = "zhang"
colorizer = "zhang"
recipe = "tiny.toml"
training = { keep_epochs = true, epochs = 3 }

[[stopping]]
title = "Zhang"
run = "zhang"
losses = ["loss"]
k = 2
epochs = 2
pictures = 2
"""


def test_every_epoch_is_kept_and_measured_on_one_page(tmp_path, capsys):
    photographs = write_photographs(tmp_path / "photographs", 40)
    write_recipe(tmp_path / "tiny.toml")
    (tmp_path / "stopping.toml").write_text(EXPERIMENT)
    command = ["paper", str(tmp_path / "stopping.toml"), str(photographs), "-o", str(tmp_path / "out")]
    assert main([*command, "--scale", "tiny", "--device", "cpu", "--precision", "fp32", "--offline"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "out" / name) for name in ("page.html", "page.md")]
    kept = sorted(path.name for path in (tmp_path / "out" / "runs" / "zhang").glob("epoch-*.safetensors"))
    assert kept == ["epoch-0001.safetensors", "epoch-0002.safetensors", "epoch-0003.safetensors"]
    text = (tmp_path / "out" / "page.md").read_text(encoding="utf-8")
    assert "## Zhang, by epoch" in text
    assert "## Zhang: what each rule chooses" in text
    assert "| last epoch | 3 | - |" in text
    for name in ("stopping-1.png", "stopping-1-sheet.png"):
        assert (tmp_path / "out" / "figures" / name).is_file()
        assert f"(figures/{name})" in text
