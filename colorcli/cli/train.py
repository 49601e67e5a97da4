"""`colorcli train`: train a colorizer on color photographs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.messages import report_note
from colorcli.cli.model_options import device_option, license_option, offline_option, precision_option
from colorcli.cli.output_files import OutputFolder, output_files
from colorcli.cli.subcommands import CommandWithSubcommands
from colorcli.cli.training import Hardware, missing, train_run
from colorcli.errors import NotTrainable, UsageError, did_you_mean

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer

_REPORT_FORMATS = (".md", ".csv", ".png")


@click.command(cls=CommandWithSubcommands)
@click.argument("name", metavar="COLORIZER", required=False)
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option("--recipe", help="Name of a recipe (see --list), or a TOML file.")
@click.option("-o", "--output", "run", type=OutputFolder(), help="Folder for the run.")
@click.option("--from", "start", metavar="MODEL|FILE", help="Start from these weights instead of random ones.")
@device_option
@click.option(
    "--devices", type=click.IntRange(min=1), default=1, show_default=True, help="Number of devices on each machine."
)
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, help="Number of machines.")
@precision_option
@offline_option
@license_option
@click.option("--list", "as_list", is_flag=True, help="List the recipes and their sources.")
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
    """Train a colorizer on color photographs.

    DATA is a folder of color photographs; tar files in it are read as folders. The run's folder receives checkpoints,
    a log, loss curves, sample sheets, and the weights best.safetensors and last.safetensors for `colorcli run
    --weights`. The same command resumes a run that was stopped.

    COLORIZER `all` trains every colorizer that has the recipe, each in its own subfolder.

    `colorcli train report RUN...` compares the losses of several runs.
    """
    if as_list:
        return _list()
    if name is None or data is None or recipe is None or run is None:
        given = {"COLORIZER": name, "DATA": data, "--recipe": recipe, "-o": run}
        raise missing(given, "colorcli train zhang photos/ --recipe starter -o runs/zhang")
    from colorcli.plugin.registry import Registry
    from colorcli.training.recipes import find_recipe, recipes_of

    hardware = Hardware(device, precision, devices, nodes)
    if name != "all":
        colorizer = Registry().get(name)
        first = _find_start(colorizer, start, offline=offline, accept_license=accept_license)
        return _train(colorizer, find_recipe(colorizer, recipe), data, run, first, hardware)
    if start:
        raise UsageError("--from needs a single COLORIZER, got all.", "Train each colorizer separately.")
    for colorizer in _colorizers_with(recipe):
        click.echo(f"Training {colorizer.name}.", err=True)
        path = recipes_of(colorizer)[recipe]
        if stopped := _train(colorizer, path, data, run / colorizer.name, None, hardware):
            return stopped
    return 0


def _colorizers_with(recipe: str) -> list[Colorizer]:
    from colorcli.plugin.registry import Registry
    from colorcli.training.recipes import recipes_of

    found = [colorizer for colorizer in Registry().colorizers().values() if recipe in recipes_of(colorizer)]
    if not found:
        raise NotTrainable(f"No colorizer has a recipe {recipe!r}.", "`colorcli train --list` lists all recipes.")
    return found


def _find_start(colorizer: Colorizer, start: str | None, *, offline: bool, accept_license: bool) -> Path | None:
    """Find the weights to start from: a file, or weights of the colorizer by its name, a tag, or both."""
    if start is None or Path(start).is_file():
        return None if start is None else Path(start)
    from colorcli.weights import licenses, locate

    tag = None if start == colorizer.name else start.removeprefix(f"{colorizer.name}.")
    if tag is not None and tag not in colorizer.weights:
        raise UsageError(
            f"--from {start} is neither a file nor weights of {colorizer.name}.",
            did_you_mean(tag, colorizer.weights),
        )
    if accept_license:
        licenses.accept(colorizer, tag)
    located = locate(colorizer, tag, offline=offline)
    if located.note:
        report_note(located.note)
    return located.path


def _train(colorizer: Colorizer, recipe: Path, data: Path, run: Path, start: Path | None, hardware: Hardware) -> int:
    from colorcli.training.recipes import read_recipe

    if stopped := train_run(colorizer, read_recipe(recipe), data, run, start, hardware):
        return stopped
    from colorcli.training.session import is_main_process

    if is_main_process():
        best = run / "best.safetensors"
        click.echo(str(best))
        click.echo(f"Use it with: colorcli run --weights {shlex.quote(str(best))} photos/", err=True)
    return 0


def _list() -> int:
    from colorcli.cli.columns import align
    from colorcli.plugin.registry import Registry
    from colorcli.training.recipes import read_recipe, recipes_of

    rows = [
        (colorizer.name, name, read_recipe(path).source)
        for colorizer in Registry().colorizers().values()
        for name, path in recipes_of(colorizer).items()
    ]
    click.echo("\n".join(align(rows)))
    return 0


@train.subcommand
@click.command()
@click.argument(
    "runs",
    metavar="RUN...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@output_files(_REPORT_FORMATS, "Also write FILE: .md or .csv for the tables, .png for curves.")
@click.option("--loss", default="", help="Loss to draw.  [default: the validation loss that decides the best weights]")
def report(runs: tuple[Path, ...], outputs: tuple[Path, ...], loss: str, overwrite: bool) -> None:
    """Compare the losses of several training runs by epoch, as tables and curves."""
    from colorcli.files import write_text
    from colorcli.pages import check_free
    from colorcli.training import require_extra
    from colorcli.training.report import draw, read_runs, to_csv, to_markdown

    for path in outputs:
        check_free(path, overwrite=overwrite)
    found = read_runs(runs)
    for path in outputs:
        if path.suffix.lower() == ".png":
            require_extra()
            draw(path, found, loss)
            continue
        text = to_csv(found) if path.suffix.lower() == ".csv" else f"{to_markdown(found)}\n"
        write_text(path, text)
    click.echo(to_markdown(found))
