"""The figures of an experiment inside a user's Markdown page, between two comments that stay there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from colorcli.errors import UsageError
from colorcli.evaluation.markdown import bullets, figures
from colorcli.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.experiments.page import Result


def replace_block(page: Path, name: str, result: Result) -> None:
    """Replace the part of a Markdown page about an experiment: the paper's tables, and the figures of all metrics.

    Args:
        page: page with the comments `<!-- NAME: written by colorcli paper -->` and `<!-- end of NAME -->`.
        name: name of the experiment.
        result: result of the experiment.

    Raises:
        UsageError: the page cannot be read, or does not have the comments.
        UnwritableMedia: the page cannot be written.
    """
    before, after = split_page(page, name)
    write_text(page, f"{before}\n{_block(result)}\n\n{after}")


def split_page(page: Path, name: str) -> tuple[str, str]:
    """Read a Markdown page: what comes before the block of an experiment, and what comes after it.

    Raises:
        UsageError: the page cannot be read, or does not have the comments.
    """
    begin, end = f"<!-- {name}: written by colorcli paper -->\n", f"<!-- end of {name} -->\n"
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{page} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise UsageError(f"{page} must be a Markdown file in UTF-8.") from None
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise UsageError(
            f"{page} has no place for the figures of {name}.", f"Add these lines to it:\n{begin}{end}".rstrip()
        )
    return before + begin, end + after


def _block(result: Result) -> str:
    facts = [f"{name}: {fact}" for name, fact in result.facts.items()]
    parts = [bullets([*facts, *(f"Left out: {problem}" for problem in result.problems), f"`{result.command}`"])]
    for each in result.tables:
        if each.is_measured:
            parts += [f"#### {each.title}", each.markdown, each.note, each.chance]
    if result.report:
        parts += ["#### All metrics", figures(result.report)]
    return "\n\n".join(part for part in parts if part)
