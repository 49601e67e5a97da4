"""Reports as files: JSON that is read again, and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from colorcli.evaluation.tables import Column, Comparison, Figure, Report, Section, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIELDS = ("table", "section", "row", "less", "figure", "value", "low", "high", "better_on", "of")


def to_json(report: Report) -> str:
    """Write a report as JSON: infinite figures as the text `inf`, and no interval as null."""
    return json.dumps(_written(asdict(report)), ensure_ascii=False, indent=2, allow_nan=False)


def from_json(text: str) -> Report:
    """Read what `to_json` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        facts = json.loads(text)
        tables = [_table(each) for each in facts.pop("tables")]
        return Report(tables=tables, **facts)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"This is no report of colorcli evaluate: {error}.") from error


def to_csv(report: Report) -> str:
    """Write a report as CSV, a line for each figure, after lines with # that hold protocol and command.

    A line that has something in `less` is the difference of two rows.
    """
    stream = io.StringIO()
    sentences = [sentence for table in report.tables for sentence in table.protocol]
    for sentence in [report.data, *sentences, *report.protocol, report.command]:
        stream.write(f"# {' '.join(sentence.split())}\n")
    writer = csv.DictWriter(stream, _FIELDS, restval="", lineterminator="\n")
    writer.writeheader()
    for table in report.tables:
        writer.writerows(_lines(table))
    return stream.getvalue()


def _lines(table: Table) -> Iterator[dict[str, object]]:
    for section in table.sections:
        for row, figures in section.rows.items():
            for name, figure in figures.items():
                about = {"table": table.title, "section": section.name, "row": row, "figure": name}
                yield about | _numbers(figure)
    for each in table.comparisons:
        about = {"table": table.title, "row": each.one, "less": each.other, "figure": each.column}
        yield about | _numbers(each.difference) | {"better_on": each.better, "of": each.pictures}


def _numbers(figure: Figure) -> dict[str, object]:
    return {name: "" if math.isnan(value) else value for name, value in asdict(figure).items()}


def _written(value: Any) -> Any:
    """Give what JSON has for every number."""
    if isinstance(value, dict):
        return {key: _written(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _table(facts: Mapping[str, Any]) -> Table:
    return Table(
        facts["title"],
        [Column(**each) for each in facts["columns"]],
        [
            Section(
                each["name"],
                each["note"],
                {row: {name: _figure(cell) for name, cell in cells.items()} for row, cells in each["rows"].items()},
            )
            for each in facts["sections"]
        ],
        [Comparison(**{**each, "difference": _figure(each["difference"])}) for each in facts["comparisons"]],
        facts["protocol"],
    )


def _figure(facts: Mapping[str, Any]) -> Figure:
    return Figure(*(math.nan if facts[name] is None else float(facts[name]) for name in ("value", "low", "high")))
