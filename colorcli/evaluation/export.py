"""Reports as files: JSON, which can be read back, and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from colorcli.documents import parse_json
from colorcli.evaluation.tables import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from colorcli.evaluation.tables import Figure, Table

_FIELDS = ("table", "section", "row", "minus", "metric", "value", "low", "high", "better_on", "of")


def to_json(report: Report) -> str:
    """Write a report as JSON. An infinite value is the string `inf`, a missing interval is null."""
    return json.dumps(_without_infinity(asdict(report)), ensure_ascii=False, indent=2, allow_nan=False)


def from_json(text: str) -> Report:
    """Read a report that `to_json` wrote.

    Raises:
        ValueError: the text is something else; the message names the first wrong field.
    """
    return msgspec.convert(parse_json(text), Report, strict=False)  # lax, so that "inf" becomes a float


def to_csv(report: Report) -> str:
    """Write a report as CSV: a row for each figure, after comments (#) with the protocol and the command.

    Rows with something in `minus` are differences between two rows of a table.
    """
    stream = io.StringIO()
    notes = [note for table in report.tables for note in report.notes(table)]
    for sentence in [*notes, *report.protocol, report.command]:
        stream.write(f"# {' '.join(sentence.split())}\n")
    writer = csv.DictWriter(stream, _FIELDS, restval="", lineterminator="\n")
    writer.writeheader()
    for table in report.tables:
        writer.writerows(_rows(table))
    return stream.getvalue()


def _rows(table: Table) -> Iterator[dict[str, object]]:
    for section in table.sections:
        for row, figures in section.rows.items():
            for metric, figure in figures.items():
                place = {"table": table.title, "section": section.name, "row": row, "metric": metric}
                yield place | _numbers(figure)
    for each in table.comparisons:
        place = {"table": table.title, "row": each.one, "minus": each.other, "metric": each.column}
        yield place | _numbers(each.difference) | {"better_on": each.better, "of": each.pictures}


def _numbers(figure: Figure) -> dict[str, object]:
    low, high = figure.interval or ("", "")
    return {"value": figure.value, "low": low, "high": high}


def _without_infinity(value: Any) -> Any:
    """Replace infinite numbers, which JSON lacks, by strings."""
    if isinstance(value, dict):
        return {key: _without_infinity(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_infinity(each) for each in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value
