"""Progress of a long command: a bar on a terminal, a line every minute in a log."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self, TypeVar

import click

from colorcli.cli.terminal import printable, raw_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

Item = TypeVar("Item")

_LOG_INTERVAL = 60.0  # seconds between two lines in a log


class Progress:
    """Progress of a command, with rate and time left.

    Args:
        what: the text before the bar, such as `colorizing`.
        total: how many items there are; None if that is unknown.
        done: how many of them were done before.
        unit: unit of the rate, such as `pictures/s`; `bytes` shows sizes.
        quiet: show no progress, only what `note` and `result` print.
        clock: gives the time in seconds.
    """

    def __init__(
        self,
        what: str,
        total: int | None,
        done: int = 0,
        unit: str = "pictures/s",
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        display = _Display if quiet else _Bar if sys.stderr.isatty() else _Log
        self._display = display(what, total, done, unit)
        self._out_is_terminal = sys.stdout.isatty()  # while rich shows a bar, before its version 15, it never is
        self._before = done
        self._done = done
        self._unit = unit
        self._clock = clock
        self._started: float | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Show the bar; the first `advance` does so, too."""
        if self._started is None:
            self._started = self._clock()
            self._display.start()

    def stop(self) -> None:
        """Remove the bar."""
        if self._started is not None:
            self._display.stop()

    def advance(self, detail: str = "", count: int = 1) -> None:
        """Add items that are done.

        Args:
            detail: text after the bar.
            count: how many.
        """
        self.start()
        assert self._started is not None
        self._done += count
        seconds = self._clock() - self._started
        rate = (self._done - self._before) / seconds if seconds > 0 else 0.0
        self._display.update(self._done, seconds, rate, detail)

    def result(self, text: str) -> None:
        """Print a line of results on standard output, above the bar if both are on the terminal."""
        if self._out_is_terminal:
            self._display.print_above(text)
        else:
            click.echo(text)

    def note(self, text: str) -> None:
        """Print a line on standard error, above the bar."""
        self._display.print_above(text)


def tracked(what: str, items: Sequence[Item]) -> Iterator[Item]:
    """Pass items on and show how many of them are done."""
    with Progress(what, len(items)) as progress:
        for item in items:
            yield item
            progress.advance()


class _Display:
    """Notes and no progress: what --quiet shows."""

    def __init__(self, what: str, total: int | None, done: int, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit

    def start(self) -> None:
        """Show that the work begins."""

    def stop(self) -> None:
        """Remove what is shown."""

    def update(self, done: int, seconds: float, rate: float, detail: str) -> None:
        """Show how many items are done after this number of seconds."""

    def print_above(self, text: str) -> None:
        """Print a line on standard error."""
        click.echo(text, err=True)


class _Log(_Display):
    """A line every minute, for standard error that goes to a file."""

    _next = _LOG_INTERVAL

    def update(self, done: int, seconds: float, rate: float, detail: str) -> None:
        """Print a line if the last one was a minute ago."""
        if seconds < self._next:
            return
        self._next = seconds + _LOG_INTERVAL
        parts = [self._count(done), self._rate(rate)]
        if self._total is not None and rate > 0:
            parts.append(f"about {_duration((self._total - done) / rate)} left")
        click.echo(f"{self._what}: {', '.join([*parts, *([detail] if detail else [])])}", err=True)

    def _count(self, done: int) -> str:
        if self._unit == "bytes":
            return f"{done / 1e6:.1f} MB" + (f" of {self._total / 1e6:.1f} MB" if self._total is not None else "")
        return f"{done} of {self._total}" if self._total is not None else f"{done}"

    def _rate(self, rate: float) -> str:
        return f"{rate / 1e6:.1f} MB/s" if self._unit == "bytes" else f"{_short(rate)} {self._unit}"


class _Bar(_Display):
    """A bar on a terminal."""

    def __init__(self, what: str, total: int | None, done: int, unit: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as RichProgress

        super().__init__(what, total, done, unit)
        in_bytes = unit == "bytes"
        self._rich = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn() if in_bytes else MofNCompleteColumn(),
            TransferSpeedColumn() if in_bytes else TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=Console(file=raw_stderr()),
            transient=True,
        )
        self._task = self._rich.add_task(printable(what), total=total, completed=done, rate="", detail="")

    def start(self) -> None:
        """Show the bar."""
        self._rich.start()

    def stop(self) -> None:
        """Remove the bar."""
        self._rich.stop()

    def update(self, done: int, seconds: float, rate: float, detail: str) -> None:
        """Move the bar."""
        shown = f"{_short(rate)} {self._unit}" if seconds else ""
        self._rich.update(self._task, completed=done, rate=shown, detail=printable(detail))

    def print_above(self, text: str) -> None:
        """Print a line above the bar."""
        self._rich.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def _short(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 0.1 else f"{rate:.1g}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
