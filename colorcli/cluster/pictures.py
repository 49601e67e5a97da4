"""Pictures on the workers of a cluster."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from colorcli.cluster.on_ray import WorkerEnded
from colorcli.cluster.schedule import MAX_ATTEMPTS, MAX_LOST_MACHINES, Schedule
from colorcli.errors import ClusterError
from colorcli.files import shown
from colorcli.inference.outcomes import PictureOutcome
from colorcli.storage import refreshed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from colorcli.cluster.on_ray import RayCluster, WorkerHandle
    from colorcli.cluster.worker import PictureTask
    from colorcli.jobs import Job


def colorize_files(cluster: RayCluster, jobs: Sequence[Job], task: PictureTask) -> Generator[PictureOutcome]:
    """Colorize pictures on all workers, and yield what became of each, in the order in which they are done.

    Each job is reported once. One whose worker ends is done again by another; one that ends two workers has failed.

    Args:
        cluster: cluster that shares the work.
        jobs: what to read and where to write; all machines must have access to both.
        task: what to do with them.

    Raises:
        ColorcliError: a worker cannot load the model.
    """
    began = int(time.time())
    schedule = Schedule(jobs, cluster.room)
    task_for_all = cluster.store(task)
    while schedule or cluster.has_work:
        cluster.start_workers(schedule.groups)
        for worker in cluster.idle:
            if group := schedule.take(worker.at_once):
                given = [_refreshed(job) if schedule.is_retry(job) else job for job in group]
                cluster.assign(worker, deque(group), "colorize", given, task_for_all, several=True)
        for worker in cluster.ready():
            for outcome in _received(cluster, worker, schedule):
                made_now = outcome.done_before and schedule.is_retry(outcome.job) and _is_newer(outcome, began)
                yield replace(outcome, done_before=False) if made_now else outcome


def _received(cluster: RayCluster, worker: WorkerHandle, schedule: Schedule) -> Iterator[PictureOutcome]:
    """Take what a worker has ready: outcomes, the end of its group, or its own end."""
    unreported: deque[Job] = worker.work  # workers report in order
    try:
        outcomes = cluster.receive(worker)
    except WorkerEnded as end:
        if end.machine_lost:
            given_up, what = schedule.machine_lost(unreported), f"{MAX_LOST_MACHINES} machines were lost"
        else:
            given_up, what = schedule.worker_ended(unreported), f"{MAX_ATTEMPTS} workers ended"
        for job in given_up:
            problem = ClusterError(
                f"{shown(job.source)}: {what} while they worked on it; the last one because {end.reason}.",
                "Colorize it alone, on one machine, to see why.",
            )
            yield PictureOutcome(job, error=problem)
        return
    for outcome in outcomes or ():
        unreported.popleft()
        yield outcome
    if outcomes is None:  # nothing is left, unless the worker was asked to stop
        schedule.machine_lost(unreported)


def _refreshed(job: Job) -> Job:
    return replace(job, target=refreshed(job.target))


def _is_newer(outcome: PictureOutcome, began: int) -> bool:
    """Return whether an output was written since the run began, by a worker that ended before it could say so."""
    with contextlib.suppress(OSError):
        return refreshed(outcome.output).stat().st_mtime >= began
    return False
