"""Measure what reducing color in shadows and splashes changes, on photographs and films in color.

python tests/benchmarks/taming.py PHOTOGRAPHS [FILM...]
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import torch
from films import read, scaled, steadied
from torch.nn import functional

from colorcli import load
from colorcli.color import rgb_to_lab
from colorcli.evaluation.film.stability import FilmTally
from colorcli.inference.taming import Taming
from colorcli.media.photographs import find_photographs, read_square

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from films import Clip
    from torch import Tensor

    from colorcli.inference.model import Model

DARK = 25.0  # L* below which a tone is in the shadows
BLUE = 5.0  # b* beyond which one looks blue
SIZE = 256
SETTINGS = {
    "neither": Taming(),
    "`--tame-shadows 0.5`": Taming(shadows=0.5),
    "`--tame-shadows 1`": Taming(shadows=1),
    "`--tame-splashes 0.5`": Taming(splashes=0.5),
    "`--tame-splashes 1`": Taming(splashes=1),
}


@click.command()
@click.argument("photographs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("films", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--model", "name", default="zhang.starter", show_default=True)
def main(photographs: Path, films: Sequence[Path], name: str) -> None:
    """Print Markdown tables for PHOTOGRAPHS and FILMS, which have true colors."""
    model = load(name, device="cpu")
    pictures = list(predictions(photographs, model))
    click.echo("| | RMSE ab | in shadows | b* in shadows | share of blue shadows % |")
    click.echo("| --- | ---: | ---: | ---: | ---: |")
    click.echo(row("true", [(lightness, true, true) for lightness, true, _ in pictures]))
    for setting, taming in SETTINGS.items():
        click.echo(row(setting, [(light, true, taming(ab, light)) for light, true, ab in pictures]))
    for film in films:
        click.echo(f"\n| warp error of {film.stem} | per frame | with `--stabilize flow` |\n| --- | ---: | ---: |")
        clip = read(film, model, SIZE)
        for setting, taming in SETTINGS.items():
            figures = steadiness(tamed(clip, taming))
            ratios = [figures[way]["warp_ratio"] for way in ("per frame", "flow")]
            click.echo(f"| {setting} | {ratios[0]:.2f} | {ratios[1]:.2f} |")


def predictions(folder: Path, model: Model) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Read photographs: lightness (1, 1, s, s), true chroma (1, 2, s, s), and the predicted one."""
    for photograph in find_photographs(folder):
        rgb = torch.from_numpy(read_square(photograph, SIZE).copy()).permute(2, 0, 1)[None] / 255
        lightness, true = rgb_to_lab(rgb).split([1, 2], dim=1)
        ab = model.predict(scaled(lightness, (model.size or SIZE,) * 2))
        yield lightness, true, functional.interpolate(ab, true.shape[-2:], mode="bicubic")


def row(name: str, pictures: Sequence[tuple[Tensor, Tensor, Tensor]]) -> str:
    """Format a row of the table of photographs."""
    lightness, true, ab = (torch.cat(planes) for planes in zip(*pictures, strict=True))
    dark = lightness[:, 0] < DARK
    errors = (ab - true).square().sum(dim=1)
    b = ab[:, 1][dark]
    figures = errors.mean().sqrt(), errors[dark].mean().sqrt(), b.mean(), 100 * (b < -BLUE).float().mean()
    return f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |"


def tamed(clip: Clip, taming: Taming) -> Clip:
    """Reduce predicted chroma."""
    predicted = [
        taming(torch.from_numpy(ab)[None], torch.from_numpy(lightness)[None])[0].numpy()
        for lightness, ab in zip(clip.lightness, clip.predicted, strict=True)
    ]
    return replace(clip, predicted=predicted)


def steadiness(clip: Clip) -> dict[str, dict[str, float]]:
    """Compute the figures of a film's colors per frame and stabilized."""
    ways = {"true": clip.true, "per frame": clip.predicted, "flow": steadied(clip, "flow")}
    tally = FilmTally()
    for number, (lightness, begins) in enumerate(zip(clip.lightness, clip.begins, strict=True)):
        tally.add(lightness, {way: ab[number] for way, ab in ways.items()}, begins_shot=begins)
    return tally.figures()


if __name__ == "__main__":
    main()
