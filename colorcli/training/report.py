"""The losses of several training runs by epoch, as tables and curves."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.errors import UsageError
from colorcli.evaluation.markdown import table
from colorcli.training.curves import draw_lines, read_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_VALIDATION, _TEST = "validation ", "test "


@dataclass(frozen=True)
class RunLosses:
    """The losses of one run.

    Attributes:
        name: name of the run.
        losses: losses by the name of the loss and the epoch, from 1: training losses are means over the epoch's steps;
            names that start with "validation " or "test " are of those splits.
    """

    name: str
    losses: Mapping[str, Mapping[int, float]]

    @property
    def deciding(self) -> str:
        """The first validation loss, which decides which weights are best; empty before the first validation."""
        return next((name for name in self.losses if name.startswith(_VALIDATION)), "")


def read_runs(folders: Sequence[Path]) -> list[RunLosses]:
    """Read the logs of runs. A run with stages counts as several runs, RUN/STAGE.

    Raises:
        UsageError: a folder does not contain a run with a log, or is given twice.
    """
    found: dict[str, RunLosses] = {}
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UsageError("A run is given twice.", "Name each run once.")
    for folder in folders:
        logs = [folder / "log.csv"] if (folder / "log.csv").is_file() else sorted(folder.glob("*/log.csv"))
        if not logs:
            raise UsageError(f"{folder} is not the folder of a training run.", "It must contain log.csv.")
        for log in logs:
            stage = "" if log.parent == folder else f"/{log.parent.name}"
            name = f"{folder.resolve().name}{stage}"
            if name in found:
                name = f"{folder}{stage}"
            found[name] = RunLosses(name, _by_epoch(read_log(log)))
    return list(found.values())


def _by_epoch(rows: Iterable[Mapping[str, str]]) -> dict[str, dict[int, float]]:
    sums: dict[str, dict[int, tuple[float, int]]] = {}
    for row in rows:
        epochs = sums.setdefault(row["loss"], {})
        total, count = epochs.get(int(row["epoch"]) + 1, (0.0, 0))
        epochs[int(row["epoch"]) + 1] = total + float(row["value"]), count + 1
    return {loss: {epoch: total / count for epoch, (total, count) in epochs.items()} for loss, epochs in sums.items()}


def to_markdown(runs: Sequence[RunLosses]) -> str:
    """Write a summary of the runs, and a table for each loss with a column for each run."""
    parts = [table(["", "epochs", "best epoch", "best", "last", "loss", "test"], [_summary(run) for run in runs])]
    for loss in _losses(runs):
        having = [run for run in runs if loss in run.losses]
        epochs = sorted({epoch for run in having for epoch in run.losses[loss]})
        rows = [
            [str(epoch), *(_number(run.losses[loss].get(epoch), _best_epoch(run, loss) == epoch) for run in having)]
            for epoch in epochs
        ]
        parts.append(f"### {loss}\n\n{table(['epoch', *(run.name for run in having)], rows)}")
    return "\n\n".join(parts)


def _losses(runs: Sequence[RunLosses]) -> list[str]:
    """List the losses of all runs except those of the test, which have a single value."""
    return list(dict.fromkeys(loss for run in runs for loss in run.losses if not loss.startswith(_TEST)))


def _best_epoch(run: RunLosses, loss: str) -> int | None:
    values = run.losses[loss]
    return min(values, key=values.__getitem__) if loss == run.deciding else None


def _summary(run: RunLosses) -> list[str]:
    epochs = max((epoch for values in run.losses.values() for epoch in values), default=0)
    tests = [next(iter(values.values())) for loss, values in run.losses.items() if loss.startswith(_TEST)]
    test = _number(tests[0]) if tests else ""
    if not run.deciding:
        return [run.name, str(epochs), "", "", "", "", test]
    values = run.losses[run.deciding]
    best = min(values, key=values.__getitem__)
    return [run.name, str(epochs), str(best), _number(values[best]), _number(values[max(values)]), run.deciding, test]


def _number(value: float | None, is_best: bool = False) -> str:
    if value is None:
        return ""
    return f"**{value:.5g}**" if is_best else f"{value:.5g}"


def to_csv(runs: Sequence[RunLosses]) -> str:
    """Write a row for each run, loss and epoch."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["run", "loss", "epoch", "value"])
    writer.writerows(
        [run.name, loss, epoch, value]
        for run in runs
        for loss, values in run.losses.items()
        for epoch, value in sorted(values.items())
    )
    return stream.getvalue()


def draw(path: Path, runs: Sequence[RunLosses], loss: str = "") -> None:
    """Draw a PNG with curves by epoch: one loss of all runs, or of each run the validation loss that decides.

    Raises:
        UsageError: no run has the loss.
    """
    lines = {}
    for run in runs:
        name = loss or run.deciding
        if name in run.losses:
            values = sorted(run.losses[name].items())
            lines[f"{run.name}: {name}"] = [epoch for epoch, _ in values], [value for _, value in values]
    if not lines:
        known = ", ".join(_losses(runs)) or "none"
        raise UsageError(f"No run has the loss {loss or 'of a validation'!r}.", f"Losses found: {known}.")
    draw_lines(path, lines, loss or "validation loss", "epoch")
