"""What a run on a cluster costs and where it breaks: the real scheduler, with a simulated network of a given speed.

`python tests/benchmarks/cluster.py simulate` prints the tables of docs/cluster.md. Time is simulated, and the work of
the scheduler is real. `memory` reports the outcomes of many pictures, as the machine that runs the command does, and
prints how much memory that takes.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import os
import pickle
import random
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from colorcli.cli.outcomes import MessageOptions, OutcomeReporter
from colorcli.cluster.schedule import Schedule
from colorcli.inference.outcomes import PictureOutcome
from colorcli.jobs import Job


@dataclass(frozen=True)
class Cluster:
    """Workers, and what happens to them; times in seconds."""

    workers: int
    per_picture: float
    start: float = 30.0  # time to load the model
    between_losses: float = float("inf")  # seconds between losses of a worker's machine
    deadly: float = 0.0  # share of pictures that end a worker


@dataclass
class Result:
    """Result of a simulated run: hours, pictures colored again or abandoned, and the scheduler's own seconds."""

    hours: float
    again: int
    given_up: int
    scheduler: float


def simulate(pictures: int, cluster: Cluster, seed: int = 0) -> Result:
    """Color pictures with the real scheduler and simulated workers."""
    chance = random.Random(seed)
    began = time.perf_counter()
    schedule = Schedule(range(pictures), cluster.workers)
    deadly_every = round(1 / cluster.deadly) if cluster.deadly else pictures + 1
    events: list[tuple[float, int, list[int], int, bool]] = []  # end, worker, group, number done, whether it was lost

    def next_loss(start: float) -> float:
        never = cluster.between_losses == float("inf")
        return start + (cluster.between_losses if never else chance.expovariate(1 / cluster.between_losses))

    losses = [next_loss(0.0) for _ in range(cluster.workers)]
    waiting: list[tuple[float, int]] = []  # workers without work, and since when
    now, again, given_up, done = 0.0, 0, 0, 0

    def give(start: float, worker: int) -> None:
        group = schedule.take()
        if not group:
            waiting.append((start, worker))
            return
        first = next((place for place, job in enumerate(group) if job % deadly_every == deadly_every - 1), len(group))
        end = start + cluster.per_picture * min(len(group), first + 1)
        if losses[worker] < end:
            finished = max(0, int((losses[worker] - start) / cluster.per_picture))
            heapq.heappush(events, (max(start, losses[worker]), worker, group, finished, True))
        else:
            heapq.heappush(events, (end, worker, group, first, False))

    for worker in range(cluster.workers):
        give(cluster.start, worker)
    while events:
        now, worker, group, finished, lost = heapq.heappop(events)
        done += finished
        free = now
        if finished < len(group):
            unreported = group[finished:]
            failed = schedule.machine_lost(unreported) if lost else schedule.worker_ended(unreported)
            again += len(unreported) - len(failed)
            given_up += len(failed)
            free = now + cluster.start
            if lost:
                losses[worker] = next_loss(free)
        give(free, worker)
        while waiting and schedule:
            since, idle = waiting.pop()
            give(max(since, now), idle)
    assert done + given_up == pictures, "a picture was lost, or done twice"
    return Result(now / 3600, again, given_up, time.perf_counter() - began)


def print_tables(pictures: int) -> None:
    """Print the time of a run by the number of workers and by what goes wrong."""
    print(f"{pictures:,} pictures")
    print("workers  s/picture  lost every  deadly        hours  ideal  done again  given up  scheduler s")
    day = 24 * 3600.0
    for workers, seconds in ((64, 0.5), (256, 0.5)):
        for losses, deadly in ((float("inf"), 0.0), (day, 0.0), (day, 1e-5)):
            found = simulate(pictures, Cluster(workers, seconds, between_losses=losses, deadly=deadly))
            ideal = pictures * seconds / workers / 3600
            often = "never" if losses == float("inf") else f"{losses / 3600:.0f} h"
            print(
                f"{workers:7} {seconds:10} {often:>11} {deadly:7} {found.hours:12.2f} {ideal:6.2f} {found.again:11,}"
                f" {found.given_up:9,} {found.scheduler:12.1f}"
            )


def print_memory(pictures: int) -> None:
    """Print the memory of planning and reporting this number of pictures."""
    root = Path("/data/photographs of the archive")
    before = _megabytes()
    jobs = [
        Job(root / f"{n // 1000:05}" / f"{n:08}.jpg", Path("out") / f"{n // 1000:05}" / f"{n:08}.jpg", f"{n:08}.jpg")
        for n in range(pictures)
    ]
    planned = _megabytes()
    each = (planned - before) / pictures * 1e6
    print(f"planning {pictures:,} pictures: {planned - before:.0f} MB, {each:.0f} bytes each")
    model = SimpleNamespace(colorizer=SimpleNamespace(name="zhang"), tag="starter")
    reporter = OutcomeReporter(SimpleNamespace(model=model), MessageOptions(as_json=True, verbose=False, quiet=True))
    schedule = Schedule(jobs, 64)
    began, reported = time.perf_counter(), 0
    with Path(os.devnull).open("w") as nowhere:  # one for all: click remembers every stream that it has written to
        while schedule:
            with contextlib.redirect_stdout(nowhere):
                for job in pickle.loads(pickle.dumps(schedule.take())):  # as they come back from a worker
                    reporter(PictureOutcome(job, 0.5, notes={"category": "people"}))
                    reported += 1
            if reported % (pictures // 10) < 32:
                print(f"  {reported:,} reported: {_megabytes() - planned:+.1f} MB")
    seconds = time.perf_counter() - began
    print(f"  {seconds / reported * 1e6:.0f} microseconds each, {reported / seconds:,.0f} pictures/s")


def _megabytes() -> float:
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["simulate", "memory"])
    parser.add_argument("--pictures", type=int)
    options = parser.parse_args()
    if options.what == "simulate":
        print_tables(options.pictures or 10_000_000)
    else:
        print_memory(options.pictures or 100_000)


if __name__ == "__main__":
    sys.exit(main())
