"""The page of figures."""

import math

import pytest

from colorcli.evaluation.tables import Column, Comparison, Figure, Report, Section, Table
from colorcli.pages.evaluation import to_html
from tests.browser import needs_chromium, opened


@pytest.fixture(scope="module")
def report():
    rows = {
        "gray": {"auc": Figure(80.0, (79.0, 81.0))},
        "a<b>": {"auc": Figure(85.0, (84.0, 86.0))},
        "c": {"auc": Figure(math.inf)},
        "original": {},
    }
    columns = [Column("auc", "AuC & co %", 1, "higher"), Column("fid", "FID", missing="No weights.")]
    sections = [Section("", "2 photographs", rows), Section("city", "1 photograph", rows)]
    comparisons = [Comparison("c", "a<b>", "auc", Figure(1.0, (0.5, 1.5)), 2, 2)]
    table = Table("Photographs", columns, sections, comparisons, ["2 photographs"])
    return Report("set", "colorcli evaluate 'a&b' set", {"a<b>": "n"}, {"torch": "2"}, [table], ["x.jpg: <broken>"])


@pytest.fixture(scope="module")
def path(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "table.html"
    path.write_text(to_html(report), encoding="utf-8")
    return path


def test_names_and_texts_are_escaped(path):
    text = path.read_text(encoding="utf-8")
    for written in (
        "a&lt;b&gt;",
        "AuC &amp; co %",
        "x.jpg: &lt;broken&gt;",
        "colorcli evaluate &#39;a&amp;b&#39; set",
    ):
        assert written in text
    assert "<broken>" not in text


@needs_chromium
def test_the_page_opens_without_an_error_and_loads_nothing(browser, path):
    with opened(browser, path, viewport={"width": 1280, "height": 800}) as (page, heard):
        assert page.title() == "a<b> on set"
        assert heard.console == []
        assert heard.requests == [path.as_uri()]


@needs_chromium
def test_its_tables_show_the_report(browser, path):
    with opened(browser, path, viewport={"width": 1280, "height": 800}) as (page, _):
        first, city, comparisons = page.locator("table").all()
        assert first.locator("tbody tr").all_inner_texts()[1].split() == [
            "a<b>",
            "85.0",
            "84.0",
            "to",
            "86.0",
            "not",
            "measured",
        ]
        assert city.locator("tbody tr").count() == 4
        assert page.locator("h3").all_inner_texts() == [
            "All: 2 photographs",
            "city: 1 photograph",
            "Differences between rows",
        ]
        assert "+1.0" in comparisons.inner_text()
        assert first.locator("td.best").all_inner_texts() == ["inf"]
        assert "torch 2" in page.locator("main").inner_text()


@needs_chromium
def test_a_table_wider_than_a_phone_scrolls_by_itself(browser, path):
    with opened(browser, path, viewport={"width": 320, "height": 600}) as (page, _):
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.locator(".scroll").first.get_attribute("tabindex") == "0"  # by keyboard, too
