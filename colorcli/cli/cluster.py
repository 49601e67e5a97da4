"""`--on`: the machines of a cluster that share the work of `colorcli run`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from colorcli.cli.option_groups import option_group
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.cli.pipelines import PipelineMaker
    from colorcli.cluster.on_ray import RayCluster
    from colorcli.inference.pipeline import Pipeline

_CPUS_WITH_GPU = 4  # a worker with a GPU works on as many pictures at a time
_BATCH_ON_GPU = 16


def _address(text: str) -> str:
    """Check `ray` or `ray://HOST:PORT`."""
    if not re.fullmatch(r"ray(://[^\s/:]+:\d{1,5}/?)?", text):
        raise click.BadParameter(f"must be ray or ray://HOST:PORT, such as ray://10.0.0.5:6379; got {text!r}.")
    return text


@dataclass(frozen=True)
class ClusterOptions:
    """Which cluster does the work, and what a worker takes of a machine."""

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
                    raise UsageError(f"{name} is for a cluster.", "Name one with --on ray, or leave it out.")
        elif maker.model.device.startswith("cuda") and not self.gpus_per_worker:
            raise UsageError(
                f"--device {maker.model.device} needs workers with a GPU.", "Give them one with --gpus-per-worker 1."
            )

    def local(self, maker: PipelineMaker) -> PipelineMaker:
        """Return what loads the model on this machine, which colorizes nothing itself if a cluster does."""
        if self.on is None:
            return maker
        return maker.on(replace(maker.model, device="cpu", precision="auto", engine="torch"))

    def cluster(self, maker: PipelineMaker, pipeline: Pipeline) -> RayCluster:
        """Return the cluster, whose workers start when it is entered.

        Args:
            maker: of the workers' pipelines.
            pipeline: the one on this machine.
        """
        from colorcli.cluster.on_ray import RayCluster, WorkerSize

        assert self.on is not None
        model = replace(maker.model, accept_license=False)
        if model.device == "auto" and not self.gpus_per_worker:
            model = replace(model, device="cpu")
        cpus = self.cpus_per_worker or (_CPUS_WITH_GPU if self.gpus_per_worker else 1)
        address = self.on.removeprefix("ray").removeprefix("://").rstrip("/")
        size = WorkerSize(cpus, self.gpus_per_worker)
        batch = maker.batch_size or (_BATCH_ON_GPU if self.gpus_per_worker else 1)
        return RayCluster(address, size, maker.on(model), batch, pipeline.provenance)


cluster_options = option_group(
    "cluster_options",
    ClusterOptions,
    [
        click.option(
            "--on",
            type=_address,
            metavar="ray[://HOST:PORT]",
            help="Share the work among the machines of a Ray cluster (an extra); ray alone: the one of this machine.",
        ),
        click.option(
            "--gpus-per-worker",
            type=click.FloatRange(min=0),
            default=0.0,
            metavar="GPUS",
            help="With --on: what each worker takes, such as 1, or 0.25 for four workers on a GPU. [default: 0]",
        ),
        click.option(
            "--cpus-per-worker",
            type=click.IntRange(min=1),
            metavar="CPUS",
            help="With --on: the cores that each worker takes. [default: 1; with a GPU: 4]",
        ),
    ],
)
