"""The tables of a paper in their own form: its printed figures beside those that were measured here."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.evaluation.markdown import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from colorcli.evaluation.tables import Comparison, Report
    from colorcli.experiments.declaration import PaperTable, TableRow
    from colorcli.training.report import RunLosses

_EPOCH = "epoch"  # in the place of a loss: the number of the epoch
_NOTHING = "-"
_WHOSE = ("paper", "here")
_LISTED = 4  # differences of a row; of more, their number is given


@dataclass(frozen=True)
class FilledTable:
    """A table of a paper with its figures.

    Attributes:
        title: title of the table.
        heading: headings of the columns; the first one is empty.
        rows: cells as text, the row's name first: for each column the paper's figure, then ours.
        note: note below the table.
        chance: statement about which differences between columns are larger than chance.
        is_measured: whether any figure was measured here.
        beside: whether each of the paper's figures is followed by ours.
        left: how many columns are text.
    """

    title: str
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    chance: str = ""
    is_measured: bool = True
    beside: bool = False
    left: int = 1

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it, printed or measured."""
        return all(cell in {"", _NOTHING} for row in self.rows for cell in row[1:])

    @property
    def markdown(self) -> str:
        """The table in Markdown."""
        return table(self.heading, self.rows, left=self.left)


class Figures:
    """Everything that the cells of tables refer to.

    Args:
        losses: losses of the runs, by `RUN` or `RUN/STAGE`.
        report: the evaluation of the variants; None if none could be evaluated.
    """

    def __init__(self, losses: Mapping[str, RunLosses], report: Report | None) -> None:
        self._losses = losses
        self._report = report

    def fill(self, declared: PaperTable) -> FilledTable:
        """Fill in a table: its columns are the paper's, each followed by ours; ours alone if the paper prints none."""
        prints = any(row.printed for row in declared.rows)
        step = 1 if prints else 2
        heading = [f"{column}, {whose}" if prints else column for column in declared.columns for whose in _WHOSE]
        cells = [self._cells(declared, row) for row in declared.rows]
        return FilledTable(
            title=declared.title,
            heading=["", *heading[step - 1 :: step]],
            rows=[[row.name, *each[step - 1 :: step]] for row, each in zip(declared.rows, cells, strict=True)],
            note=declared.note,
            chance=self._chance(declared),
            is_measured=any(cell != _NOTHING for each in cells for cell in each[1::2]),
            beside=prints,
        )

    def _cells(self, declared: PaperTable, row: TableRow) -> list[str]:
        cells = []
        for number, subject in enumerate(row.of or declared.of or declared.columns):
            printed = row.printed[number] if row.printed else _NOTHING
            decimals = 0 if row.loss == _EPOCH else row.decimals
            cells.append(printed if isinstance(printed, str) else f"{printed:.{decimals}f}")
            if not row.metric and not row.loss:
                cells.append(_NOTHING)
                continue
            metric = row.metric if isinstance(row.metric, str) else row.metric[number]
            cells.append(self._metric(subject, metric, decimals) if metric else self._loss(subject, row, decimals))
        return cells

    def _chance(self, declared: PaperTable) -> str:
        """Say which differences between the columns are larger than chance; empty if none can be computed."""
        compared, found = False, []
        for row in declared.rows:
            differences = self._differences(row.of or declared.of or declared.columns, row.metric)
            compared |= bool(differences)
            clear = [each for each in differences if each.difference.excludes_zero]
            if len(clear) > _LISTED:
                found.append(f"{row.name}, {len(clear)} of {len(differences)} differences")
                continue
            for each in clear:
                low, high = (f"{value:+.{row.decimals}f}" for value in each.difference.interval or ())
                found.append(f"{row.name}, {each.rows} {each.difference.value:+.{row.decimals}f} ({low} to {high})")
        if not compared:
            return ""
        if not found:
            return "No 95 % interval of a difference between these columns excludes 0."
        return f"95 % intervals of differences between these columns that exclude 0: {'; '.join(found)}."

    def _differences(self, variants: Sequence[str], metric: str | tuple[str, ...]) -> list[Comparison]:
        pairs = [{*pair} for pair in itertools.combinations(variants, 2)]
        comparisons = self._report.tables[0].comparisons if self._report else ()
        return [each for each in comparisons if each.column == metric and {each.one, each.other} in pairs]

    def _loss(self, subject: str, row: TableRow, decimals: int) -> str:
        name, _, stage = subject.partition("/")
        if stage == "*":
            runs = [run for key, run in self._losses.items() if key.startswith(f"{name}/") and row.loss in run.losses]
        else:
            runs = [self._losses[subject]] if subject in self._losses else []
        values = [value for run in runs if (value := _value(run, row)) is not None]
        return f"{sum(values) / len(values):.{decimals}f}" if values else _NOTHING

    def _metric(self, variant: str, metric: str, decimals: int) -> str:
        if self._report is None:
            return _NOTHING
        figure = self._report.tables[0].sections[0].rows.get(variant, {}).get(metric)
        if figure is None:
            return _NOTHING
        low, high = figure.interval or (None, None)
        interval = "" if low is None else f" ({low:.{decimals}f} to {high:.{decimals}f})"
        return f"{figure.value:.{decimals}f}{interval}"


def _value(run: RunLosses, row: TableRow) -> float | None:
    """Find the loss of a run that a row asks for; None if it was not logged."""
    last = max((epoch for values in run.losses.values() for epoch in values), default=0)
    epoch = last
    if row.at == "best" and run.deciding:
        deciding = run.losses[run.deciding]
        epoch = min(deciding, key=deciding.__getitem__)
    if row.loss == _EPOCH:
        return float(epoch)
    return run.losses.get(row.loss, {}).get(epoch)
