"""Ctrl-C, and the signals that end a program from outside: SIGTERM, and SIGHUP when a terminal closes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

from colorcli.files import remove_temporaries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interruption:
    """The signal that asked the program to stop; a second one ends it at once.

    The second signal raises nothing: by then the program is waiting for threads in native code, and Python would abort
    if they were still running at its end.
    """

    def __init__(self) -> None:
        self._received = 0

    def __bool__(self) -> bool:
        return bool(self._received)

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as in shells: 130 for Ctrl-C."""
        return 128 + (self._received or signal.SIGINT)

    @contextlib.contextmanager
    def raised(self) -> Iterator[None]:
        """Raise KeyboardInterrupt for every such signal, as Python does for Ctrl-C."""

        def stop(number: int, _frame: FrameType | None) -> None:
            self._receive(number)
            raise KeyboardInterrupt

        with _handling(stop):
            yield

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Record such signals, for work that stops by itself at the next suitable moment."""
        with _handling(lambda number, _frame: self._receive(number)):
            yield

    def _receive(self, number: int) -> None:
        if self._received:
            _end(number)
        self._received = number


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """End the program silently at such a signal, while it starts and while its exit handlers run."""
    with _handling(lambda number, _frame: _end(number)):
        yield


def _end(number: int) -> None:
    remove_temporaries()
    os._exit(128 + number)


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the signals, except those that are ignored, as SIGHUP is under nohup."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    handled = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])
