"""The messages of `colorcli run`: one for each job as it is done, and a summary at the end."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from colorcli.inference.outcomes import FilmOutcome, PictureOutcome
from colorcli.media import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from colorcli.cli.progress import Progress
    from colorcli.errors import ColorcliError
    from colorcli.inference.outcomes import Outcome
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job, Plan


class OutcomeReporter:
    """Reports what became of each job as soon as it is done, and collects the outcomes."""

    def __init__(self, pipeline: Pipeline, *, as_json: bool, verbose: bool) -> None:
        self.pipeline = pipeline
        self.outcomes: list[Outcome] = []
        self.report: Callable[[Outcome, str], None] | None = None  # puts it on the page
        self._as_json = as_json
        self._verbose = verbose

    def __call__(self, outcome: Outcome, progress: Progress | None = None) -> None:
        self.outcomes.append(outcome)
        note = progress.note if progress else partial(click.echo, err=True)
        if self._as_json:
            (progress.result if progress else click.echo)(_outcome_row(self.pipeline, outcome))
        for remark in outcome.remarks:
            note(f"note: {shown(outcome.job.source)}: {remark}.")
        if self._verbose and not outcome.error:
            note(_told(outcome))
        if outcome.error:
            note(_complaint(outcome.error))
        if self.report and not _is_entropy(outcome):
            self.report(outcome, _notes(outcome))


def show_plan(jobs: Sequence[Job], planned: Plan, *, as_json: bool) -> int:
    """Say what would be written, for a dry run; give the exit code."""
    for job in jobs:
        click.echo(_row(job.source, job.target) if as_json else f"{shown(job.source)} -> {shown(job.target)}")
    return finish([], planned, as_json=as_json, summary=False)


def _outcome_row(pipeline: Pipeline, outcome: Outcome) -> str:
    facts: dict[str, object] = {
        "model": pipeline.model.colorizer.name,
        "tag": pipeline.model.tag,
        "seconds": round(outcome.seconds, 3),
    }
    if outcome.done_before:
        facts["done_before"] = True
    if isinstance(outcome, PictureOutcome):
        facts |= {"notes": outcome.notes} if outcome.notes else {}
        facts |= {"seed": outcome.seed} if outcome.seed is not None else {}
        facts |= {"entropy": True} if _is_entropy(outcome) else {}
    elif isinstance(outcome, FilmOutcome) and outcome.figures:
        facts |= asdict(outcome.figures)
    if outcome.error:
        facts["error"] = str(outcome.error)
    return _row(outcome.job.source, None if outcome.error else outcome.output, **facts)


def _told(outcome: Outcome) -> str:
    """Say of a picture what there is to say: `a.jpg: category people, probability 0.93`."""
    done = "done before" if outcome.done_before else "explained" if _is_entropy(outcome) else "colorized"
    return f"{shown(outcome.job.source)}: {_notes(outcome) or done}"


def _is_entropy(outcome: Outcome) -> bool:
    return isinstance(outcome, PictureOutcome) and outcome.kind == "entropy"


def _notes(outcome: Outcome) -> str:
    if not isinstance(outcome, PictureOutcome):
        return ""
    return ", ".join(
        f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in outcome.notes.items()
    )


def _row(source: Path, target: Path | None, **facts: object) -> str:
    """Write a line of JSON, in ASCII: names in any script, and in none, survive every terminal and pipe."""
    import json

    return json.dumps({"input": str(source), "output": None if target is None else str(target), **facts})


def finish(outcomes: Sequence[Outcome], planned: Plan, *, as_json: bool, summary: bool = True) -> int:
    """Tell of what could not be planned, then how many there were of each fate; give the exit code."""
    for path, error in planned.problems:
        click.echo(_complaint(error), err=True)
        if as_json:
            click.echo(_row(path, None, error=str(error)))
    failed = len(planned.problems) + sum(outcome.error is not None for outcome in outcomes)
    skipped = sum(outcome.done_before for outcome in outcomes)
    done = [outcome for outcome in outcomes if not outcome.error and not outcome.done_before]
    explained = sum(_is_entropy(outcome) for outcome in done)
    if summary:
        _summarize(len(done) - explained, explained, skipped, failed, [outcome.job for outcome in outcomes])
    return 1 if failed else 0


def _summarize(done: int, explained: int, skipped: int, failed: int, jobs: Sequence[Job]) -> None:
    parts = [f"{done} colorized"]
    parts += [f"{explained} explained"] if explained else []
    parts += [f"{skipped} done before"] if skipped else []
    parts += [f"{failed} failed"] if failed else []
    if not jobs and not failed:
        parts = ["no pictures or films found"]
    folders = {job.target.parent for job in jobs}
    where = f" in {shown(common)}" if folders and (common := _common(folders)) else ""
    click.echo(", ".join(parts) + where, err=True)


def _common(folders: set[Path]) -> str:
    import os

    return os.path.commonpath(folders) if len({folder.is_absolute() for folder in folders}) == 1 else ""


def _complaint(error: ColorcliError) -> str:
    return f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else "")
