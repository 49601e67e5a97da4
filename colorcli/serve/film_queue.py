"""Films that are colored one after the other, beside the requests; each is stopped and resumed like `colorcli run`."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

from colorcli.errors import OutputExists
from colorcli.film.colorize import colorize_film

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from colorcli.film.colorize import FilmSettings
    from colorcli.film.shot_list import Shot
    from colorcli.inference.outcomes import FilmOutcome
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job
    from colorcli.media.films.film import Film

State = Literal["waiting", "running", "stopped", "done", "failed"]


class _Stopped(BaseException):
    """The user stops the film; like Ctrl-C, it passes everything that handles errors of films."""


class FilmRun:
    """A film that is colored, or waits for that.

    Args:
        job: the film and its output.
        pipeline: the model, strength and options.
        own_pipelines: the pipelines of shots that have a model or strength of their own.
        settings: settings of the film, including references and shots.
        overwrite: replace an existing output.

    Attributes:
        state: the current state of the run.
        outcome: the outcome, once the run has ended.
    """

    def __init__(
        self,
        job: Job,
        pipeline: Pipeline,
        own_pipelines: Mapping[Shot, Pipeline],
        settings: FilmSettings,
        *,
        overwrite: bool,
    ) -> None:
        self.job = job
        self.state: State = "waiting"
        self.outcome: FilmOutcome | None = None
        self._pipeline = pipeline
        self._own_pipelines = own_pipelines
        self._settings = settings
        self._overwrite = overwrite
        self._stop_wanted = threading.Event()
        self._frames = self._made_before = 0
        self._total: int | None = None
        self._began = 0.0

    @property
    def active(self) -> bool:
        """Whether it waits or is colored."""
        return self.state in {"waiting", "running"}

    def run(self) -> None:
        """Color the film, in the thread of the queue."""
        self.state = "running"
        try:
            self._check()
            self.outcome = colorize_film(
                self._pipeline,
                self.job,
                self._settings,
                own_pipelines=self._own_pipelines,
                overwrite=self._overwrite,
                on_search=self._search,
                on_start=self._start,
                on_frame=self._advance,
            )
            self.state = "done" if self.outcome.error is None else "failed"
        except _Stopped:
            self.state = "stopped"

    def stop(self) -> None:
        """Ask it to stop; the finished parts stay, and the next run resumes after them."""
        self._stop_wanted.set()

    def describe(self) -> dict[str, Any]:
        """Describe it for the page."""
        outcome = self.outcome
        error = outcome.error if outcome else None
        hint = "Choose to replace it, and color the film again." if isinstance(error, OutputExists) else None
        made = self._frames - self._made_before
        seconds = time.monotonic() - self._began
        return {
            "state": self.state,
            "frames": self._frames,
            "total": self._total,
            "fps": round(made / seconds, 1) if made and self.state == "running" else None,
            "output": str(outcome.output) if outcome and error is None else None,
            "remarks": list(outcome.remarks) if outcome else [],
            "problem": None if error is None else {"message": error.message, "hint": hint or error.hint},
        }

    def _check(self) -> None:
        if self._stop_wanted.is_set():
            raise _Stopped

    def _search(self, _time: Fraction) -> None:
        self._check()

    def _start(self, film: Film, made_before: int) -> None:
        self._frames = self._made_before = made_before
        self._total = film.frames or (round(film.duration * film.frame_rate) if film.duration else None)
        self._began = time.monotonic()

    def _advance(self, frames: int, _shot: int) -> None:
        self._check()
        self._frames = frames


class FilmQueue:
    """Colors one film at a time, in the order in which they were queued."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, "colorcli-films")
        self._runs: dict[str, tuple[FilmRun, Future[None]]] = {}

    def get(self, key: str) -> FilmRun | None:
        """Return the last run of a film, if it has been queued."""
        run, _ = self._runs.get(key, (None, None))
        return run

    def add(self, key: str, run: FilmRun) -> None:
        """Queue a film; its former run must not be active."""
        self._runs[key] = run, self._worker.submit(run.run)

    def stop(self, key: str) -> None:
        """Stop a film, or take it out of the queue."""
        if key in self._runs:
            run, future = self._runs[key]
            run.stop()
            if future.cancel():
                run.state = "stopped"

    def close(self) -> None:
        """Stop all films, and wait until the one in progress has stopped."""
        for key in self._runs:
            self.stop(key)
        self._worker.shutdown(cancel_futures=True)
