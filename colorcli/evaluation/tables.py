"""Tables of metrics in memory. A table always comes with its protocol and the command that makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - msgspec reads the annotations
from dataclasses import dataclass

BASELINES = ("gray", "mean color")
ORIGINAL = "original"  # the photographs themselves
TRUE = "true"  # the films themselves
_DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "": ""}


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % confidence interval, if it has one."""

    value: float
    interval: tuple[float, float] | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


@dataclass(frozen=True)
class Column:
    """One metric.

    Attributes:
        name: name in files and on the command line.
        heading: heading in tables.
        decimals: number of decimals shown.
        better: "higher", "lower", or empty.
        missing: why the metric could not be measured; empty if it was.
    """

    name: str
    heading: str
    decimals: int = 1
    better: str = ""
    missing: str = ""

    @property
    def direction(self) -> str:
        """Which values are better, as a phrase."""
        return _DIRECTIONS[self.better]

    def show(self, figure: Figure | None) -> str:
        """Format a value; empty for none."""
        return "" if figure is None else f"{figure.value:.{self.decimals}f}"

    def show_interval(self, figure: Figure | None, sign: str = "") -> str:
        """Format an interval; empty for none."""
        if figure is None or figure.interval is None:
            return ""
        low, high = figure.interval
        return f"{low:{sign}.{self.decimals}f} to {high:{sign}.{self.decimals}f}"

    def show_difference(self, figure: Figure) -> str:
        """Format a difference, with its sign."""
        return f"{figure.value:+.{self.decimals}f}"


@dataclass(frozen=True)
class Section:
    """The rows of the whole set, or of one part of it.

    Attributes:
        name: name of the part; empty for the whole set.
        note: describes the part, such as "12 photographs".
        rows: figures by the name of the row and of the column.
    """

    name: str
    note: str
    rows: Mapping[str, Mapping[str, Figure]]

    @property
    def heading(self) -> str:
        """The heading above the rows."""
        return f"{self.name or 'All'}: {self.note}"


@dataclass(frozen=True)
class Comparison:
    """The difference between two rows of the same pictures in one column.

    Attributes:
        one: name of a row.
        other: name of the row that is subtracted.
        column: name of the column.
        difference: difference between the figures of the rows.
        better: number of pictures on which `one` is better.
        pictures: number of pictures.
    """

    one: str
    other: str
    column: str
    difference: Figure
    better: int
    pictures: int

    @property
    def rows(self) -> str:
        """The rows that are compared."""
        return f"{self.one} minus {self.other}"

    @property
    def better_on(self) -> str:
        """On how many pictures the first row is better."""
        return f"{self.better} of {self.pictures}"


@dataclass(frozen=True)
class Table:
    """The figures of a set.

    Attributes:
        title: title of the table.
        columns: columns in order.
        sections: the whole set first.
        comparisons: comparisons between rows of the whole set.
        protocol: how the figures were measured, in sentences; the first one describes the set.
    """

    title: str
    columns: Sequence[Column]
    sections: Sequence[Section]
    comparisons: Sequence[Comparison] = ()
    protocol: Sequence[str] = ()

    def column(self, name: str) -> Column:
        """Find a column by name."""
        return next(column for column in self.columns if column.name == name)

    @staticmethod
    def is_model(row: str) -> bool:
        """Return whether a row belongs to a model rather than to a baseline or to the originals."""
        return row not in {*BASELINES, ORIGINAL, TRUE}

    def best(self, section: Section, column: Column) -> set[str]:
        """Return the models with the best figure in a column; empty if they cannot be compared."""
        values = {
            name: row[column.name].value
            for name, row in section.rows.items()
            if column.name in row and self.is_model(name)
        }
        if len(values) < 2 or not column.better:
            return set()
        best = max(values.values()) if column.better == "higher" else min(values.values())
        return {name for name, value in values.items() if value == best}


@dataclass(frozen=True)
class Report:
    """The result of `colorcli evaluate`.

    Attributes:
        data: name of the data set.
        command: the command that makes this report.
        models: a description of the model behind each row.
        versions: versions of the packages.
        tables: tables for photographs, for films, or both.
        problems: messages about files that were skipped.
        gray: names of files that were skipped because they have no color.
    """

    data: str
    command: str
    models: Mapping[str, str]
    versions: Mapping[str, str]
    tables: Sequence[Table]
    problems: Sequence[str] = ()
    gray: Sequence[str] = ()

    def notes(self, table: Table) -> list[str]:
        """List what readers of one table need to know: its protocol, and metrics that could not be measured."""
        set_, *protocol = table.protocol
        missing = [f"{column.heading}: not measured. {column.missing}" for column in table.columns if column.missing]
        return [f"{self.data}: {set_}", *protocol, *missing]

    @property
    def protocol(self) -> list[str]:
        """What applies to all tables, in sentences; the command comes beside it."""
        lines = [f"{name}: {description}" for name, description in self.models.items()]
        lines.append(", ".join(f"{package} {version}" for package, version in self.versions.items()))
        if self.gray:
            lines.append(f"Skipped because they are gray: {', '.join(self.gray)}")
        if self.problems:
            lines.append(f"Skipped because they cannot be read: {len(self.problems)}")
        return lines
