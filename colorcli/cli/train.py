"""`colorcli train`: colour photographs in, weights out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.errors import NotTrainable, UsageError

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer
    from colorcli.training.loop import Progress


@click.command()
@click.argument("name", metavar="COLORIZER", required=False)
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option("--recipe", help="A recipe's name (see --list), or a TOML file of your own.")
@click.option("-o", "--output", "run", type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps.")
@click.option("--devices", type=click.IntRange(min=1), default=1, show_default=True, help="How many of them.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default="auto",
    show_default=True,
    help="In which the network computes.",
)
@click.option("--list", "as_list", is_flag=True, help="List the recipes and where they are from.")
def train(
    name: str | None,
    data: Path | None,
    recipe: str | None,
    run: Path | None,
    device: str,
    devices: int,
    precision: str,
    as_list: bool,
) -> int:
    """Train a COLORIZER on the colour photographs in the folder DATA (tar files in it count as folders).

    The run's folder gets checkpoints, a log, loss curves, sample sheets, and the weights best.safetensors and
    last.safetensors, which `colorcli run --weights` takes. The same command goes on with a run that was stopped.
    """
    if as_list:
        return _list()
    if name is None or data is None or recipe is None or run is None:
        raise UsageError(
            "COLORIZER, DATA, --recipe and -o are all needed.",
            "For example: colorcli train zhang photos/ --recipe starter -o runs/zhang",
        )
    from colorcli.registry import Registry

    colorizer = Registry().get(name)
    return _train(colorizer, _recipe_path(colorizer, recipe), data, run, device, devices, precision)


def _train(
    colorizer: Colorizer, recipe: Path, data: Path, run: Path, device: str, devices: int, precision: str
) -> int:
    import contextlib
    import logging

    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)  # it announces what we say ourselves
    from colorcli.cli.progress import Progress as Bar
    from colorcli.training.loop import train as steps_of
    from colorcli.training.recipes import read_recipe

    file = read_recipe(recipe)
    steps = steps_of(colorizer, file, data, run, device=device, precision=precision, devices=devices)
    with _stop_requested() as stopping, contextlib.closing(steps):
        first = next(steps)  # the data is surveyed before it
        with Bar("training", first.steps, first.step, unit="steps/s") as bar:
            for progress in steps:
                if progress.validated:
                    bar.note(f"epoch {progress.epoch + 1}, step {progress.step}: {_losses(progress)}")
                else:
                    bar.advance(_losses(progress))
                if stopping:
                    bar.note(f"Stopped after step {progress.step}: the same command goes on from here.")
                    return 130
    click.echo(str(run / "last.safetensors"))
    return 0


def _losses(progress: Progress) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())


class _stop_requested:  # noqa: N801 - reads as what it is in the with statement
    """Hold Ctrl-C and SIGTERM back until the step is done, so that the checkpoint is of a whole one."""

    def __enter__(self) -> list[int]:
        import signal

        self.signals: list[int] = []
        self._before = {
            number: signal.signal(number, lambda number, _: self.signals.append(number))
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self.signals

    def __exit__(self, *_: object) -> None:
        import signal

        for number, handler in self._before.items():
            signal.signal(number, handler)


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
    from colorcli.registry import Registry
    from colorcli.training.recipes import read_recipe

    rows = [
        (colorizer.name, name, read_recipe(path).source)
        for colorizer in Registry().colorizers().values()
        for name, path in _recipes(colorizer).items()
    ]
    click.echo("\n".join(align(rows)))
    return 0
