"""Measuring how much time each stage of the work takes, summed over all threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Stopwatch:
    """Adds up the time of stages.

    Args:
        settle: waits until the device has finished, so that a stage is not charged for the work of the one before.
        clock: gives the time in seconds.

    Attributes:
        seconds: seconds of each stage, summed over all threads.
    """

    def __init__(
        self, settle: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.seconds: Counter[str] = Counter()
        self._settle = settle
        self._clock = clock
        self._adding = threading.Lock()
        self._of_thread = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage. The time of a stage inside another one counts only once, for the inner one."""
        open_stages: list[str] = vars(self._of_thread).setdefault("open", [])
        self._turn(open_stages)
        open_stages.append(name)
        try:
            yield
        finally:
            self._settle()
            self._turn(open_stages)
            open_stages.pop()

    def _turn(self, open_stages: list[str]) -> None:
        """Add the time since the last turn to the stage in which it was spent."""
        now = self._clock()
        if open_stages:
            with self._adding:
                self.seconds[open_stages[-1]] += now - self._of_thread.turned
        self._of_thread.turned = now
