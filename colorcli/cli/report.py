"""The page that `colorcli run --report` writes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from colorcli.errors import ColorcliError
from colorcli.files import shown
from colorcli.inference.outcomes import PictureOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from colorcli.inference.outcomes import Outcome
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Plan


@contextlib.contextmanager
def open_report(
    path: Path, pipeline: Pipeline, planned: Plan, command: str, *, max_pixels: int
) -> Iterator[Callable[[Outcome, str], None]]:
    """Open the page of a run, and give what puts an outcome, and a note on it, on the page.

    Args:
        path: the page.
        pipeline: model and settings.
        planned: what there was to do, and what could not be planned.
        command: the one that was given.
        max_pixels: the most pixels that a picture may have.

    Raises:
        UnwritableMedia: the disk refuses.
    """
    from colorcli.evaluation.protocol import describe, made_by
    from colorcli.pages.comparison import open_comparison
    from colorcli.pages.versions import before_and_after

    fates = {"colorized": 0, "copied": 0, "done before": 0, "failed": 0}
    films: list[str] = []
    with open_comparison(path, f"In color by {pipeline.name}") as page:

        def add(outcome: Outcome, note: str) -> None:
            source, target = outcome.job.source, outcome.output
            if outcome.error:
                page.problems.append(str(outcome.error))
                fates["failed"] += 1
                return
            copied = isinstance(outcome, PictureOutcome) and outcome.kind == "copy"
            fates["done before" if outcome.done_before else "copied" if copied else "colorized"] += 1
            if outcome.job.film:
                films.append(f"{shown(source)} as {shown(target)}")
                return
            if copied:  # before and after are the same
                return
            try:
                page.add(before_and_after(source, target, pipeline.name, note, max_pixels=max_pixels))
            except ColorcliError as error:  # the output was removed or changed after it was written
                page.problems.append(str(error))

        yield add
        page.problems += [str(error) for _, error in planned.problems]
        fates["failed"] += len(planned.problems)
        page.facts = {
            "Done": ", ".join(f"{count} {fate}" for fate, count in fates.items() if count),
            **({"Films": "; ".join(films)} if films else {}),
            pipeline.name: describe(pipeline),
            "Made by": made_by(),
        }
        page.command = command
