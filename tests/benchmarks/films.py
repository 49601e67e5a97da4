"""Measure how stable colorcli's colors are on films in color, and how close to the true ones.

    python tests/benchmarks/films.py FILM... [--strip strip.png]

Every film is made gray and colorized frame by frame, then its colors are stabilized in every available way. Everything
is measured at the small size at which colors are stabilized. Memory grows with the films: they should be short.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import click
import cv2
import numpy as np
import torch
from torch.nn import functional

from colorcli import load
from colorcli.color import lab_to_linear_in_gamut, linear_to_srgb, rgb_to_lab
from colorcli.evaluation.film.stability import FilmTally
from colorcli.film.keyframes import Keyframes
from colorcli.film.shots import ShotDetector
from colorcli.film.stabilizer import Stabilizer
from colorcli.pages.sheet import PictureVersions, write_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from colorcli.inference.model import Model

    Plane = NDArray[np.float32]

FIGURES = ("warp_error", "warp_ratio", "cdc", "rmse", "colorfulness")


@dataclass(frozen=True)
class Clip:
    """A film at its small size: lightness (1, h, w), true and predicted chroma (2, h, w), and where shots begin."""

    lightness: list[Plane]
    true: list[Plane]
    predicted: list[Plane]
    begins: list[bool]

    def shots(self) -> Iterable[slice]:
        """Return the frames of each shot."""
        starts = [*np.flatnonzero(self.begins), len(self.begins)]
        return (slice(start, end) for start, end in itertools.pairwise(starts))


@click.command()
@click.argument("films", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", "name", default="zhang.starter", show_default=True)
@click.option("--size", default=256, show_default=True, help="Longer side at which colors are stabilized.")
@click.option("--strip", type=click.Path(path_type=Path), help="PNG for frames of the first film, side by side.")
@click.option("--at", default=0, show_default=True, help="First frame to draw.")
@click.option("--step", default=4, show_default=True, help="Draw every Nth frame.")
def main(films: Sequence[Path], name: str, size: int, strip: Path | None, at: int, step: int) -> None:
    """Print a Markdown table for FILMS, which have true colors."""
    model = load(name, device="cpu")
    click.echo("| film | colors | predicted | ms | warp error | of the true | CDC | RMSE ab | colorfulness |")
    click.echo("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for film in films:
        clip = read(film, model, size)
        ways = colorings(clip)
        tally = FilmTally()
        for number, lightness in enumerate(clip.lightness):
            frames = {way: ab[number] for way, (ab, _, _) in ways.items()}
            tally.add(lightness, frames, begins_shot=clip.begins[number])
        for way, figures in tally.figures().items():
            _, predicted, seconds = ways[way]
            values = " | ".join(f"{figures[figure]:.3g}" for figure in FIGURES)
            cost = f"{1000 * seconds / len(clip.lightness):.1f}"
            click.echo(f"| {film.stem} | {way} | {predicted} | {cost} | {values} |")
        if strip and film == films[0]:
            draw(strip, clip, {way: ab for way, (ab, _, _) in ways.items()}, range(at, at + 6 * step, step))


def colorings(clip: Clip) -> dict[str, tuple[list[Plane], int, float]]:
    """Color a clip in each way: the chroma, how many frames were predicted, and the seconds spent on the rest."""
    count = len(clip.lightness)
    ways = {"true": (clip.true, 0, 0.0), "per frame": (clip.predicted, count, 0.0)}
    for method in ("average", "flow"):
        start = time.process_time()
        ways[method] = steadied(clip, method), count, time.process_time() - start
    for every in (None, 4, 8):
        start = time.process_time()
        ab, predicted = between_keys(clip, every)
        ways[f"key frames {every or 'auto'}"] = ab, predicted, time.process_time() - start
    return ways


def steadied(clip: Clip, method: str) -> list[Plane]:
    """Stabilize the predicted chroma, shot by shot."""
    stabilizer = Stabilizer(method)
    finished: list[Plane] = []
    for shot in clip.shots():
        for lightness, ab in zip(clip.lightness[shot], clip.predicted[shot], strict=True):
            finished += stabilizer.push(lightness, ab)
        finished += stabilizer.finish()
    return finished


def between_keys(clip: Clip, every: int | None) -> tuple[list[Plane], int]:
    """Propagate the predicted chroma of key frames; return it and their number."""
    number = {id(lightness): index for index, lightness in enumerate(clip.lightness)}
    asked: list[int] = []

    def predict(frames: Sequence[Plane]) -> list[Plane]:
        asked.extend(number[id(lightness)] for lightness in frames)
        return [clip.predicted[number[id(lightness)]] for lightness in frames]

    keyframes = Keyframes(predict, every)
    finished: list[Plane] = []
    for shot in clip.shots():
        for lightness in clip.lightness[shot]:
            finished += keyframes.push(lightness)
        finished += keyframes.finish()
    return finished, len(asked)


def read(film: Path, model: Model, size: int) -> Clip:
    """Decode a film in its true colors, and predict every frame's from its lightness."""
    clip, shots = Clip([], [], [], []), ShotDetector()
    with av.open(film) as container:
        for frame in container.decode(container.streams.video[0]):
            lab = rgb_to_lab(torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)[None] / 255)
            scale = size / max(frame.height, frame.width)
            small = scaled(lab, (round(frame.height * scale), round(frame.width * scale)))
            side = (model.size or size,) * 2
            ab = functional.interpolate(model.predict(scaled(lab[:, :1], side)), small.shape[-2:], mode="bicubic")
            clip.lightness.append(small[0, :1].numpy())
            clip.true.append(small[0, 1:].numpy())
            clip.predicted.append(ab[0].numpy())
            clip.begins.extend(shots.push(clip.lightness[-1]))
    clip.begins.extend(shots.finish())
    return clip


def scaled(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale (B, C, H, W) down, antialiased."""
    return functional.interpolate(planes, size, mode="bilinear", antialias=True)


def draw(path: Path, clip: Clip, ways: dict[str, list[Plane]], numbers: Iterable[int]) -> None:
    """Draw frames side by side, a row for each way to color them."""
    numbers = [number for number in numbers if number < len(clip.lightness)]
    gray = [np.zeros_like(ab) for ab in clip.true]
    rows = {"gray": gray, "per frame": ways["per frame"], "steadied along the flow": ways["flow"], "true": clip.true}
    picture: Callable[[list[Plane], int], Tensor] = lambda ab, number: linear_to_srgb(  # noqa: E731
        lab_to_linear_in_gamut(torch.from_numpy(clip.lightness[number]), torch.from_numpy(ab[number]))
    )
    write_sheet(
        path,
        [
            PictureVersions(name, {f"frame {number}": picture(ab, number) for number in numbers})
            for name, ab in rows.items()
        ],
    )


if __name__ == "__main__":
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    main()
