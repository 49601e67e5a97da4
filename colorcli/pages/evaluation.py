"""The page of `colorcli evaluate`: the tables, and how they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from colorcli.pages import asset, page, render

if TYPE_CHECKING:
    from colorcli.evaluation.tables import Report


def to_html(report: Report) -> str:
    """Write a report as a page."""
    title = f"{', '.join(report.models)} on {report.data}"
    return page(title, render("evaluation.html", {"report": report}), style=asset("evaluation.css"))
