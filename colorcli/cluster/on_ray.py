"""Workers on the machines of a Ray cluster.

One actor for each worker loads the model and gets groups of paths; pictures never pass through Ray. Actors are not
restarted by Ray, which would do so without end for a picture that ends its process: `Schedule` decides.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from colorcli.cluster.schedule import Schedule
from colorcli.cluster.worker import Worker
from colorcli.errors import ClusterError, UsageError
from colorcli.files import shown
from colorcli.inference.outcomes import PictureOutcome
from colorcli.storage import asked_again

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from colorcli.cluster.worker import PictureTask
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job
    from colorcli.media.pictures.metadata import Provenance

_HIRE_SECONDS = 5.0  # between two looks at which machines there are
_STOP_SECONDS = 30.0  # for the pictures that are being worked on when a run is stopped
_MOST_DEATHS = 3  # workers that end while they load the model, one after the other


@dataclass(frozen=True)
class WorkerSize:
    """What a worker takes of a machine.

    Attributes:
        cpus: cores.
        gpus: a share of a GPU, or whole GPUs; 0 for none.
    """

    cpus: int
    gpus: float

    def fit(self, resources: dict[str, float]) -> int:
        """Return how many workers a machine has room for."""
        rooms = [resources.get("CPU", 0) / self.cpus]
        rooms += [resources.get("GPU", 0) / self.gpus] if self.gpus else []
        return int(min(rooms) + 1e-6)


@dataclass(eq=False)
class _Hired:
    """A worker.

    Attributes:
        actor: Ray's handle.
        awaited: what Ray will have next: the loaded model, or outcomes; None for one that waits for work.
        loaded: whether it has the model.
        unreported: the jobs of its group that it has not reported yet.
    """

    actor: Any
    awaited: Any
    loaded: bool = False
    unreported: dict[Job, None] = field(default_factory=dict)


class RayCluster:
    """The workers of a run on a Ray cluster. A context manager: leaving it ends the workers, not the cluster.

    Args:
        address: HOST:PORT of the head of a cluster, on one of whose machines this runs; empty for the one of this
            machine, or else for one that is started here and ends with the run.
        size: of each worker.
        make: loads the model on a worker.
        batch: pictures that go through its network together.
        provenance: what the outputs of this machine's model would record; a worker's must be equal.

    Raises:
        UsageError: on entering, if ray is not installed.
        ClusterError: on entering, if the cluster cannot be reached.
    """

    def __init__(
        self, address: str, size: WorkerSize, make: Callable[[], Pipeline], batch: int, provenance: Provenance
    ) -> None:
        self._address = address
        self._size = size
        self._make = make
        self._batch = batch
        self._provenance = provenance
        self._hired: list[_Hired] = []
        self._looked = 0.0
        self._deaths = 0

    def __enter__(self) -> Self:
        self._ray = _start(self._address)
        self._capacity = self._count_room()
        if not self._capacity:
            self._ray.shutdown()
            gpus = f" and {self._size.gpus:g} GPUs" if self._size.gpus else ""
            raise ClusterError(
                f"No machine of the cluster has the {self._size.cpus} CPUs{gpus} that a worker takes.",
                "Change --cpus-per-worker or --gpus-per-worker.",
            )
        return self

    def __exit__(self, *_: object) -> None:
        busy = [each.awaited for each in self._hired if each.unreported]
        with contextlib.suppress(self._ray.exceptions.RayError):
            stopping = [each.actor.stop.remote() for each in self._hired if each.unreported]
            self._ray.wait(stopping, num_returns=len(stopping), timeout=_STOP_SECONDS) if stopping else None
            until = time.monotonic() + _STOP_SECONDS
            while busy and time.monotonic() < until:
                ready, busy = self._ray.wait(busy, timeout=1.0, fetch_local=False)
                busy += [each for each in ready if _goes_on(each)]
        for each in self._hired:
            self._ray.kill(each.actor)
        self._ray.shutdown()

    def colorize_files(self, jobs: Sequence[Job], task: PictureTask) -> Generator[PictureOutcome]:
        """Colorize pictures on all workers, and yield what became of each, in the order in which they are done.

        Each job is reported once. One whose worker ends is done again by another; one that ends two workers has
        failed.

        Args:
            jobs: what to read and where to write, which all machines must be able to.
            task: what to do with them.

        Raises:
            ColorcliError: a worker cannot load the model.
            ClusterError: workers end again and again before they have loaded it.
        """
        began = int(time.time())
        schedule = Schedule(jobs, self._capacity, self._batch)
        task_for_all = self._ray.put(task)
        while schedule or any(each.unreported for each in self._hired):
            self._hire(schedule.groups)
            for each in self._hired:
                if each.loaded and each.awaited is None and (group := schedule.take()):
                    each.unreported = dict.fromkeys(group)
                    given = [_asked_again(job) if schedule.is_again(job) else job for job in group]
                    each.awaited = each.actor.colorize.options(num_returns="streaming").remote(given, task_for_all)
            for each in self._next_ready():
                for outcome in self._received(each, schedule):
                    made_now = outcome.done_before and schedule.is_again(outcome.job) and _is_newer(outcome, began)
                    yield replace(outcome, done_before=False) if made_now else outcome

    def _next_ready(self) -> list[_Hired]:
        waited = {each.awaited: each for each in self._hired if each.awaited is not None}
        ready, _ = self._ray.wait([*waited], num_returns=1, timeout=_HIRE_SECONDS, fetch_local=False)
        return [waited[each] for each in ready]

    def _received(self, worker: _Hired, schedule: Schedule) -> Iterator[PictureOutcome]:
        """Take what a worker has ready: outcomes, the end of its group, or its own end."""
        exceptions = self._ray.exceptions
        try:
            if not worker.loaded:
                self._check(self._ray.get(worker.awaited))
                worker.loaded, worker.awaited, self._deaths = True, None, 0
                return
            outcomes = self._ray.get(next(worker.awaited))
        except StopIteration:
            worker.awaited, left, worker.unreported = None, list(worker.unreported), {}
            schedule.machine_lost(left)
            return
        except exceptions.RayTaskError as error:
            raise error.cause from None
        except exceptions.RayError as error:
            yield from self._ended(worker, schedule, error)
            return
        for outcome in outcomes:
            if worker.unreported.pop(outcome.job, self) is None:
                yield outcome

    def _check(self, provenance: Provenance) -> None:
        if provenance != self._provenance:
            raise ClusterError(
                "A worker has other weights, or another version of colorcli or of a plugin.",
                "Install the same versions on every machine, and pull the weights there: colorcli weights pull",
            )

    def _ended(self, worker: _Hired, schedule: Schedule, error: Exception) -> Iterator[PictureOutcome]:
        """Dismiss a worker that ended, and report the jobs that are given up."""
        exceptions = self._ray.exceptions
        self._hired.remove(worker)
        self._looked = 0.0
        with contextlib.suppress(exceptions.RayError):
            self._ray.kill(worker.actor)  # one that cannot be reached may still run
        reason = _reason(error)
        if not worker.loaded:
            self._deaths += 1
            if self._deaths >= _MOST_DEATHS:
                raise ClusterError(
                    f"Workers end while they load the model: {reason}.",
                    "A worker may need more memory than a machine has; raise --cpus-per-worker.",
                )
            return
        if isinstance(error, exceptions.ActorUnavailableError) or "node" in reason:
            given_up = schedule.machine_lost(worker.unreported)
        else:
            given_up = schedule.worker_ended(worker.unreported)
        for job in given_up:
            problem = ClusterError(
                f"{shown(job.source)}: two workers ended while they worked on it; the last one because {reason}.",
                "Colorize it alone, on one machine, to see why.",
            )
            yield PictureOutcome(job, error=problem)

    def _hire(self, groups: int) -> None:
        """Start as many workers as the machines have room for and there is work for."""
        if self._looked and time.monotonic() - self._looked < _HIRE_SECONDS:
            return
        self._looked = time.monotonic()
        self._capacity = max(1, self._count_room())
        busy = sum(bool(each.unreported) for each in self._hired)
        wanted = min(self._capacity, busy + groups)
        actor = self._ray.remote(Worker).options(
            num_cpus=self._size.cpus,
            num_gpus=self._size.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=2,  # one group, and `stop`
            scheduling_strategy="SPREAD",
        )
        for _ in range(wanted - len(self._hired)):
            handle = actor.remote(os.getcwd())  # noqa: PTH109
            self._hired.append(_Hired(handle, handle.load.remote(self._make)))

    def _count_room(self) -> int:
        return sum(self._size.fit(node["Resources"]) for node in self._ray.nodes() if node["Alive"])


def _start(address: str) -> Any:
    """Connect to a cluster, or start one on this machine.

    Raises:
        UsageError: ray is not installed.
        ClusterError: the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unless the user says so
    try:
        import ray
        from ray._private import worker
    except ImportError as error:
        raise UsageError(
            "--on ray needs the package ray, which is not installed.", 'Install it with: pip install "colorcli[ray]"'
        ) from error
    worker.print_to_stdstream = lambda *_, **__: None  # it prints about every end of a worker to standard output
    with _own_signals():
        try:
            ray.init(address or None, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            reason = " ".join(str(error).split("\n")[0].split()).rstrip(".")
            raise ClusterError(
                f"The Ray cluster {address or 'of this machine'} cannot be reached: {reason}.",
                "Run the command on a machine of the cluster, with the address that `ray start --head` printed.",
            ) from error
    return ray


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this program's handling of signals, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _goes_on(outcomes: Any) -> bool:
    """Drop the next outcomes of a worker that is to stop; return whether there may be more."""
    try:
        next(outcomes)
    except StopIteration:
        return False
    return True


def _asked_again(job: Job) -> Job:
    return replace(job, target=asked_again(job.target))


def _is_newer(outcome: PictureOutcome, began: int) -> bool:
    """Return whether an output was written since the run began, by a worker that ended before it could say so."""
    with contextlib.suppress(OSError):
        return asked_again(outcome.output).stat().st_mtime >= began
    return False


def _reason(error: Exception) -> str:
    """Return why a worker ended, in a few words of Ray's."""
    text = " ".join(str(error).split())
    for sign, words in (
        ("memory pressure", "its machine ran out of memory"),
        ("node has died", "its node was lost"),
        ("node died", "its node was lost"),
        ("unavailable", "its node was lost"),
    ):
        if sign in text:
            return words
    return "its process crashed or was killed"
