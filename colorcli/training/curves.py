"""The log of a training run, and curves of its losses."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

COLUMNS = ("step", "epoch", "loss", "value")
_FEW = 50  # points, which are marked: a line of one point could not be seen
_SMOOTHING = 0.98  # smoothing of training losses, from step to step


def read_log(path: Path) -> list[dict[str, str]]:
    """Read a run's log.csv, one row per loss; none if there is no file. An incomplete row is ignored."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["value"]]


def write_log(path: Path, step: int, epoch: int, losses: Mapping[str, float]) -> None:
    """Append losses to a run's log.csv, one row each, so that it fits the losses of any recipe."""
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([step, epoch, name, f"{value:.6g}"] for name, value in losses.items())


def draw_curves(path: Path, rows: Iterable[Mapping[str, str]], title: str) -> None:
    """Draw a PNG with every loss over the steps; training losses are smoothed.

    Args:
        path: the file.
        rows: rows of the log.
        title: title above the curves.
    """
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        steps, values = curves.setdefault(row["loss"], ([], []))
        value = float(row["value"])
        if values and not row["loss"].startswith("validation"):
            value = _SMOOTHING * values[-1] + (1 - _SMOOTHING) * value
        steps.append(int(row["step"]))
        values.append(value)
    draw_lines(path, curves, title, "step")


def draw_panels(
    path: Path, panels: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, x_label: str
) -> None:
    """Draw a PNG with a small diagram for each pair of x and y values, under its label.

    Raises:
        ModuleNotFoundError: matplotlib, from the extra `train`, is not installed.
    """
    from matplotlib.figure import Figure

    columns = 3
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    for number, (label, (x, y)) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.plot(x, y, marker=".")
        axes.set(title=label, xlabel=x_label)
    figure.suptitle(title)
    figure.savefig(path, format="png")


def draw_lines(
    path: Path, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, x_label: str
) -> None:
    """Draw a PNG with lines, each given by its x and y values under its label.

    Raises:
        ModuleNotFoundError: matplotlib, from the extra `train`, is not installed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for label, (x, y) in lines.items():
        axes.plot(x, y, label=label, marker="." if len(x) < _FEW else "")
    axes.set(xlabel=x_label, title=title)
    if lines:
        axes.legend()
    figure.savefig(path, format="png")
