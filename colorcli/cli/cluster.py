"""`--on`: the machines of a cluster that share the work of `colorcli run`."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from colorcli.cli.option_groups import option_group
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from colorcli.cli.pipelines import PipelineMaker
    from colorcli.cluster.on_ray import RayCluster
    from colorcli.cluster.worker import PictureTask
    from colorcli.film.colorize import FilmSettings, OnFrame, OnStart
    from colorcli.film.shot_list import Shot
    from colorcli.inference.outcomes import FilmOutcome, PictureOutcome
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job

_CPUS_WITH_GPU = 4  # a worker with a GPU works on as many pictures at a time


def _address(text: str) -> str:
    """Check `ray` or `ray://HOST:PORT`."""
    if not re.fullmatch(r"ray(://[^\s/:]+:\d{1,5}/?)?", text):
        raise click.BadParameter(f"must be ray or ray://HOST:PORT, such as ray://10.0.0.5:6379; got {text!r}.")
    return text


@dataclass(frozen=True)
class ClusterOptions:
    """Which cluster does the work, and the resources that each worker takes."""

    on: str | None
    gpus_per_worker: float
    cpus_per_worker: int | None

    def check(self, maker: PipelineMaker) -> None:
        """Check the options against each other.

        Raises:
            UsageError: they say nothing without --on, or the device is one that no worker has.
        """
        if self.on is None:
            for name, given in (
                ("--gpus-per-worker", self.gpus_per_worker),
                ("--cpus-per-worker", self.cpus_per_worker),
            ):
                if given:
                    raise UsageError(f"{name} needs a cluster.", f"Choose one with --on ray, or leave out {name}.")
        elif maker.model.device.startswith("cuda") and not self.gpus_per_worker:
            raise UsageError(f"--device {maker.model.device} needs workers with a GPU.", "Add --gpus-per-worker 1.")

    def local(self, maker: PipelineMaker) -> PipelineMaker:
        """Return what loads the model on this machine, which colorizes nothing itself if a cluster does."""
        if self.on is None:
            return maker
        return maker.on(replace(maker.model, device="cpu", precision="auto", engine="torch"))

    @contextlib.contextmanager
    def open(self, maker: PipelineMaker, pipeline: Pipeline) -> Iterator[Cluster | None]:
        """Start the workers, and end them on leaving; None without --on.

        Args:
            maker: maker of the workers' pipelines.
            pipeline: the one on this machine.

        Raises:
            ClusterError: the cluster cannot be reached, or has no machine for such workers.
        """
        if self.on is None:
            yield None
            return
        from colorcli.cluster.on_ray import RayCluster, WorkerSize

        model = replace(maker.model, accept_license=False)
        if model.device == "auto" and not self.gpus_per_worker:
            model = replace(model, device="cpu")
        size = WorkerSize(
            self.cpus_per_worker or (_CPUS_WITH_GPU if self.gpus_per_worker else 1), self.gpus_per_worker
        )
        address = self.on.removeprefix("ray").removeprefix("://").rstrip("/")
        with RayCluster(address, size, maker.on(model), pipeline.provenance) as workers:
            yield Cluster(workers, maker.on(model))


@dataclass(frozen=True)
class Cluster:
    """The workers of a run, with what they need to know of it.

    Attributes:
        workers: workers on the machines of the cluster.
        maker: maker of their pipelines.
    """

    workers: RayCluster
    maker: PipelineMaker

    def colorize_files(self, jobs: Sequence[Job], task: PictureTask) -> Generator[PictureOutcome]:
        """Colorize pictures; see `cluster.pictures.colorize_files`."""
        from colorcli.cluster.pictures import colorize_files

        return colorize_files(self.workers, jobs, task)

    def colorize_film(
        self,
        pipeline: Pipeline,
        job: Job,
        settings: FilmSettings,
        *,
        own_pipelines: Mapping[Shot, Pipeline],
        overwrite: bool,
        reserved: Collection[Path],
        on_start: OnStart,
        on_frame: OnFrame,
    ) -> FilmOutcome:
        """Colorize a film; see `cluster.films.colorize_film`."""
        from colorcli.cluster.films import colorize_film
        from colorcli.cluster.worker import FilmTask

        task = FilmTask(job, settings, self.maker.of_shot, overwrite, frozenset(reserved))
        return colorize_film(self.workers, pipeline, task, own_pipelines, on_start=on_start, on_frame=on_frame)


cluster_options = option_group(
    "cluster_options",
    ClusterOptions,
    [
        click.option(
            "--on",
            type=_address,
            metavar="ray[://HOST:PORT]",
            help="Share the work among the machines of a Ray cluster; ray alone uses the one on this machine.",
        ),
        click.option(
            "--gpus-per-worker",
            type=click.FloatRange(min=0),
            default=0.0,
            metavar="GPUS",
            help="With --on: GPUs per worker, such as 1, or 0.25 for four workers on one GPU. [default: 0]",
        ),
        click.option(
            "--cpus-per-worker",
            type=click.IntRange(min=1),
            metavar="CPUS",
            help="With --on: CPU cores per worker. [default: 1; with a GPU: 4]",
        ),
    ],
)
