"""The messages of `colorcli run`: one for each job as it is done, and a summary at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from colorcli.cli.messages import error_text, report_error, report_note, write_line
from colorcli.cli.option_groups import option_group
from colorcli.errors import OutputExists
from colorcli.files import shown
from colorcli.inference.outcomes import FilmOutcome, PictureOutcome
from colorcli.storage import as_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from colorcli.cli.progress import Progress
    from colorcli.errors import ColorcliError
    from colorcli.inference.outcomes import Outcome
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Plan


@dataclass(frozen=True)
class MessageOptions:
    """What a run prints."""

    as_json: bool
    verbose: bool
    quiet: bool


message_options = option_group(
    "message_options",
    MessageOptions,
    [
        click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each picture and film."),
        click.option("-v", "--verbose", is_flag=True, help="Print a line for every file, with the colorizer's notes."),
        click.option("-q", "--quiet", is_flag=True, help="Print only errors, and notes on the run as a whole."),
    ],
)


class Tally:
    """Counts outcomes without keeping them, as there may be millions.

    Attributes:
        count: number of outcomes.
        failed: how many have an error.
        done_before: how many an earlier run had made.
        left_out: how many are left out with a remark.
        kinds: how many this run made, by kind.
        folders: folders of the outputs.
    """

    def __init__(self) -> None:
        self.count = self.failed = self.done_before = self.left_out = 0
        self.kinds: Counter[str] = Counter()
        self.folders: set[Path] = set()

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.count += 1
        self.failed += outcome.error is not None
        self.done_before += outcome.done_before
        self.left_out += _kind(outcome) == "skipped" and bool(outcome.remarks)
        if not outcome.error and not outcome.done_before:
            self.kinds[_kind(outcome)] += 1
        self.folders.add(outcome.job.target.parent)


class OutcomeReporter:
    """Reports what became of each job as soon as it is done, and counts the outcomes.

    Args:
        pipeline: model and settings.
        options: what to print.

    Attributes:
        tally: tally of the jobs so far.
        page: adds an outcome and its notes to the page of --report; None without one.
    """

    def __init__(self, pipeline: Pipeline, options: MessageOptions) -> None:
        self.pipeline = pipeline
        self.tally = Tally()
        self.page: Callable[[Outcome, str], None] | None = None
        self._options = options
        self._existing = 0
        if options.verbose and pipeline.model.engine_note:
            report_note(pipeline.model.engine_note)

    def __call__(self, outcome: Outcome, progress: Progress | None = None) -> None:
        """Report an outcome, above the progress bar if there is one."""
        self.tally.add(outcome)
        write = progress.note if progress else write_line
        if self._options.as_json:
            (progress.result if progress else click.echo)(_outcome_row(self.pipeline, outcome))
        if not self._options.quiet:
            for remark in outcome.remarks:
                report_note(f"{shown(outcome.job.source)}: {remark}.", write)
        if self._options.verbose and not outcome.error:
            write(_description(outcome))
        if outcome.error and not self._is_repeated(outcome.error):
            report_error(outcome.error, write)
        if self.page and _kind(outcome) in {"color", "copy"}:
            self.page(outcome, _notes(outcome))

    def _is_repeated(self, error: ColorcliError) -> bool:
        """Whether an output that exists is not the first one: after a change of settings, all of them may exist."""
        if self._options.verbose or not isinstance(error, OutputExists):
            return False
        self._existing += 1
        return self._existing > 1

    def report_repeated(self) -> None:
        """Report how many more outputs exist, after all outcomes."""
        more = self._existing - 1
        if more > 0:
            exist = "output already exists" if more == 1 else "outputs already exist"
            click.echo(error_text(f"{more} more {exist}. List all with -v."), err=True)


def finish(tally: Tally, planned: Plan, options: MessageOptions) -> int:
    """Report the inputs that could not be planned, then print the summary; return the exit code."""
    code = report_problems(planned, options)
    failed = len(planned.problems) + tally.failed
    if not options.quiet:
        _summarize(tally, failed)
    return 1 if failed else code


def report_problems(planned: Plan, options: MessageOptions) -> int:
    """Report the inputs that could not be planned; return the exit code."""
    for path, error in planned.problems:
        report_error(error)
        if options.as_json:
            click.echo(row(path, None, error=str(error)))
    return 1 if planned.problems else 0


def _summarize(tally: Tally, failed: int) -> None:
    kinds = tally.kinds
    parts = [f"{kinds['color']} colorized"]
    parts += [f"{kinds['copy']} copied (already in color)"] if kinds["copy"] else []
    parts += [f"{kinds['entropy']} explained"] if kinds["entropy"] else []
    parts += [f"{tally.done_before} done before"] if tally.done_before else []
    parts += [f"{tally.left_out} left out"] if tally.left_out else []
    parts += [f"{failed} failed"] if failed else []
    if not tally.count and not failed:
        parts = ["no pictures or films found"]
    where = f" in {shown(common)}" if tally.folders and (common := _common(tally.folders)) else ""
    click.echo(", ".join(parts) + where, err=True)


def _common(folders: set[Path]) -> str:
    import os

    if len({folder.is_absolute() for folder in folders}) > 1:
        return ""
    common = os.path.commonpath(folders)
    return common and str(as_path(common))


def _outcome_row(pipeline: Pipeline, outcome: Outcome) -> str:
    facts: dict[str, object] = {
        "model": pipeline.model.colorizer.name,
        "tag": pipeline.model.tag,
        "seconds": round(outcome.seconds, 3),
    }
    if outcome.done_before:
        facts["done_before"] = True
    if outcome.hints:
        facts["hints"] = outcome.hints
    if isinstance(outcome, PictureOutcome):
        facts |= {"notes": outcome.notes} if outcome.notes else {}
        facts |= {"seed": outcome.seed} if outcome.seed is not None else {}
        facts |= {"entropy": True} if outcome.kind == "entropy" else {}
        facts |= {"copied": True} if outcome.kind == "copy" else {}
    elif isinstance(outcome, FilmOutcome) and outcome.figures:
        facts |= asdict(outcome.figures)
    if outcome.error:
        facts["error"] = str(outcome.error)
    if outcome.remarks:
        facts["remarks"] = outcome.remarks
    written = None if outcome.error or _kind(outcome) == "skipped" else outcome.output
    return row(outcome.job.source, written, **facts)


def row(source: Path, target: Path | None, **facts: object) -> str:
    """Format a line of JSON in ASCII, so that names in any script and encoding survive every terminal and pipe."""
    import json

    return json.dumps({"input": str(source), "output": None if target is None else str(target), **facts})


def _description(outcome: Outcome) -> str:
    """Describe a picture: `a.jpg: category people, probability 0.93`."""
    done = "done before" if outcome.done_before else _DONE[_kind(outcome)]
    return f"{shown(outcome.job.source)}: {_notes(outcome) or done}"


_DONE = {
    "color": "colorized",
    "entropy": "explained",
    "copy": "copied, because it is already in color; use --recolor to recolor it",
    "skipped": "left out",
}


def _kind(outcome: Outcome) -> str:
    return outcome.kind if isinstance(outcome, PictureOutcome) else "color"


def _notes(outcome: Outcome) -> str:
    if not isinstance(outcome, PictureOutcome):
        return ""
    return ", ".join(
        f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in outcome.notes.items()
    )
