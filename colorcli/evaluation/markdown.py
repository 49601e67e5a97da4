"""Tables as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from colorcli.evaluation.tables import Column, Figure, Report, Section, Table


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Write a table.

    Args:
        heading: a cell for each column.
        rows: rows with as many cells.
        left: how many columns are aligned to the left; the others are aligned to the right.
    """
    alignment = ["---"] * left + ["---:"] * (len(heading) - left)
    return "\n".join(_line(cells) for cells in (heading, alignment, *rows))


def bullets(lines: Iterable[str]) -> str:
    """Write a list."""
    return "\n".join(f"- {line}" for line in lines)


def to_markdown(report: Report) -> str:
    """Write a report of `colorcli evaluate`."""
    return "\n\n".join(_table(each, report) for each in report.tables)


def figures(report: Report) -> str:
    """Write the figures of the first table of a report, and what they were measured on."""
    each = report.tables[0]
    return f"{_section(each, each.sections[0])}\n\n{report.notes(each)[0]}. {each.protocol[1]}"


def _table(each: Table, report: Report) -> str:
    parts = [f"## {each.title}"] if len(report.tables) > 1 else []
    for section in each.sections:
        if section.name or len(each.sections) > 1:
            parts.append(f"### {section.heading}")
        parts.append(_section(each, section))
    if each.comparisons:
        parts += ["### Differences between rows", _comparisons(each)]
    parts.append(bullets([*report.notes(each), *report.protocol, f"`{report.command}`"]))
    return "\n\n".join(parts)


def _section(each: Table, section: Section) -> str:
    heading = ["", *(column.heading for column in each.columns)]
    rows = [
        [name, *(_cell(column, row.get(column.name)) for column in each.columns)] for name, row in section.rows.items()
    ]
    return table(heading, rows)


def _cell(column: Column, figure: Figure | None) -> str:
    if column.missing:
        return "not measured"
    interval = column.show_interval(figure)
    return column.show(figure) + (f" ({interval})" if interval else "")


def _comparisons(each: Table) -> str:
    rows = []
    for comparison in each.comparisons:
        column = each.column(comparison.column)
        interval = column.show_interval(comparison.difference, "+")
        difference = f"{column.show_difference(comparison.difference)} ({interval})"
        rows.append([comparison.rows, column.heading, difference, comparison.better_on])
    return table(["", "metric", "difference", "better on"], rows, left=2)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
