"""The page of `colorcli evaluate`: the tables, one beside another, and how they came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from colorcli.evaluation.tables import BASELINES, ORIGINAL, TRUE, Column, Comparison, Figure, Report, Section, Table
from colorcli.pages import asset, escape, page

if TYPE_CHECKING:
    from collections.abc import Iterable

_BETTER = {"higher": "higher is better", "lower": "lower is better", "": ""}


def to_html(report: Report) -> str:
    """Write a report as a page."""
    body = "".join(_of_table(table) for table in report.tables)
    about = f"<h2>About these figures</h2>{_list(report.protocol)}<pre>{escape(report.command)}</pre>"
    problems = ""
    if report.problems:
        problems = f'<h2 class="bad">Left out: {len(report.problems)}</h2>{_list(report.problems)}'
    title = f"{', '.join(report.models)} on {report.data}"
    return page(title, f'<main class="wide">{problems}{body}{about}</main>', style=asset("evaluation.css"))


def _of_table(table: Table) -> str:
    parts = [f"<h2>{escape(table.title)}</h2>"]
    for section in table.sections:
        if section.name or len(table.sections) > 1:
            parts.append(f"<h3>{escape(section.heading)}</h3>")
        parts.append(_of_section(table, section))
    if table.comparisons:
        parts += ["<h3>One beside another</h3>", _of_comparisons(table)]
    missing = [f"{column.heading}: not measured. {column.missing}" for column in table.columns if column.missing]
    bold = ["in bold: the best model of a column, and differences whose interval leaves out 0"]
    return "".join([*parts, _list([*table.protocol, *bold, *missing])])


def _of_section(table: Table, section: Section) -> str:
    head = "".join(
        f'<th scope="col" class="number">{escape(column.heading)}'
        f'<small class="unseen"> {_BETTER[column.better]}</small></th>'
        for column in table.columns
    )
    rows = []
    for name, row in section.rows.items():
        cells = "".join(
            _cell(each, row.get(each.name), best=name in table.best(section, each)) for each in table.columns
        )
        model = "" if name in {*BASELINES, ORIGINAL, TRUE} else ' class="model"'
        rows.append(f'<tr{model}><th scope="row">{escape(name)}</th>{cells}</tr>')
    return _table(f"<tr><td></td>{head}</tr>", rows)


def _cell(column: Column, figure: Figure | None, *, best: bool) -> str:
    if column.missing:
        return '<td class="number muted">not measured</td>'
    interval = column.show_interval(figure)
    small = f"<small>{interval}</small>" if interval else ""
    return f'<td class="number{" best" if best else ""}">{column.show(figure)}{small}</td>'


def _of_comparisons(table: Table) -> str:
    columns = {column.name: column for column in table.columns}
    head = "".join(
        f'<th scope="col"{kind}>{name}</th>'
        for name, kind in (("figure", ""), ("difference", ' class="number"'), ("better on", ' class="number"'))
    )
    rows = [_of_comparison(columns[each.column], each) for each in table.comparisons]
    return _table(f"<tr><td></td>{head}</tr>", rows)


def _of_comparison(column: Column, found: Comparison) -> str:
    interval = column.show_interval(found.difference, "+")
    difference = f"{column.show_difference(found.difference)}<small>{interval}</small>"
    sure = " sure" if found.difference.is_sure else ""
    return (
        f'<tr><th scope="row">{escape(found.one)} less {escape(found.other)}</th><td>{escape(column.heading)}</td>'
        f'<td class="number{sure}">{difference}</td><td class="number">{found.better} of {found.pictures}</td></tr>'
    )


def _table(head: str, rows: Iterable[str]) -> str:
    return (
        f'<div class="scroll" tabindex="0"><table class="figures"><thead>{head}</thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _list(sentences: Iterable[str]) -> str:
    return f'<ul class="protocol small">{"".join(f"<li>{escape(each)}</li>" for each in sentences)}</ul>'
