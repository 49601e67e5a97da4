"""Measure how steady the colors that models predict for films are, and how close to the true ones.

A color film is colorized from its luma as `colorcli run` does, and compared frame by frame at a small size. Only a few
frames are in memory at a time.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch.nn import functional

from colorcli.color import rgb_to_lab
from colorcli.errors import DataError
from colorcli.evaluation.film.stability import FilmTally
from colorcli.film.chroma import Coding
from colorcli.film.colorize import film_chroma
from colorcli.film.prepare import prepare_shots, upright
from colorcli.media import shown
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from colorcli.media.pictures.tone import GRAY_CHROMA

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray

    from colorcli.film.colorize import FilmSettings
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.films.film import Film
    from colorcli.media.films.reader import FilmFrame

    Plane = NDArray[np.float32]

TRUE, GRAY = "true", "gray"
PER_FRAME = "per frame"


@dataclass(frozen=True)
class FilmFigures:
    """The figures of one film.

    Attributes:
        film: the film.
        frames: number of frames compared.
        size: height and width at which they were compared.
        rows: the figures of `FilmTally` for the true colors, gray, and each model, per frame and stabilized.
    """

    film: Film
    frames: int
    size: tuple[int, int]
    rows: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class _Truth:
    """A frame: lightness (1, h, w) and ab (2, h, w), upright."""

    lightness: Plane
    ab: Plane
    begins_shot: bool


def evaluate_film(
    pipelines: Sequence[Pipeline],
    path: Path,
    settings: FilmSettings,
    *,
    size: int = 256,
    watch: Callable[[int], None] = lambda _: None,
) -> FilmFigures:
    """Compare the colors that models predict for a film with the true ones.

    Args:
        pipelines: the models, each with a unique name.
        path: a film in color.
        settings: `start`, `end`, `stabilize` and `keyframes` are used; a model whose colors are stabilized has a
            second row, for frames colorized one by one.
        size: length of the longer side at which frames are compared, in pixels; smaller films keep their size.
        watch: called after every frame with the number of frames so far.

    Raises:
        UnreadableMedia: the file is not a film, or none of its frames can be decoded.
        DataError: the film is gray, has primaries other than sRGB's, or has no frame between `start` and `end`.
        PluginError: a model predicted something other than finite chroma.
    """
    film = probe(path)
    if film.hdr or Coding.of(film).primaries != "srgb":
        raise DataError(
            f"{shown(path)} has {film.hdr or film.primaries} colors; only those of sRGB and BT.709 can be compared.",
            "Convert it first: ffmpeg -i FILM -vf scale=out_color_matrix=bt709 CONVERTED.mkv",
        )
    tally, count, shape = FilmTally(), 0, (0, 0)
    with contextlib.ExitStack() as stack:
        truths = stack.enter_context(contextlib.closing(_truths(film, settings, size)))
        colorings = {
            name: stack.enter_context(contextlib.closing(_chroma(pipeline, film, chosen)))
            for pipeline in pipelines
            for name, chosen in rows_of(pipeline, settings).items()
        }
        for truth, *predicted in zip(truths, *colorings.values(), strict=True):
            shape = truth.ab.shape[1], truth.ab.shape[2]
            found = {name: _scaled(ab, shape) for name, ab in zip(colorings, predicted, strict=True)}
            rows = {TRUE: truth.ab, GRAY: np.zeros_like(truth.ab), **found}
            tally.add(truth.lightness, rows, begins_shot=truth.begins_shot)
            count += 1
            watch(count)
    if not count:
        raise DataError(f"{shown(path)} has no frame between --start and --end.", "Choose another range.")
    figures = tally.figures()
    if figures[GRAY]["rmse"] < GRAY_CHROMA:
        raise DataError(f"{shown(path)} is gray.", "Choose a film in color.")
    return FilmFigures(film, count, shape, figures)


def rows_of(pipeline: Pipeline, settings: FilmSettings) -> dict[str, FilmSettings]:
    """Name the rows of a model: frame by frame, and stabilized if the settings say so."""
    single = replace(settings, stabilize="off", keyframes=None)
    if settings == single:
        return {f"{pipeline.name}, {PER_FRAME}": single}
    keys = "" if settings.keyframes is None else f" --keyframes {settings.keyframes or 'auto'}"
    return {
        f"{pipeline.name}, {PER_FRAME}": single,
        f"{pipeline.name}, --stabilize {settings.stabilize}{keys}": settings,
    }


def _chroma(pipeline: Pipeline, film: Film, settings: FilmSettings) -> Generator[Plane]:
    with contextlib.closing(film_chroma(pipeline, film, settings)) as colored:
        for _, ab in colored:
            yield ab


def _truths(film: Film, settings: FilmSettings, size: int) -> Generator[_Truth]:
    """Yield the frames that models colorize, in their true colors."""
    scale = min(1.0, size / max(film.height, film.width))
    height, width = max(1, round(film.height * scale)), max(1, round(film.width * scale))
    with (
        read_frames(film, settings.start, settings.end) as reader,
        read_frames(film, settings.start, settings.end, rgb=True) as colors,
        contextlib.closing(prepare_shots(film, reader, size)) as found,
    ):
        for still in found:
            if still.written:
                rgb = _scaled_colors(_shown_at(still.frame.time, colors, film), (height, width))
                lab = rgb_to_lab(upright(torch.from_numpy(rgb), film.rotation)).numpy()
                yield _Truth(lab[:1], lab[1:], still.place == 0)


def _shown_at(time: Fraction, colors: Iterator[FilmFrame], film: Film) -> NDArray[np.uint16]:
    """Skip frames until the one at a time, in seconds.

    Raises:
        DataError: no frame has that time.
    """
    for frame in colors:
        if frame.time == time and frame.rgb is not None:
            return frame.rgb
    raise DataError(
        f"{film.name}: the frame at {float(time):.3f} s cannot be decoded in color.", "Replace or remove the file."
    )


def _scaled_colors(pixels: NDArray[np.uint16], shape: tuple[int, int]) -> Plane:
    """Scale a frame to (3, h, w) sRGB in 0..1, in its stored orientation.

    Scaling is done in float: rounding at a small size would look like flicker in the true colors.
    """
    small = cv2.resize(pixels.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1)) / np.float32(65535)


def _scaled(ab: Plane, shape: tuple[int, int]) -> Plane:
    """Scale chroma (2, h, w), antialiased where it shrinks."""
    if ab.shape[1:] == shape:
        return ab
    shrinks = ab.shape[1] > shape[0] or ab.shape[2] > shape[1]
    mode = "bilinear" if shrinks else "bicubic"
    scaled: Plane = functional.interpolate(torch.from_numpy(ab)[None], shape, mode=mode, antialias=shrinks)[0].numpy()
    return scaled
