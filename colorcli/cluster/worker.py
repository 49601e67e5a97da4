"""What a worker does: it loads the model once, and colorizes the groups of pictures that it is given."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING

from colorcli.inference.batch import colorize_files

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from colorcli.hints.files import HintSet
    from colorcli.inference.outcomes import PictureKind, PictureOutcome
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job
    from colorcli.media.pictures.metadata import Provenance

_REPORT_SECONDS = 0.2  # between two reports; those of a fast network would otherwise keep the cluster busy


@dataclass(frozen=True)
class PictureTask:
    """What is done with the pictures of a pass; see `colorize_files`.

    Attributes:
        derive: makes the pipeline of the pass from that of the run.
    """

    derive: Callable[[Pipeline], Pipeline]
    kind: PictureKind
    overwrite: bool
    recolor: bool
    max_pixels: int
    hints: HintSet | None

    def colorize(self, pipeline: Pipeline, jobs: Sequence[Job]) -> Generator[PictureOutcome]:
        """Colorize pictures on this machine."""
        return colorize_files(
            self.derive(pipeline),
            jobs,
            kind=self.kind,
            overwrite=self.overwrite,
            recolor=self.recolor,
            max_pixels=self.max_pixels,
            hints=self.hints,
        )


class Worker:
    """A process on some machine of a cluster, which has a model.

    Args:
        folder: that the run was started in, which relative paths refer to; another if this machine has no such folder.
    """

    def __init__(self, folder: str) -> None:
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._pipeline: Pipeline | None = None
        self._stop = Event()

    def load(self, make: Callable[[], Pipeline]) -> Provenance:
        """Load the model.

        Returns:
            What its outputs will record, so that a machine with other weights or another colorcli is noticed.

        Raises:
            ColorcliError: it cannot be loaded here.
        """
        self._pipeline = make()
        return self._pipeline.provenance

    def colorize(self, jobs: Sequence[Job], task: PictureTask) -> Generator[list[PictureOutcome]]:
        """Colorize pictures, and yield a few outcomes at a time, soon after they are known."""
        assert self._pipeline is not None
        done: list[PictureOutcome] = []
        reported = time.monotonic()
        with contextlib.closing(task.colorize(self._pipeline, jobs)) as running:
            for outcome in running:
                done.append(_portable(outcome))
                if self._stop.is_set():
                    break
                if time.monotonic() - reported >= _REPORT_SECONDS:
                    yield done
                    done, reported = [], time.monotonic()
        yield done

    def stop(self) -> None:
        """Finish the pictures that are being worked on, and start no more."""
        self._stop.set()


def _portable(outcome: PictureOutcome) -> PictureOutcome:
    """Return an outcome that another process can read: an error of a plugin's own class becomes one of colorcli's."""
    error = outcome.error
    if error is None or type(error).__module__ == "colorcli.errors":
        return outcome
    known = next(base for base in type(error).__mro__ if base.__module__ == "colorcli.errors")
    return replace(outcome, error=known(error.message, error.hint))
