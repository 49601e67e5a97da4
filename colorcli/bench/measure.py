"""The measuring process, `python -m colorcli.bench.measure`: it answers its parent in lines of JSON."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from fractions import Fraction
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from colorcli.bench import comparisons
from colorcli.bench.speed import Facts, RoundTimings, Setting
from colorcli.errors import ColorcliError, UsageError
from colorcli.film.colorize import FilmSettings, colorize_film
from colorcli.inference.batch import colorize_files, count_workers, group_size
from colorcli.inference.device import cpu_capabilities
from colorcli.inference.loading import load
from colorcli.inference.pipeline import Pipeline
from colorcli.inference.stopwatch import Stopwatch
from colorcli.jobs import plan
from colorcli.media.pictures.files import open_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.jobs import Job

_EVERY_FRAME = FilmSettings()
_INSTRUCTIONS = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16")  # instruction sets that affect the speed of networks


class Measurement:
    """A pipeline, and the pictures or films to measure it with.

    Args:
        setting: setting of the pipeline.
        source: pictures or films.
        output: a folder for the outputs.

    Raises:
        ColorcliError: the model is not available, or there are no pictures or films.
    """

    def __init__(self, setting: Setting, source: Path, output: Path) -> None:
        self._setting = setting
        self._output = output
        planned = plan([source], output)
        for _, problem in planned.problems:
            raise problem
        self._jobs = planned.jobs
        films = {job.film for job in self._jobs}
        if len(films) != 1:
            found = "both" if films else "neither"
            raise UsageError(f"{source} must contain either pictures or films, got {found}.", "Choose one of the two.")
        self._films = films == {True}
        self._pipeline = self._load()

    def _load(self, **changed: str) -> Pipeline:
        given = asdict(self._setting) | changed
        given.pop("way")
        pairs, batch_size = given.pop("pairs"), given.pop("batch_size")
        model = load(given.pop("name"), **given)
        return Pipeline(model, options=model.read_options(pairs), batch_size=batch_size)

    @property
    def note(self) -> str:
        """What the model says about its weights."""
        return self._pipeline.model.note

    def first(self) -> None:
        """Colorize the first picture, or the first second of the first film."""
        if self._setting.way == "colorcli":
            self._run(self._pipeline, self._jobs[:1], FilmSettings(end=Fraction(1)))
        else:
            self._compared(self._jobs[:1])

    def round(self) -> RoundTimings:
        """Measure once."""
        began = time.perf_counter()
        if self._setting.way != "colorcli":
            count = self._compared(self._jobs)
            whole = time.perf_counter() - began
            return RoundTimings(whole=whole, alone=0, stages={}, workers=1, timed=whole, count=count)
        count = self._run(self._pipeline, self._jobs)
        whole = time.perf_counter() - began
        watch = Stopwatch(_settle(self._pipeline))
        pipeline = Pipeline(
            self._pipeline.model, options=self._pipeline.options, batch_size=self._pipeline.batch_size, stopwatch=watch
        )
        began = time.perf_counter()
        self._run(pipeline, self._jobs)
        timed = time.perf_counter() - began
        workers = count_workers(self._pipeline, count)
        rest = workers * timed - sum(watch.seconds.values())
        stages = {**watch.seconds, "other" if self._films else "wait": rest}
        return RoundTimings(
            whole=whole, alone=self._alone(count), stages=stages, workers=workers, timed=timed, count=count
        )

    def _run(self, pipeline: Pipeline, jobs: list[Job], settings: FilmSettings = _EVERY_FRAME) -> int:
        """Colorize as `colorcli run` does, and return the number of pictures or frames."""
        if not self._films:
            for picture in colorize_files(pipeline, jobs, overwrite=True):
                if picture.error:
                    raise picture.error
            return len(jobs)
        frames = 0
        for job in jobs:
            film = colorize_film(pipeline, job, settings, overwrite=True)
            if film.error:
                raise film.error
            assert film.figures is not None
            frames += film.figures.frames
        return frames

    def _compared(self, jobs: list[Job]) -> int:
        """Do what a demo or the floor does, and return the number of pictures or frames."""
        shutil.rmtree(self._output, ignore_errors=True)
        if self._setting.way == "demo":
            demo = comparisons.demo_films if self._films else comparisons.demo_pictures
            return demo(self._pipeline.model, jobs, self._side())
        return self._floor.films(jobs) if self._films else self._floor.pictures(jobs)

    @cached_property
    def _floor(self) -> comparisons.Floor:
        return comparisons.Floor(self._pipeline, self._side())

    def _alone(self, count: int) -> float:
        """Time the network alone for a number of pictures, in as many threads as there are workers."""
        workers, size = count_workers(self._pipeline, count), group_size(self._pipeline, count)
        lightness = torch.full((size, 1, *self._side()), 50.0).to(self._pipeline.model.device.device)
        passes = -(-count // size)
        threads = max(1, torch.get_num_threads() // workers)
        settle = _settle(self._pipeline)

        def ask(_: int) -> None:
            self._pipeline.predict_lightness(lightness)
            settle()

        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
            began = time.perf_counter()
            list(pool.map(ask, range(passes)))
            return (time.perf_counter() - began) * count / (passes * size)

    def _side(self) -> tuple[int, int]:
        """Return the height and width of the network's input: its own size, or that of the first picture."""
        if size := self._pipeline.model.size:
            return size, size
        width, height = (256, 256) if self._films else self._sizes()[0]
        return height, width

    def _sizes(self) -> list[list[int]]:
        """Return the sizes of the pictures; none for films."""
        return [] if self._films else [list(open_picture(job.source).size) for job in self._jobs]

    def facts(self) -> Facts:
        """Collect facts about the model and the machine."""
        memory, device = _peak_memory(), self._pipeline.model.device.device
        on_cuda = device.type == "cuda"
        capabilities = cpu_capabilities()
        packages = ["colorcli", "torch", *(["openvino"] if self._setting.engine == "openvino" else [])]
        return Facts(
            model=self._pipeline.model.name,
            device=str(self._pipeline.model.device),
            batch_size=self._pipeline.batch_size,
            size=self._pipeline.model.size,
            flops=self._flops(),
            memory=memory,
            device_memory=torch.cuda.max_memory_allocated(device) if on_cuda else None,
            sizes=self._sizes(),
            threads=torch.get_num_threads(),
            cpu=_cpu(),
            instructions=[name for name in _INSTRUCTIONS if capabilities.get(name, False)],
            gpu=torch.cuda.get_device_name(device) if on_cuda else None,
            versions={"python": platform.python_version(), **{name: version(name) for name in packages}},
        )

    def _flops(self) -> int:
        """Count the floating-point operations for one picture in torch; an addition counts as one."""
        from torch.utils.flop_counter import FlopCounterMode

        pipeline = self._load(device="cpu", precision="fp32", engine="torch")
        with FlopCounterMode(display=False) as counter:  # does not count packed convolutions, which fp32 does not have
            pipeline.predict_lightness(torch.full((1, 1, *self._side()), 50.0))
        return int(counter.get_total_flops())


def _settle(pipeline: Pipeline) -> Callable[[], None]:
    """Return a function that waits until the device has finished its work; on a CPU it does nothing."""
    return {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}.get(
        pipeline.model.device.device.type, lambda: None
    )


def _peak_memory() -> int | None:
    """Return the peak memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where rusage includes the parent's memory before the fork
        return int(status.read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) * 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Answer the parent's requests, one per line."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keep the output of libraries apart from the answers

    def answer(**found: Any) -> None:
        print(json.dumps(found), file=answers, flush=True)

    try:
        asked = json.loads(sys.stdin.readline())
        measurement = Measurement(Setting(**asked["setting"]), Path(asked["source"]), Path(asked["output"]))
        measurement.first()
        answer(note=measurement.note)
        while word := sys.stdin.readline().strip():
            answer(**(measurement.round() if word == "round" else measurement.facts()))
    except ColorcliError as error:
        answer(error=type(error).__name__, message=error.message, hint=error.hint)
    except KeyboardInterrupt:
        pass  # the parent reports it


if __name__ == "__main__":
    main()
