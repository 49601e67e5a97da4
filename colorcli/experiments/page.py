"""The result of an experiment: one page and one Markdown file, with the same content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from colorcli.evaluation.markdown import bullets, to_markdown
from colorcli.files import write_text
from colorcli.pages import asset, page, picture, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from colorcli.evaluation.tables import Report
    from colorcli.experiments.tables import FilledTable

_QUALITY = 90


@dataclass(frozen=True)
class Picture:
    """Curves or a sheet: a PNG beside the page.

    Attributes:
        title: title above the picture.
        file: relative to the page's folder.
        description: description for people who cannot see the picture.
        note: note below the picture.
    """

    title: str
    file: str
    description: str
    note: str = ""


@dataclass(frozen=True)
class Result:
    """Everything on the page.

    Attributes:
        title: title of the experiment.
        source: the paper.
        question: the question that the experiment asks.
        facts: facts about the scale and the data, by heading.
        tables: the paper's tables, in their own form.
        pictures: curves and sheets.
        report: the whole evaluation; None if no model could be evaluated.
        problems: models that were left out, and why.
        notes: where the experiment differs from the paper's.
        command: the command that makes the page.
    """

    title: str
    source: str
    question: str
    facts: Mapping[str, str]
    tables: Sequence[FilledTable]
    pictures: Sequence[Picture]
    report: Report | None
    problems: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=list)
    command: str = ""


def write_result(result: Result, folder: Path) -> list[Path]:
    """Write `page.html` and `page.md` into a folder that contains the pictures.

    Returns:
        The files.

    Raises:
        UnwritableMedia: a file cannot be written.
    """
    texts = {folder / "page.html": _html(result, folder), folder / "page.md": _markdown(result)}
    for path, text in texts.items():
        write_text(path, f"{text.rstrip()}\n")
    return list(texts)


def _html(result: Result, folder: Path) -> str:
    images = {}
    for each in result.pictures:
        with Image.open(folder / each.file) as image:
            images[each.file] = picture(image.convert("RGB"), each.description, quality=_QUALITY, lazy=True)
    style = asset("evaluation.css") + asset("experiment.css")
    return page(result.title, render("experiment.html", {"result": result, "images": images}), style=style)


def _markdown(result: Result) -> str:
    parts = [f"# {result.title}", result.source, result.question]
    parts.append(bullets(f"{name}: {fact}" for name, fact in result.facts.items()))
    if result.problems:
        parts += ["## Left out", bullets(result.problems)]
    for each in result.tables:
        parts += [f"## {each.title}", each.markdown, each.note, each.chance]
    for shown in result.pictures:
        parts += [f"## {shown.title}", f"![{shown.description}]({shown.file})", shown.note]
    if result.report:
        parts += ["## All metrics", to_markdown(result.report)]
    if result.notes:
        parts += ["## Differences from the paper", bullets(result.notes)]
    return "\n\n".join(part for part in [*parts, f"`{result.command}`"] if part)
