"""Measuring processes, one for each setting, that take turns."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from colorcli import errors
from colorcli.bench.speed import Speed
from colorcli.errors import ColorcliError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from colorcli.bench.speed import Round, Setting


def measure(
    settings: Sequence[Setting],
    source: Path,
    output: Path,
    *,
    rounds: int,
    watch: Callable[[], None] = lambda: None,
) -> list[Speed]:
    """Measure settings in turns, after a round that warms up.

    Args:
        settings: what to measure.
        source: pictures or films.
        output: a folder for what becomes of them.
        rounds: how often.
        watch: called after every round of every setting, the one that warms up included.

    Raises:
        ColorcliError: a model cannot be had, a picture cannot be colored, or a process ended.
    """
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(_started(setting, source, output / str(number)))
            for number, setting in enumerate(settings)
        ]
        found: list[list[Round]] = [[] for _ in settings]
        for number in range(rounds + 1):
            for process, its in zip(processes, found, strict=True):
                answer = process.ask("round")
                if number:
                    its.append(answer)
                watch()
        return [
            Speed(process.ask("facts"), its, process.cold_start, process.note)
            for process, its in zip(processes, found, strict=True)
        ]


class _Process:
    """A measuring process that has colored its first picture."""

    def __init__(self, process: subprocess.Popen[str], began: float, request: object) -> None:
        self._process = process
        self.note: str = self.ask(json.dumps(request))["note"]
        self.cold_start = time.perf_counter() - began

    def ask(self, line: str) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):  # it has ended, and may have said why
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise ColorcliError(
                f"The measuring process ended with exit code {self._process.wait()}.",
                "It may have said why above; with a smaller batch it needs less memory.",
            )
        found = json.loads(answer)
        if "error" in found:
            raise getattr(errors, found["error"])(found["message"], found["hint"])
        return found


@contextlib.contextmanager
def _started(setting: Setting, source: Path, output: Path) -> Iterator[_Process]:
    program = [sys.executable, "-m", "colorcli.bench.measure"]
    began = time.perf_counter()
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            request = {"setting": asdict(setting), "source": str(source), "output": str(output)}
            yield _Process(process, began, request)
        finally:
            process.kill()
