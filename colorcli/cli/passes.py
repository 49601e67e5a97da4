"""The part of `colorcli run` that goes over pictures more than once: several colorings, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import click

from colorcli.colorizer import Colorizer, declares
from colorcli.errors import UsageError
from colorcli.jobs import numbered, of_entropy
from colorcli.media import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from colorcli.inference.outcomes import PictureKind
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job
    from colorcli.plugin.registry import Registry

    Command = TypeVar("Command", bound=Callable[..., object])

_OPTIONS = (
    click.option(
        "--samples",
        type=click.IntRange(min=1),
        metavar="N",
        help="Write N plausible colorings of each picture: a-color-1.jpg, a-color-2.jpg, ...",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=0,
        show_default=True,
        help="Which colorings: of the seeds SEED, SEED + 1, ...",
    ),
    click.option(
        "--explain", is_flag=True, help="Also write how unsure the colors are, as a picture: a-color-entropy.png."
    ),
)


def round_options(command: Command) -> Command:
    """Give a command the options that `rounds_of` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Round:
    """Pictures that go along one line.

    Attributes:
        jobs: what to read and where to write.
        pipeline: makes its pipeline from the one that colorizes.
        kind: what its outputs are.
        seed: of a sampled coloring; None for the usual one.
    """

    jobs: list[Job]
    pipeline: Callable[[Pipeline], Pipeline] = field(default=lambda pipeline: pipeline)
    kind: PictureKind = "color"
    seed: int | None = None


def rounds_of(jobs: Sequence[Job], samples: int | None, seed: int, *, explain: bool) -> list[Round]:
    """Plan what is written of pictures: one coloring or several, then how sure they are.

    Raises:
        UsageError: a job is a film, of which there is one coloring.
    """
    films = [job for job in jobs if job.film]
    if films and (samples or explain):
        option = "--samples" if samples else "--explain"
        raise UsageError(f"{shown(films[0].source)} is a film, and {option} is for pictures.", "Give pictures alone.")
    pictures = [job for job in jobs if not job.film]
    rounds = [_of_seed(pictures, number, seed) for number in range(samples)] if samples else [Round(pictures)]
    return [*rounds, _of_entropy(pictures)] if explain else rounds


def _of_seed(jobs: Sequence[Job], number: int, seed: int) -> Round:
    def pipeline(pipeline: Pipeline) -> Pipeline:
        from colorcli.inference.uncertainty import SamplingPipeline

        return SamplingPipeline(pipeline, seed + number)

    return Round([numbered(job, number + 1) for job in jobs], pipeline, seed=seed + number)


def _of_entropy(jobs: Sequence[Job]) -> Round:
    def pipeline(pipeline: Pipeline) -> Pipeline:
        from colorcli.inference.uncertainty import EntropyPipeline

        return EntropyPipeline(pipeline)

    return Round([of_entropy(job) for job in jobs], pipeline, kind="entropy")


def check_declared(registry: Registry, colorizer: Colorizer, *, samples: bool, explain: bool) -> None:
    """Refuse what a colorizer does not declare, and name those that do.

    Raises:
        UsageError: it has no `sample`, or no `explain`.
    """
    for wanted, method, option in ((samples, "sample", "--samples"), (explain, "explain", "--explain")):
        if wanted and not declares(colorizer, method):
            able = [name for name in _names(registry) if declares(registry.get(name), method)]
            raise UsageError(
                f"{option}: the colorizer {colorizer.name} has no `{method}`: it predicts colors, no distribution.",
                f"These have it: {', '.join(able)}." if able else "",
            )


def _names(registry: Registry) -> list[str]:
    return sorted(name for plugin in registry.plugins() if not plugin.errors for name in plugin.colorizers)
