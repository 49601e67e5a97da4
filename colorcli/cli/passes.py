"""The passes that `colorcli run` makes over pictures: one for each coloring, and one for the entropy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from colorcli.cli.option_groups import option_group
from colorcli.errors import UsageError
from colorcli.files import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.colorizer import Colorizer
    from colorcli.inference.outcomes import PictureKind
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job, Plan


@dataclass(frozen=True)
class PassOptions:
    """How many colorings of each picture are written, and whether their entropy is."""

    samples: int | None
    seed: int
    explain: bool


pass_options = option_group(
    "pass_options",
    PassOptions,
    [
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
            help="Seed of the first sample; the next ones use SEED + 1, SEED + 2, ...",
        ),
        click.option(
            "--explain",
            is_flag=True,
            help="Also write a map of how uncertain the colors are: a-color-entropy.png.",
        ),
    ],
)


@dataclass(frozen=True)
class Pass:
    """Pictures that go through one pipeline.

    Attributes:
        jobs: what to read and where to write.
        kind: kind of the outputs.
        seed: seed of sampled colorings; None for the usual one.
    """

    jobs: list[Job]
    kind: PictureKind = "color"
    seed: int | None = None

    def pipeline_of(self, pipeline: Pipeline) -> Pipeline:
        """Derive the pipeline of this pass from the one that colorizes."""
        from colorcli.inference.uncertainty import EntropyPipeline, SamplingPipeline

        if self.kind == "entropy":
            return EntropyPipeline(pipeline)
        return pipeline if self.seed is None else SamplingPipeline(pipeline, self.seed)


def plan_passes(planned: Plan, options: PassOptions) -> list[Pass]:
    """Plan the passes over pictures: one coloring or several, then the entropy.

    Outputs of different pictures that would have one name become problems of the plan.

    Raises:
        UsageError: a job is a film, which has one coloring.
    """
    from colorcli.jobs import numbered, of_entropy, passes_without_clashes

    films = planned.films
    if films and (options.samples or options.explain):
        option = "--samples" if options.samples else "--explain"
        raise UsageError(
            f"{option} is for pictures, but {shown(films[0].source)} is a film.", "Use it with pictures only."
        )
    pictures = [job for job in planned.jobs if not job.film]
    passes = [
        Pass([numbered(job, number + 1) for job in pictures], seed=options.seed + number)
        for number in range(options.samples or 0)
    ] or [Pass(pictures)]
    if options.explain:
        passes.append(Pass([of_entropy(job) for job in pictures], kind="entropy"))
    wanted = passes_without_clashes([each.jobs for each in passes], planned)
    return [replace(each, jobs=jobs) for each, jobs in zip(passes, wanted, strict=True)]


def check_capabilities(members: Sequence[Colorizer], options: PassOptions) -> None:
    """Refuse options that need a method which the colorizer does not implement, and name colorizers that do.

    Args:
        members: the colorizer, or those of a mixture.
        options: options of the run.

    Raises:
        UsageError: it has no `sample`, or no `explain`, which mixtures never have.
    """
    from colorcli.colorizer import declares

    colorizer, *others = members

    for wanted, method, option in (
        (options.samples, "sample", "--samples"),
        (options.explain, "explain", "--explain"),
    ):
        if wanted and others:
            raise UsageError(f"{option} is not available for mixtures.", "Choose a single model.")
        if wanted and not declares(colorizer, method):
            raise UsageError(
                f"{option} is not available for {colorizer.name}, which predicts colors and not their probabilities.",
                f"Colorizers that support it: {', '.join(able)}." if (able := _colorizers_with(method)) else "",
            )


def _colorizers_with(method: str) -> list[str]:
    from colorcli.colorizer import declares
    from colorcli.plugin.registry import Registry

    return sorted(name for name, colorizer in Registry().colorizers().items() if declares(colorizer, method))
