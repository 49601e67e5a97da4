"""`colorcli train`: color photographs in, weights out."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.messages import report_note
from colorcli.cli.model_options import device_option, license_option, offline_option, precision_option
from colorcli.cli.signals import Interruption
from colorcli.errors import NotTrainable, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from colorcli.colorizer import Colorizer
    from colorcli.training.loop import Progress


@click.command()
@click.argument("name", metavar="COLORIZER", required=False)
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option("--recipe", help="A recipe's name (see --list), or a TOML file of your own.")
@click.option("-o", "--output", "run", type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--from", "start", metavar="MODEL|FILE", help="Start from these weights instead of from chance.")
@device_option
@click.option(
    "--devices", type=click.IntRange(min=1), default=1, show_default=True, help="How many of them on each machine."
)
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, help="How many machines.")
@precision_option
@offline_option
@license_option
@click.option("--list", "as_list", is_flag=True, help="List the recipes and where they are from.")
def train(
    *,
    name: str | None,
    data: Path | None,
    recipe: str | None,
    run: Path | None,
    start: str | None,
    device: str,
    devices: int,
    nodes: int,
    precision: str,
    offline: bool,
    accept_license: bool,
    as_list: bool,
) -> int:
    """Train a COLORIZER on the color photographs in the folder DATA (tar files in it count as folders).

    The run's folder gets checkpoints, a log, loss curves, sample sheets, and the weights best.safetensors and
    last.safetensors, which `colorcli run --weights` takes. The same command goes on with a run that was stopped.

    `all` trains every colorizer that has the recipe, each in a folder of its own.
    """
    if as_list:
        return _list()
    if name is None or data is None or recipe is None or run is None:
        raise UsageError(
            "COLORIZER, DATA, --recipe and -o are all needed.",
            "For example: colorcli train zhang photos/ --recipe starter -o runs/zhang",
        )
    from colorcli.plugin.registry import Registry

    where = Where(device, precision, devices, nodes)
    if name != "all":
        colorizer = Registry().get(name)
        first = _start(colorizer, start, offline=offline, accept_license=accept_license)
        return _train(colorizer, _recipe_path(colorizer, recipe), data, run, first, where)
    if start:
        raise UsageError(f"--from {start} is for one COLORIZER.", "Train each alone.")
    for colorizer in _having(recipe):
        click.echo(f"Training {colorizer.name}.", err=True)
        if stopped := _train(colorizer, _recipes(colorizer)[recipe], data, run / colorizer.name, None, where):
            return stopped
    return 0


@dataclass(frozen=True)
class Where:
    """On what to train."""

    device: str
    precision: str
    devices: int  # on each machine
    nodes: int


def _having(recipe: str) -> list[Colorizer]:
    from colorcli.plugin.registry import Registry

    having = [colorizer for colorizer in Registry().colorizers().values() if recipe in _recipes(colorizer)]
    if not having:
        raise NotTrainable(f"No colorizer has a recipe {recipe!r}.", "`colorcli train --list` shows those there are.")
    return having


def _start(colorizer: Colorizer, start: str | None, *, offline: bool, accept_license: bool) -> Path | None:
    """Find the weights to start from: a file, or the colorizer's by name, by tag, or by both."""
    if start is None or Path(start).is_file():
        return None if start is None else Path(start)
    from colorcli.weights import licenses, locate

    tag = None if start == colorizer.name else start.removeprefix(f"{colorizer.name}.")
    if tag is not None and tag not in colorizer.weights:
        raise UsageError(
            f"--from {start}: there is no such file, and no such weights of {colorizer.name}.",
            did_you_mean(tag, colorizer.weights),
        )
    if accept_license:
        licenses.accept(colorizer, tag)
    located = locate(colorizer, tag, offline=offline)
    if located.note:
        report_note(located.note)
    return located.path


def _train(colorizer: Colorizer, recipe: Path, data: Path, run: Path, start: Path | None, where: Where) -> int:
    import logging

    from colorcli.training import require_extra

    require_extra()
    from lightning_fabric.utilities.rank_zero import rank_zero_only

    from colorcli.training.loop import train as steps_of
    from colorcli.training.recipes import read_recipe

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # it announces what we say ourselves
    alone = rank_zero_only.rank == 0  # type: ignore[attr-defined]  # or the first of several processes, which speaks for all
    if alone:
        click.echo("Looking at the photographs.", err=True)
    else:
        logging.getLogger("colorcli").setLevel(logging.ERROR)
    interruption = Interruption()
    steps = steps_of(
        colorizer,
        read_recipe(recipe),
        data,
        run,
        start=start,
        device=where.device,
        precision=where.precision,
        devices=where.devices,
        nodes=where.nodes,
        stop=lambda: bool(interruption),
    )
    with closing(steps):
        begun = next(steps)
        with interruption.noted():  # the step is finished, and then the checkpoint is written
            if not alone:
                for _ in steps:
                    pass
                return 0
            finished = _follow(begun, steps, run)
    return 0 if finished else interruption.exit_code


def _follow(start: Progress, steps: Iterator[Progress], run: Path) -> bool:
    """Show the steps of a run, stage by stage; return whether the run is finished."""
    from itertools import chain, groupby

    progress = start
    for stage, of_stage in groupby(chain([start], steps), key=lambda progress: progress.stage):
        progress = _follow_stage(stage, of_stage)
    if progress.finished:
        click.echo(str(run / ("best.safetensors" if progress.stage else "last.safetensors")))
    return progress.finished


def _follow_stage(stage: str, steps: Iterator[Progress]) -> Progress:
    from colorcli.cli.progress import Progress as Bar

    progress = next(steps)
    if progress.finished:
        click.echo(f"{stage or 'The run'} is finished: nothing was left to do.", err=True)
        return progress
    with Bar(stage or "training", progress.steps, progress.step, unit="steps/s") as bar:
        for progress in steps:
            if progress.validated:
                bar.note(f"epoch {progress.epoch + 1}, step {progress.step}: {_losses(progress)}")
            else:
                bar.advance(_losses(progress))
        if progress.over:
            bar.note(f"Stopped early after epoch {progress.epoch + 1}: validation gets worse.")
        elif not progress.finished:
            bar.note(f"Stopped after step {progress.step}. Run the same command to resume.")
    return progress


def _losses(progress: Progress) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())


def _recipe_path(colorizer: Colorizer, recipe: str) -> Path:
    if recipe.endswith(".toml"):
        return Path(recipe)
    recipes = _recipes(colorizer)
    if not recipes:
        raise NotTrainable(f"The colorizer {colorizer.name} has no recipes.", "It cannot be trained by colorcli.")
    if recipe not in recipes:
        raise NotTrainable(f"{colorizer.name} has no recipe {recipe!r}.", f"There are {', '.join(recipes)}.")
    return recipes[recipe]


def _recipes(colorizer: Colorizer) -> dict[str, Path]:
    folder = colorizer.recipe_folder
    return {path.stem: path for path in sorted(folder.glob("*.toml"))} if folder else {}


def _list() -> int:
    from colorcli.cli.columns import align
    from colorcli.plugin.registry import Registry
    from colorcli.training.recipes import read_recipe

    rows = [
        (colorizer.name, name, read_recipe(path).source)
        for colorizer in Registry().colorizers().values()
        for name, path in _recipes(colorizer).items()
    ]
    click.echo("\n".join(align(rows)))
    return 0
