"""The shots of a film, found in a thread of their own while the page works with those that are known."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from colorcli.film.representatives import representatives
from colorcli.inference.batch import explained

if TYPE_CHECKING:
    from colorcli.errors import ColorcliError
    from colorcli.jobs import Job
    from colorcli.media.films.film import Film


@dataclass(frozen=True)
class FoundShot:
    """A shot, and the frame that stands for it.

    Attributes:
        start: where it begins, in seconds.
        end: where it ends.
        time: time of the frame.
    """

    start: Fraction
    end: Fraction
    time: Fraction

    def describe(self) -> dict[str, float]:
        """Describe it for the page: times in seconds, rounded up to milliseconds."""
        return {"start": milliseconds(self.start), "end": milliseconds(self.end), "time": milliseconds(self.time)}


class _Stopped(Exception):
    """The shots are no longer needed."""


class ShotSearch(threading.Thread):
    """Finds the shots of a film in a thread of its own, while the page works with those that are found.

    Args:
        job: job of the film.
        film: the probed film.

    Attributes:
        shots: found so far.
        looked: how many seconds of the film have been looked at.
        finished: whether all shots are found.
        error: why the search ended early; None if it did not.
    """

    def __init__(self, job: Job, film: Film) -> None:
        super().__init__(name="colorcli-shots", daemon=True)
        self.shots: list[FoundShot] = []
        self.looked = Fraction(0)
        self.finished = False
        self.error: ColorcliError | None = None
        self._job = job
        self._film = film
        self._stop_wanted = threading.Event()

    def run(self) -> None:
        """Find them."""
        torch.set_num_threads(1)  # for this thread; the other cores are for previews
        try:
            for each in representatives(self._film, self._look):
                self.shots.append(FoundShot(each.start, each.end, each.time))
            self.finished = True
        except _Stopped:
            pass
        except Exception as error:
            self.error = explained(self._job, error)

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self._stop_wanted.set()
        self.join()

    def _look(self, time: Fraction) -> None:
        if self._stop_wanted.is_set():
            raise _Stopped
        self.looked = time


def milliseconds(time: Fraction) -> float:
    """Round a time up to milliseconds, so that the frame that begins then is on screen."""
    return -(-time * 1000 // 1) / 1000
