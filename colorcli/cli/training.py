"""A training run on the command line: its hardware, and its progress."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from colorcli.cli.signals import Interruption
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from colorcli.colorizer import Colorizer
    from colorcli.training.recipes import RecipeFile
    from colorcli.training.session import TrainingProgress


@dataclass(frozen=True)
class Hardware:
    """The hardware to train on."""

    device: str
    precision: str
    devices: int = 1  # on each machine
    nodes: int = 1


def missing(given: Mapping[str, object], example: str) -> UsageError:
    """Make the error of a command that some of its arguments are missing from.

    Args:
        given: all that are required, by name; None for each that is missing.
        example: a complete command.
    """
    *others, last = [name for name, value in given.items() if value is None]
    names, are = (f"{', '.join(others)} and {last}", "are") if others else (last, "is")
    return UsageError(f"{names} {are} missing.", f"For example: {example}")


def train_run(
    colorizer: Colorizer, file: RecipeFile, data: Path, run: Path, start: Path | None, hardware: Hardware
) -> int:
    """Train a colorizer, or resume its run, and show the progress.

    Args:
        colorizer: colorizer to train.
        file: its recipe.
        data: folder of color photographs.
        run: folder of the run.
        start: weights to start from; None for random ones.
        hardware: hardware to train on.

    Returns:
        The exit code: 0 for a complete run, that of the signal for one that was interrupted.
    """
    import logging

    from colorcli.training import require_extra

    require_extra()
    from colorcli.training.loop import train as train_steps
    from colorcli.training.session import is_main_process

    speaks = is_main_process()  # imports Fabric, which sets the level of its log
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # it repeats what we report ourselves
    if speaks:
        click.echo("Inspecting the photographs.", err=True)
    else:
        logging.getLogger("colorcli").setLevel(logging.ERROR)
    interruption = Interruption()
    steps = train_steps(
        colorizer,
        file,
        data,
        run,
        start=start,
        device=hardware.device,
        precision=hardware.precision,
        devices=hardware.devices,
        nodes=hardware.nodes,
        stop=lambda: bool(interruption),
    )
    with closing(steps):
        first = next(steps)
        with interruption.noted():  # the step is finished, and then the checkpoint is written
            if not speaks:
                for _ in steps:
                    pass
                return 0
            finished = _follow(first, steps)
    return 0 if finished else interruption.exit_code


def _follow(first: TrainingProgress, steps: Iterator[TrainingProgress]) -> bool:
    """Show the progress of a run, stage by stage; return whether the run is complete."""
    from itertools import chain, groupby

    progress = first
    for stage, of_stage in groupby(chain([first], steps), key=lambda progress: progress.stage):
        progress = _follow_stage(stage, of_stage)
    return progress.finished


def _follow_stage(stage: str, steps: Iterator[TrainingProgress]) -> TrainingProgress:
    from colorcli.cli.progress import Progress as Bar

    progress = next(steps)
    if progress.finished:
        click.echo(f"{stage or 'The run'} is already complete.", err=True)
        return progress
    with Bar(stage or "training", progress.steps, progress.step, unit="steps/s") as bar:
        for progress in steps:
            if progress.validated:
                bar.note(f"epoch {progress.epoch + 1}, step {progress.step}: {_losses(progress)}")
            else:
                bar.advance(_losses(progress))
        if progress.over:
            bar.note(f"Stopped early after epoch {progress.epoch + 1}: the validation loss is rising.")
        elif not progress.finished:
            bar.note(f"Stopped after step {progress.step}. Run the same command to resume.")
    return progress


def _losses(progress: TrainingProgress) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
