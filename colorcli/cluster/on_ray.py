"""Workers on the machines of a Ray cluster.

One actor for each worker loads the model and gets groups of paths; pictures never pass through Ray. Ray does not
restart actors: it would do so endlessly for a picture that ends its process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from colorcli.cluster.schedule import MAX_FAILED_STARTS
from colorcli.cluster.worker import Worker
from colorcli.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from colorcli.cluster.worker import LoadedModel
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.pictures.metadata import Provenance

_LOOK_SECONDS = 5.0  # between two looks at which machines there are
_STOP_SECONDS = 30.0  # for the pictures that are being worked on when a run is stopped
_FOR_WORKERS = ("OMP_WAIT_POLICY",)  # environment variables that workers get, too


@dataclass(frozen=True)
class WorkerSize:
    """The resources of a machine that a worker takes.

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
class WorkerHandle:
    """A worker.

    Attributes:
        actor: Ray's handle.
        pending: result that Ray will return next, such as the loaded model; None while the worker waits for work.
        loaded: whether it has the model.
        at_once: pictures that keep it busy.
        work: work that it was assigned, for the caller to recognize; None for nothing.
    """

    actor: Any
    pending: Any
    loaded: bool = False
    at_once: int = 1
    work: Any = None


class WorkerEnded(Exception):
    """A worker has exited.

    Attributes:
        reason: a phrase.
        machine_lost: whether its machine cannot be reached, so that its work is not to blame.
    """

    def __init__(self, reason: str, *, machine_lost: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.machine_lost = machine_lost


class RayCluster:
    """The workers of a run on a Ray cluster. A context manager: leaving it ends the workers, not the cluster.

    Args:
        address: HOST:PORT of the head of a cluster, on one of whose machines this runs; empty for the one of this
            machine, or else for one that is started here and ends with the run.
        size: resources of each worker.
        make: loads the model on a worker.
        provenance: the provenance that outputs of this machine's model would record; a worker's must be equal.

    Raises:
        UsageError: ray is not installed; raised on entering.
        ClusterError: the cluster cannot be reached; raised on entering.
    """

    def __init__(self, address: str, size: WorkerSize, make: Callable[[], Pipeline], provenance: Provenance) -> None:
        self._address = address
        self._size = size
        self._make = make
        self._provenance = provenance
        self._workers: list[WorkerHandle] = []
        self._looked = 0.0
        self._failed_starts = 0

    def __enter__(self) -> Self:
        self._ray = _start(self._address)
        self._room = self._count_room()
        if not self._room:
            self._ray.shutdown()
            gpus = f" and {self._size.gpus:g} GPUs" if self._size.gpus else ""
            raise ClusterError(
                f"No machine of the cluster has the {self._size.cpus} CPUs{gpus} that a worker needs.",
                "Change --cpus-per-worker or --gpus-per-worker.",
            )
        return self

    def __exit__(self, *_: object) -> None:
        busy = [each for each in self._workers if each.loaded and each.pending is not None]
        with contextlib.suppress(self._ray.exceptions.RayError):
            for each in busy:
                each.actor.stop.remote()
            pending, until = [each.pending for each in busy], time.monotonic() + _STOP_SECONDS
            while pending and time.monotonic() < until:
                ready, pending = self._ray.wait(pending, timeout=1.0, fetch_local=False)
                pending += [each for each in ready if _continues(each)]
        for each in self._workers:
            self._ray.kill(each.actor)
        self._ray.shutdown()

    @property
    def room(self) -> int:
        """How many workers the machines have room for."""
        return self._room

    @property
    def has_work(self) -> bool:
        """Whether a worker has work."""
        return any(each.work is not None for each in self._workers)

    @property
    def idle(self) -> list[WorkerHandle]:
        """The workers that wait for work."""
        return [each for each in self._workers if each.loaded and each.pending is None]

    def store(self, value: object) -> Any:
        """Store a value in Ray that many workers will get."""
        return self._ray.put(value)

    def start_workers(self, waiting: int) -> None:
        """Start as many workers as the machines have room for and there is work for; look at most every few seconds.

        Args:
            waiting: pieces of work that no worker has yet.
        """
        if self._looked and time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        self._room = max(1, self._count_room())
        busy = sum(each.work is not None for each in self._workers)
        actor = self._ray.remote(Worker).options(
            num_cpus=self._size.cpus,
            num_gpus=self._size.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=2,  # its work, and `stop`
            scheduling_strategy="SPREAD",
        )
        for _ in range(min(self._room, busy + waiting) - len(self._workers)):
            handle = actor.remote(os.getcwd())  # noqa: PTH109
            self._workers.append(WorkerHandle(handle, handle.load.remote(self._make)))

    def assign(self, worker: WorkerHandle, work: object, method: str, *values: object, several: bool = False) -> None:
        """Assign work to a worker.

        Args:
            worker: a worker that is waiting for work.
            work: any object, which the caller finds in `WorkerHandle.work` until the worker waits again.
            method: name of a method of `Worker`.
            values: its arguments.
            several: whether it yields several values.
        """
        called = getattr(worker.actor, method)
        worker.work = work
        worker.pending = (called.options(num_returns="streaming") if several else called).remote(*values)

    def ready(self) -> list[WorkerHandle]:
        """Wait a few seconds for workers that have something to receive.

        Raises:
            ColorcliError: a worker cannot load the model.
            ClusterError: workers end again and again while they load it.
        """
        waited = {each.pending: each for each in self._workers if each.pending is not None}
        if not waited:
            return []
        ready, _ = self._ray.wait([*waited], num_returns=1, timeout=_LOOK_SECONDS, fetch_local=False)
        found = [waited[each] for each in ready]
        for each in [each for each in found if not each.loaded]:
            self._finish_loading(each)
        return [each for each in found if each.work is not None]

    def receive(self, worker: WorkerHandle) -> Any:
        """Return what a worker has ready: the next value; None at the end of several, when it waits for work again.

        Raises:
            WorkerEnded: instead; its work is still in `WorkerHandle.work`.
            ColorcliError: the worker raised it.
        """
        exceptions = self._ray.exceptions
        try:
            if isinstance(worker.pending, self._ray.ObjectRefGenerator):
                return self._ray.get(next(worker.pending))
            value, worker.pending, worker.work = self._ray.get(worker.pending), None, None
        except StopIteration:
            worker.pending = worker.work = None
            return None
        except exceptions.RayTaskError as error:
            worker.pending = worker.work = None
            raise self._cause(error) from None
        except exceptions.RayError as error:
            self._remove(worker)
            reason = _reason(error)
            lost = isinstance(error, exceptions.ActorUnavailableError) or "node" in reason
            raise WorkerEnded(reason, machine_lost=lost) from None
        return value

    def _finish_loading(self, worker: WorkerHandle) -> None:
        try:
            model: LoadedModel = self._ray.get(worker.pending)
        except self._ray.exceptions.RayTaskError as error:
            raise self._cause(error) from None
        except self._ray.exceptions.RayError as error:
            self._remove(worker)
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                raise ClusterError(
                    f"Workers end while they load the model: {_reason(error)}.",
                    "A worker may need more memory than a machine has; raise --cpus-per-worker.",
                ) from None
            return
        if model.provenance != self._provenance:
            raise ClusterError(
                "A worker has other weights, or another version of colorcli or of a plugin.",
                "Install the same versions on every machine, and pull the weights there: colorcli weights pull",
            )
        worker.loaded, worker.at_once, worker.pending, self._failed_starts = True, model.at_once, None, 0

    def _cause(self, error: Any) -> Exception:
        """Return what a worker raised, if this process can read it."""
        cause: Exception = error.cause
        if not isinstance(cause, self._ray.exceptions.RayError):
            return cause
        return ClusterError(
            f"A worker cannot read what it was sent: {' '.join(str(cause).split())[:200]}.",
            "Install the same versions of colorcli and its plugins on every machine.",
        )

    def _remove(self, worker: WorkerHandle) -> None:
        self._workers.remove(worker)
        self._looked = 0.0  # another may be started at once
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(worker.actor)  # one that cannot be reached may still run

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
            "--on ray needs the package ray, which is not installed.", 'Install it: pip install "colorcli[ray]"'
        ) from error
    worker.print_to_stdstream = lambda *_, **__: None  # it would print to standard output every time a worker ends
    with _own_signals():
        try:
            ray.init(
                address or None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False,
                runtime_env={"env_vars": {name: os.environ[name] for name in _FOR_WORKERS if name in os.environ}},
            )
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


def _continues(pending: Any) -> bool:
    """Drop the results of a worker that must stop; return whether it may have more."""
    try:
        next(pending)
    except (StopIteration, TypeError):  # or a single value
        return False
    return True


def _reason(error: Exception) -> str:
    """Return why a worker ended, in a few words of Ray's."""
    text = " ".join(str(error).split())
    for sign, words in (
        ("No module named", "colorcli, or something that it needs, is not installed there"),
        ("memory pressure", "its machine ran out of memory"),
        ("node has died", "its node was lost"),
        ("node died", "its node was lost"),
        ("unavailable", "its node was lost"),
    ):
        if sign in text:
            return words
    return "its process crashed or was killed"
