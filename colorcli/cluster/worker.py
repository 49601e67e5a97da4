"""What a worker does: it loads the model once, and colorizes the groups of pictures that it is given."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, cast

from colorcli.errors import ColorcliError
from colorcli.inference.batch import colorize_files, pictures_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from colorcli.film.colorize import FilmSettings
    from colorcli.film.distributed import ColoredPart, PlannedPart, SharedFilm
    from colorcli.film.shot_list import Shot
    from colorcli.hints.files import HintSet
    from colorcli.inference.outcomes import FilmOutcome, PictureKind, PictureOutcome
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


@dataclass(frozen=True)
class FilmTask:
    """What is done with a film; see `colorize_film`.

    Attributes:
        load_other: loads the model that a shot has of its own.
    """

    job: Job
    settings: FilmSettings
    load_other: Callable[[str], Pipeline]
    overwrite: bool
    reserved: frozenset[Path]


@dataclass(frozen=True)
class LoadedModel:
    """What a worker reports of the model that it has loaded.

    Attributes:
        provenance: what outputs will record, so that a machine with other weights or another colorcli is noticed.
        at_once: pictures that keep the worker busy.
    """

    provenance: Provenance
    at_once: int


class Worker:
    """A process on some machine of a cluster, which has a model.

    Args:
        folder: the folder that the run was started in, which relative paths refer to; another one if this machine does
            not have it.
    """

    def __init__(self, folder: str) -> None:
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._pipeline: Pipeline | None = None
        self._others: dict[str, Pipeline] = {}  # pipelines of shots with models of their own
        self._stop = Event()

    def load(self, make: Callable[[], Pipeline]) -> LoadedModel:
        """Load the model.

        Raises:
            ColorcliError: it cannot be loaded here.
        """
        self._pipeline = make()
        return LoadedModel(self._pipeline.provenance, pictures_at_once(self._pipeline))

    def colorize(self, jobs: Sequence[Job], task: PictureTask) -> Generator[list[PictureOutcome]]:
        """Colorize pictures, and yield a few outcomes at a time, soon after they are known."""
        assert self._pipeline is not None
        done: list[PictureOutcome] = []
        reported = time.monotonic()
        with contextlib.closing(task.colorize(self._pipeline, jobs)) as running:
            for outcome in running:
                done.append(replace(outcome, error=_portable(outcome.error)))
                if self._stop.is_set():
                    break
                if time.monotonic() - reported >= _REPORT_SECONDS:
                    yield done
                    done, reported = [], time.monotonic()
        yield done

    def plan_film(self, task: FilmTask) -> Generator[PlannedPart]:
        """Find the parts of a film."""
        for part in self._film(task).plan():
            if self._stop.is_set():
                return
            yield part

    def color_part(self, task: FilmTask, part: PlannedPart) -> ColoredPart:
        """Color a part of a film."""
        return self._film(task).colorize(part)

    def join_film(self, task: FilmTask) -> FilmOutcome:
        """Join the parts of a film that were colored, and color what is missing."""
        from colorcli.film.colorize import colorize_film

        assert self._pipeline is not None
        outcome = colorize_film(
            self._pipeline,
            task.job,
            task.settings,
            own_pipelines=self._own_pipelines(task),
            overwrite=task.overwrite,
            reserved=task.reserved,
        )
        return replace(outcome, error=_portable(outcome.error))

    def _film(self, task: FilmTask) -> SharedFilm:
        from colorcli.film.distributed import SharedFilm

        assert self._pipeline is not None
        return SharedFilm(self._pipeline, task.job, task.settings, self._own_pipelines(task))

    def _own_pipelines(self, task: FilmTask) -> Mapping[Shot, Pipeline]:
        from colorcli.film.pipelines import pipelines_of_shots

        assert self._pipeline is not None
        return pipelines_of_shots(task.settings.shots, self._pipeline, partial(self._other, task))

    def _other(self, task: FilmTask, name: str) -> Pipeline:
        if name not in self._others:
            self._others[name] = task.load_other(name)
        return self._others[name]

    def stop(self) -> None:
        """Finish the pictures that are being worked on, and start no more."""
        self._stop.set()


def _portable(error: ColorcliError | None) -> ColorcliError | None:
    """Return an error that another process can read: that of a plugin's own class becomes one of colorcli's."""
    if error is None:
        return None
    known = next(base for base in type(error).__mro__ if base.__module__ == ColorcliError.__module__)
    return cast("ColorcliError", known(error.message, error.hint))
