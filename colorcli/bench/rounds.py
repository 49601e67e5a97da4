"""One measuring process for each setting; the processes take turns."""

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

    from colorcli.bench.speed import RoundTimings, Setting


def measure(
    settings: Sequence[Setting],
    source: Path,
    output: Path,
    *,
    rounds: int,
    watch: Callable[[], None] = lambda: None,
) -> list[Speed]:
    """Measure settings in turn, after a warm-up round.

    Args:
        settings: settings to measure.
        source: pictures or films.
        output: a folder for the outputs.
        rounds: number of measurements.
        watch: called after every round of every setting, including the warm-up.

    Raises:
        ColorcliError: a model is not available, a picture cannot be colorized, or a process ended unexpectedly.
    """
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(_started(setting, source, output / str(number)))
            for number, setting in enumerate(settings)
        ]
        found: list[list[RoundTimings]] = [[] for _ in settings]
        for number in range(rounds + 1):
            for process, its in zip(processes, found, strict=True):
                answer = process.ask("round")
                if number:
                    its.append(answer)
                watch()
        return [
            Speed(process.ask("facts"), its, process.cold_start, process.note, setting.way)
            for setting, process, its in zip(settings, processes, found, strict=True)
        ]


class _Process:
    """A measuring process that has colorized its first picture."""

    def __init__(self, process: subprocess.Popen[str], began: float, request: object) -> None:
        self._process = process
        self.note: str = self.ask(json.dumps(request))["note"]
        self.cold_start = time.perf_counter() - began

    def ask(self, line: str) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):  # the process has ended; its answer may say why
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise ColorcliError(
                f"The measuring process ended with exit code {self._process.wait()}.",
                "See its messages above. A smaller --batch-size needs less memory.",
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
