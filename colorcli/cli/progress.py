"""How far a long command is, on a terminal; silent where standard error is no terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from types import TracebackType


class Progress:
    """A bar with rate and time left.

    Args:
        what: the verb before the bar.
        total: how many there are to do; None where nobody knows.
        done: how many are done already.
        unit: of the rate.
    """

    def __init__(self, what: str, total: int | None, done: int = 0, unit: str = "pictures/s") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._start = done
        self._unit = unit
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.disable = not self._bar.console.is_terminal
        self._task = self._bar.add_task(what, total=total, completed=done, rate="", detail="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, detail: str = "") -> None:
        """Count one more done."""
        task = self._bar.tasks[self._task]
        done = task.completed + 1 - self._start
        rate = f"{done / task.elapsed:.1f} {self._unit}" if task.elapsed else ""
        self._bar.update(self._task, advance=1, rate=rate, detail=detail)

    def result(self, text: str) -> None:
        """Print a line of results on standard output: above the bar where both are on the terminal."""
        if sys.stdout.isatty() and not self._bar.disable:
            self.note(text)
        else:
            click.echo(text)

    def note(self, text: str) -> None:
        """Print a line on standard error, above the bar."""
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
