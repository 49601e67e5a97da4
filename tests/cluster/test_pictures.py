"""What is reported of pictures whose workers end; `test_on_ray.py` runs real ones."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from colorcli.cluster.on_ray import WorkerEnded
from colorcli.cluster.pictures import colorize_files
from colorcli.jobs import Job


class EndingCluster:
    """A cluster with one worker, which ends whenever it has work."""

    room = 1

    def __init__(self, *, machine_lost):
        self.worker = SimpleNamespace(work=None, at_once=1)
        self.machine_lost = machine_lost

    @property
    def has_work(self):
        return self.worker.work is not None

    @property
    def idle(self):
        return [] if self.has_work else [self.worker]

    def store(self, value):
        return value

    def start_workers(self, waiting):
        pass

    def assign(self, worker, work, method, *values, several):
        worker.work = work

    def ready(self):
        return [self.worker] if self.has_work else []

    def receive(self, worker):
        worker.work = None
        raise WorkerEnded("it was unplugged", machine_lost=self.machine_lost)


@pytest.mark.parametrize(("machine_lost", "what"), [(False, "2 workers ended"), (True, "5 machines were lost")])
def test_an_error_says_how_many_workers_or_machines_a_picture_has_taken(machine_lost, what):
    jobs = [Job(Path("a.jpg"), Path("a-color.jpg"), "a.jpg")]
    (outcome,) = colorize_files(EndingCluster(machine_lost=machine_lost), jobs, task=None)
    assert outcome.error.message == (f"a.jpg: {what} while they worked on it; the last one because it was unplugged.")
