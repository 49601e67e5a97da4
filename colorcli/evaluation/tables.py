"""Tables of figures as they are kept, and as Markdown; none goes without its protocol and its command."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BASELINES = ("gray", "mean color")
ORIGINAL = "original"  # photographs as they are
TRUE = "true"  # films as they are


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % interval; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        """Whether it has an interval."""
        return not math.isnan(self.low)

    @property
    def is_sure(self) -> bool:
        """Whether it is not 0, as far as its interval tells."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Column:
    """One figure of every row.

    Attributes:
        name: what programs know it by.
        heading: what people do.
        decimals: that are shown.
        better: "higher", "lower", or empty.
        missing: why there is no figure in it; empty where there is.
    """

    name: str
    heading: str
    decimals: int = 1
    better: str = ""
    missing: str = ""

    def show(self, figure: Figure | None) -> str:
        """Write the value of a cell."""
        return "" if figure is None else f"{figure.value:.{self.decimals}f}"

    def show_interval(self, figure: Figure | None, sign: str = "") -> str:
        """Write the interval of a cell, empty where it has none."""
        if figure is None or not figure.has_interval:
            return ""
        return f"{figure.low:{sign}.{self.decimals}f} to {figure.high:{sign}.{self.decimals}f}"

    def show_difference(self, figure: Figure) -> str:
        """Write a difference of two cells."""
        return f"{figure.value:+.{self.decimals}f}"


@dataclass(frozen=True)
class Section:
    """The rows of one part of a set.

    Attributes:
        name: of the part; empty for all of it.
        note: what it is, in words.
        rows: the figures of each row by the names of row and column.
    """

    name: str
    note: str
    rows: Mapping[str, Mapping[str, Figure]]

    @property
    def heading(self) -> str:
        """What stands above the rows."""
        return f"{self.name}: {self.note}" if self.name else f"All: {self.note}"


@dataclass(frozen=True)
class Comparison:
    """Two rows of the same pictures: the difference in one column, and on how many pictures `one` is better."""

    one: str
    other: str
    column: str
    difference: Figure
    better: int
    pictures: int


@dataclass(frozen=True)
class Table:
    """Figures of a set.

    Attributes:
        title: what they are of.
        columns: in order.
        sections: the whole set first.
        comparisons: of rows of the whole set.
        protocol: how they came about, in sentences, the set first.
    """

    title: str
    columns: Sequence[Column]
    sections: Sequence[Section]
    comparisons: Sequence[Comparison] = ()
    protocol: Sequence[str] = ()

    def best(self, section: Section, column: Column) -> set[str]:
        """Name the rows of models that are best in a column, where one can be."""
        own = {
            name: row[column.name].value
            for name, row in section.rows.items()
            if column.name in row and name not in {*BASELINES, ORIGINAL, TRUE}
        }
        if len(own) < 2 or not column.better:
            return set()
        top = max(own.values()) if column.better == "higher" else min(own.values())
        return {name for name, value in own.items() if value == top}


@dataclass(frozen=True)
class Report:
    """All that `colorcli evaluate` has to say.

    Attributes:
        data: the name of what was evaluated on.
        command: the one that makes this report.
        models: what each model's row stands for.
        versions: of the packages.
        tables: of photographs, of films, or both.
        problems: what is wrong with files that are left out.
        left_out: names of files without color.
    """

    data: str
    command: str
    models: Mapping[str, str]
    versions: Mapping[str, str]
    tables: Sequence[Table]
    problems: Sequence[str] = field(default=())
    left_out: Sequence[str] = field(default=())

    @property
    def protocol(self) -> list[str]:
        """What is true of all tables, in sentences."""
        lines = [f"{name}: {description}" for name, description in self.models.items()]
        lines.append(", ".join(f"{package} {version}" for package, version in self.versions.items()))
        if self.left_out:
            lines.append(f"left out because they are gray: {', '.join(self.left_out)}")
        if self.problems:
            lines.append(f"left out because they cannot be read: {len(self.problems)}")
        return lines


def markdown(report: Report) -> str:
    """Write a report as Markdown."""
    parts = [_table(table, report, headed=len(report.tables) > 1) for table in report.tables]
    return "\n\n".join(parts)


def _table(table: Table, report: Report, *, headed: bool) -> str:
    parts = [f"## {table.title}"] if headed else []
    for section in table.sections:
        if section.name or len(table.sections) > 1:
            parts.append(f"### {section.heading}")
        parts.append(_section(table, section))
    if table.comparisons:
        parts += ["### One beside another", _comparisons(table)]
    missing = [f"{column.heading}: not measured. {column.missing}" for column in table.columns if column.missing]
    about, *more = table.protocol
    lines = [f"{report.data}: {about}", *more, *missing, *report.protocol, f"`{report.command}`"]
    parts.append("\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts)


def _section(table: Table, section: Section) -> str:
    lines = _head(["", *(column.heading for column in table.columns)])
    for name, row in section.rows.items():
        lines.append(_line([name, *(_cell(column, row.get(column.name)) for column in table.columns)]))
    return "\n".join(lines)


def _cell(column: Column, figure: Figure | None) -> str:
    if column.missing:
        return "not measured"
    interval = column.show_interval(figure)
    return column.show(figure) + (f" ({interval})" if interval else "")


def _comparisons(table: Table) -> str:
    columns = {column.name: column for column in table.columns}
    lines = [_line(["", "figure", "difference", "better on"]), _line(["---", "---", "---:", "---:"])]
    for each in table.comparisons:
        column = columns[each.column]
        difference = f"{column.show_difference(each.difference)} ({column.show_interval(each.difference, '+')})"
        rows = f"{each.one} less {each.other}"
        lines.append(_line([rows, column.heading, difference, f"{each.better} of {each.pictures}"]))
    return "\n".join(lines)


def _head(cells: Sequence[str]) -> list[str]:
    return [_line(cells), _line(["---", *["---:"] * (len(cells) - 1)])]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
