"""Which jobs a worker gets next, and how often those of a worker that ends are tried again. Independent of Ray."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from colorcli.jobs import Job

MAX_GROUP = 32
"""Jobs that a worker gets at once: enough that asking for more takes no time, few enough to lose."""

MAX_ATTEMPTS = 2
"""Workers that may end while they work on a picture, before it has failed."""

MAX_FILM_ATTEMPTS = 3
"""Workers that may end while they work on one part of a film, before the film has failed."""

MAX_LOST_MACHINES = 5
"""Machines that may be lost while they work on a picture, before it has failed."""

MAX_FAILED_STARTS = 3
"""Workers that may end while they load the model, one after the other, before the run has failed."""

_GROUPS_PER_WORKER = 4  # at least, so that all workers end at nearly the same time


class Schedule:
    """The jobs of a pass over the pictures, in groups.

    When a worker process ends, one of the jobs that it had not reported is suspected of having ended it. Each of them
    is then done alone, so that the next worker to end is ended by the one job that it has. A job that is alone when a
    second worker ends is given up. When a machine is lost, nothing is suspected, and its jobs are done again as they
    are.

    Args:
        jobs: all jobs.
        workers: approximate number of workers.
    """

    def __init__(self, jobs: Sequence[Job], workers: int) -> None:
        self._jobs = jobs
        self._next = 0
        self._share = -(-len(jobs) // max(1, workers))  # of each worker
        self._size = max(1, min(MAX_GROUP, -(-self._share // _GROUPS_PER_WORKER)))
        self._retries: deque[list[Job]] = deque()
        self._attempts: Counter[Job] = Counter()
        self._lost: Counter[Job] = Counter()

    def __bool__(self) -> bool:
        """Whether jobs wait for a worker."""
        return bool(self._retries) or self._next < len(self._jobs)

    @property
    def groups(self) -> int:
        """The number of groups that wait, or somewhat more: more workers than that are not needed."""
        return len(self._retries) + -(-(len(self._jobs) - self._next) // self._size)

    def take(self, at_once: int = 1) -> list[Job]:
        """Return the next group; empty if none waits. Retries come last, as they may end a worker.

        Args:
            at_once: jobs that the worker does at the same time. Groups are multiples of that, unless other workers
                would then have nothing to do.
        """
        if self._next < len(self._jobs):
            at_once = max(1, min(at_once, self._share))
            size = max(1, self._size // at_once) * at_once
            group = list(self._jobs[self._next : self._next + size])
            self._next += len(group)
            return group
        return self._retries.popleft() if self._retries else []

    def is_retry(self, job: Job) -> bool:
        """Return whether a worker has had the job before and ended."""
        return bool(self._attempts or self._lost) and (job in self._attempts or job in self._lost)

    def worker_ended(self, unreported: Iterable[Job]) -> list[Job]:
        """Retry, one by one, the jobs that a worker had not reported when its process ended.

        Returns:
            Those that are given up, because another worker ended with them before.
        """
        given_up = []
        for job in unreported:
            self._attempts[job] += 1
            if self._attempts[job] >= MAX_ATTEMPTS:
                given_up.append(job)
            else:
                self._retries.append([job])
        return given_up

    def machine_lost(self, unreported: Iterable[Job]) -> list[Job]:
        """Retry the jobs of a worker whose machine cannot be reached.

        Returns:
            Those that are given up, because too many machines were lost with them.
        """
        jobs = list(unreported)
        self._lost.update(jobs)
        given_up = [job for job in jobs if self._lost[job] >= MAX_LOST_MACHINES]
        if retried := [job for job in jobs if self._lost[job] < MAX_LOST_MACHINES]:
            self._retries.append(retried)
        return given_up
