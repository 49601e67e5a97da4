"""Films on the workers of a cluster: cut into parts between shots, colored by many workers, and joined by one."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from colorcli.cluster.on_ray import WorkerEnded
from colorcli.cluster.schedule import MAX_FILM_ATTEMPTS
from colorcli.errors import ClusterError
from colorcli.files import shown
from colorcli.film.distributed import ColoredPart, PlannedPart, SharedFilm
from colorcli.film.remote import is_remote
from colorcli.inference.batch import explained
from colorcli.inference.outcomes import FilmOutcome
from colorcli.media.films.probe import probe
from colorcli.media.films.sequences import is_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from colorcli.cluster.on_ray import RayCluster
    from colorcli.cluster.worker import FilmTask
    from colorcli.film.colorize import OnFrame, OnStart
    from colorcli.film.shot_list import Shot
    from colorcli.inference.pipeline import Pipeline


def colorize_film(
    cluster: RayCluster,
    pipeline: Pipeline,
    task: FilmTask,
    own_pipelines: Mapping[Shot, Pipeline],
    *,
    on_start: OnStart,
    on_frame: OnFrame,
) -> FilmOutcome:
    """Colorize a film on all workers, or resume one that was stopped.

    The parts are written beside the output, where all machines must see them. A film in object storage, or one written
    as numbered pictures, is colored by one worker.

    Args:
        cluster: cluster that shares the work.
        pipeline: pipeline of this machine, which only says what the output will record.
        task: the film.
        own_pipelines: as for `film.colorize.colorize_film`.
        on_start: as there.
        on_frame: as there, called for every frame of a part when the part is done.
    """
    began, job = time.perf_counter(), task.job
    try:
        if is_remote(job) or is_pattern(job.target) or is_pattern(job.source):
            return _Work(cluster, task).join()
        film = SharedFilm(pipeline, job, task.settings, own_pipelines)
        if not task.overwrite and (done := film.done_before(job)):
            return done
        on_start(probe(job.source, task.settings.deinterlace, task.settings.frame_rate), 0)
        work = _Work(cluster, task)
        parts = work.color(on_frame)
        outcome = work.join()
        if outcome.error or outcome.figures is None:
            return outcome
        made_before = sum(each.part.frames for each in parts if each.part.made_before)
        seconds = time.perf_counter() - began
        figures = replace(
            outcome.figures,
            made_before=made_before,
            predicted=sum(each.predicted for each in parts),
            shots=sum(each.shots for each in parts),
            fps=round((outcome.figures.frames - made_before) / seconds, 2),
        )
        remarks = dict.fromkeys((*outcome.remarks, *(note for each in parts for note in each.part.notes)))
        return replace(outcome, seconds=seconds, figures=figures, remarks=tuple(remarks))
    except Exception as error:  # one bad film never stops the others
        return FilmOutcome(job, time.perf_counter() - began, error=explained(job, error))


class _Work:
    """The work on a film that is waiting, and that workers have: to find the parts, to color them, to join them."""

    def __init__(self, cluster: RayCluster, task: FilmTask) -> None:
        self._cluster = cluster
        self._name = shown(task.job.source)
        self._task = cluster.store(task)
        self._attempts: Counter[object] = Counter()

    def color(self, on_frame: OnFrame) -> list[ColoredPart]:
        """Let workers find the parts, and color each as soon as it is found."""
        waiting: deque[PlannedPart] = deque()
        known: dict[int, PlannedPart] = {}
        colored: dict[int, ColoredPart] = {}
        planned = planning = False
        frames = shots = 0
        while not planned or len(colored) < len(known):
            self._cluster.start_workers(len(waiting) + 1)
            for worker in self._cluster.idle:
                if not planned and not planning:
                    self._cluster.assign(worker, "plan", "plan_film", self._task, several=True)
                    planning = True
                elif waiting:
                    self._cluster.assign(worker, waiting[0], "color_part", self._task, waiting.popleft())
            for worker in self._cluster.ready():
                work = worker.work
                try:
                    found = self._cluster.receive(worker)
                except WorkerEnded as end:
                    self._count(work, end)
                    planning = planning and work != "plan"
                    waiting.extend([work] if isinstance(work, PlannedPart) else [])
                    continue
                if found is None:
                    planned = True
                elif isinstance(found, PlannedPart) and found.number not in known:
                    known[found.number] = found
                    if found.made_before:
                        colored[found.number] = ColoredPart(found, 0, 0)
                    else:
                        waiting.append(found)
                elif isinstance(found, ColoredPart):
                    colored[found.part.number] = found
                    for _ in range(found.part.frames):
                        frames += 1
                        on_frame(frames, shots)
                    shots += found.shots
        return [colored[number] for number in sorted(colored)]

    def join(self) -> FilmOutcome:
        """Let a worker do what is left: to join the parts, or to color the whole film."""
        outcome: FilmOutcome | None = None
        while outcome is None:
            self._cluster.start_workers(1)
            if self._cluster.idle and not self._cluster.has_work:
                self._cluster.assign(self._cluster.idle[0], "join", "join_film", self._task)
            for worker in self._cluster.ready():
                try:
                    outcome = self._cluster.receive(worker)
                except WorkerEnded as end:
                    self._count("join", end)
        return outcome

    def _count(self, work: object, end: WorkerEnded) -> None:
        self._attempts[work] += 1
        if self._attempts[work] == MAX_FILM_ATTEMPTS:
            raise ClusterError(
                f"{self._name}: {MAX_FILM_ATTEMPTS} workers ended while they worked on the same part of it; "
                f"the last one because {end.reason}.",
                "Colorize it alone, on one machine, to see why.",
            )
