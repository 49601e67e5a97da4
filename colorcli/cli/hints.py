"""The hints of `colorcli run`: colors that the user gives to places, or takes from a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.option_groups import option_group
from colorcli.hints.hint import WrittenHint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.hints.files import HintSet
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job


@dataclass(frozen=True)
class HintOptions:
    """Hints on the command line, files of them, and a photograph to take colors from."""

    hints: tuple[WrittenHint, ...]
    hint_files: tuple[Path, ...]
    like: Path | None

    def __bool__(self) -> bool:
        return bool(self.hints or self.hint_files)

    def alike(self, pipeline: Pipeline) -> Pipeline:
        """Let a pipeline take the colors of the photograph, if there is one.

        Raises:
            UnreadableMedia: the file is not a picture.
            UsageError: it is not in color.
        """
        if self.like is None:
            return pipeline
        from colorcli.inference.like import like

        return like(pipeline, self.like)

    def gather(self, jobs: Sequence[Job], *, complete: bool) -> HintSet:
        """Read the hints and check that each is for one of the jobs.

        Args:
            jobs: jobs of the run.
            complete: whether these are all jobs; those of another machine may have hints, too.

        Raises:
            UsageError: a file cannot be read, or its hints are wrong or for no picture.
        """
        from colorcli.hints.files import gather

        hints = gather(self.hints, self.hint_files)
        if complete:
            hints.check([job.relative for job in jobs])
        return hints


hint_options = option_group(
    "hint_options",
    HintOptions,
    [
        click.option(
            "--hint",
            "hints",
            type=WrittenHint.parse,
            multiple=True,
            metavar="X,Y=COLOR[@RADIUS]",
            help="Color of a place, which spreads: 120,340=#b03020 in pixels, or 30%,45%=navy; may be repeated.",
        ),
        click.option(
            "--hints",
            "hint_files",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            multiple=True,
            metavar="FILE",
            help="Hints from a JSON or CSV file, or from strokes on a transparent PNG; may be repeated.",
        ),
        click.option(
            "--like",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="PHOTO",
            help="Color photograph of a similar subject to take colors from.",
        ),
    ],
)
