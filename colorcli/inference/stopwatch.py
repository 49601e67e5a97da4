"""Where the time goes: the seconds of each stage of the work, over all threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Stopwatch:
    """Adds up how long stages take.

    Args:
        settle: waits until a device has done what it was told, so that a stage has its own work and not that before.
        clock: tells the time in seconds.

    Attributes:
        seconds: of each stage, of all threads together.
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
        """Time a piece of work. A stage within another counts for itself alone."""
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
        """Give the time since the last turn to the stage that it was spent in."""
        now = self._clock()
        if open_stages:
            with self._adding:
                self.seconds[open_stages[-1]] += now - self._of_thread.turned
        self._of_thread.turned = now
