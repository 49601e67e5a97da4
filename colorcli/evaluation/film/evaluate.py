"""How steady the colors that models give films are, and how near to the true ones.

A film in color is colorized from its luma as `colorcli run` does it, and compared frame by frame at a small size.
However long it is, few of its frames are in memory.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import torch
from av.video.reformatter import ColorRange, Colorspace
from torch.nn import functional

from colorcli.color import rgb_to_lab
from colorcli.errors import DataError
from colorcli.evaluation.film.steadiness import FilmTally
from colorcli.film.chroma import Coding
from colorcli.film.colorize import chroma_of
from colorcli.film.shot_frames import stills, upright
from colorcli.media import shown
from colorcli.media.films.probe import probe
from colorcli.media.films.source import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from fractions import Fraction
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from colorcli.film.colorize import FilmSettings
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.films.probe import Film

    Plane = NDArray[np.float32]

TRUE, GRAY = "true", "gray"
PER_FRAME = "per frame"

_GRAY = 1.0  # a film whose mean distance of ab from gray is less has no colors to compare with
_COLORSPACES = {
    "bt709": Colorspace.ITU709,
    "bt470bg": Colorspace.ITU601,
    "smpte170m": Colorspace.ITU601,
    "fcc": Colorspace.FCC,
    "smpte240m": Colorspace.SMPTE240M,
    "bt2020nc": Colorspace.BT2020,
}
_RANGES = {"tv": ColorRange.MPEG, "pc": ColorRange.JPEG}


@dataclass(frozen=True)
class FilmFigures:
    """What was measured of one film.

    Attributes:
        film: what is known of it.
        frames: how many were compared.
        size: height and width at which they were.
        rows: by name the figures of `FilmTally`: the true colors, gray, and every model's, steadied and per frame.
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
    """Compare models' colors of a film with its own.

    Args:
        pipelines: the models, each with a name of its own.
        path: a film in color.
        settings: `start`, `end`, `stabilize` and `keyframes` count; a model whose colors they steady has a second
            row, of every frame by itself.
        size: of the longer side at which frames are compared; smaller films keep theirs.
        watch: called after every frame with how many there are now.

    Raises:
        UnreadableMedia: it is no film, or none of its frames can be decoded.
        DataError: it has no colors, or has them in primaries other than a screen's, or the stretch has no frame.
        PluginError: a model gave something else than finite chroma.
    """
    film = probe(path)
    if film.hdr or Coding.of(film).primaries != "srgb":
        raise DataError(
            f"{shown(path)}: its colors are those of {film.hdr or film.primaries}, and cannot be compared.",
            "Convert it first: ffmpeg -i FILM -vf scale=out_color_matrix=bt709 CONVERTED.mkv",
        )
    tally, count, shape = FilmTally(), 0, (0, 0)
    with contextlib.ExitStack() as stack:
        truths = stack.enter_context(contextlib.closing(_truths(film, settings, size)))
        colorings = {
            name: stack.enter_context(contextlib.closing(_chroma(pipeline, film, chosen)))
            for pipeline in pipelines
            for name, chosen in ways(pipeline, settings).items()
        }
        for truth, *predicted in zip(truths, *colorings.values(), strict=True):
            shape = truth.ab.shape[1], truth.ab.shape[2]
            found = {name: _scaled(ab, shape) for name, ab in zip(colorings, predicted, strict=True)}
            rows = {TRUE: truth.ab, GRAY: np.zeros_like(truth.ab), **found}
            tally.add(truth.lightness, rows, begins_shot=truth.begins_shot)
            count += 1
            watch(count)
    if not count:
        raise DataError(f"{shown(path)}: there is no frame in this stretch.", "Give other --start and --end.")
    figures = tally.figures()
    if figures[GRAY]["rmse"] < _GRAY:
        raise DataError(f"{shown(path)}: it has no colors to compare with.", "Give a film in color.")
    return FilmFigures(film, count, shape, figures)


def ways(pipeline: Pipeline, settings: FilmSettings) -> dict[str, FilmSettings]:
    """Name the ways in which a model's colors of a film are judged: as asked for, and frame by frame."""
    single = replace(settings, stabilize="off", keyframes=None)
    if settings == single:
        return {f"{pipeline.name}, {PER_FRAME}": single}
    keys = "" if settings.keyframes is None else f" --keyframes {settings.keyframes or 'auto'}"
    return {
        f"{pipeline.name}, {PER_FRAME}": single,
        f"{pipeline.name}, --stabilize {settings.stabilize}{keys}": settings,
    }


def _chroma(pipeline: Pipeline, film: Film, settings: FilmSettings) -> Generator[Plane]:
    with contextlib.closing(chroma_of(pipeline, film, settings)) as colored:
        for _, ab in colored:
            yield ab


def _truths(film: Film, settings: FilmSettings, size: int) -> Generator[_Truth]:
    """Give the frames that a model is given, with their own colors."""
    with (
        frames(film, settings.start, settings.end) as reader,
        contextlib.closing(stills(film, reader, size)) as found,
        av.open(film.path) as container,
    ):
        decoded = _decoded(film, container, settings.start)
        scale = min(1.0, size / max(film.height, film.width))
        height, width = max(1, round(film.height * scale)), max(1, round(film.width * scale))
        for still in found:
            if still.written:
                frame = _shown_at(still.frame.time, decoded, film)
                rgb = _rgb(frame, film, (height, width))
                lab = rgb_to_lab(torch.from_numpy(upright(rgb, film.rotation))).numpy()
                yield _Truth(lab[:1], lab[1:], still.place == 0)


def _decoded(film: Film, container: Any, start: Fraction | None) -> Iterator[Any]:
    stream = container.streams[film.index]
    if start:
        container.seek(int((start + film.start) / stream.time_base), stream=stream)  # to the key frame before it
    with contextlib.suppress(av.error.FFmpegError):  # cut off: what came before it is compared
        for frame in container.decode(stream):
            if frame.pts is not None:
                yield frame


def _shown_at(time: Fraction, decoded: Iterator[Any], film: Film) -> Any:
    """Find the frame of a time, in seconds, among those that follow; others are passed over.

    Raises:
        DataError: there is none.
    """
    for frame in decoded:
        if abs(frame.pts * frame.time_base - film.start - time) <= film.time_base:
            return frame
    raise DataError(
        f"{film.name}: its colors at {float(time):.3f} s cannot be decoded.", "Get it again, or leave it out."
    )


def _rgb(frame: Any, film: Film, shape: tuple[int, int]) -> Plane:
    """Give the colors of a frame as a screen shows them: (3, h, w) sRGB in 0..1, as it is stored.

    They are scaled in float: rounding at a small size would be flicker of the true colors.
    """
    coded = not frame.format.is_rgb
    whole = frame.reformat(
        format="rgb24",
        src_colorspace=_COLORSPACES[film.matrix] if coded else None,
        src_color_range=_RANGES[film.range] if coded else None,
    )
    pixels: NDArray[np.float32] = whole.to_ndarray().astype(np.float32)
    small = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1)) / np.float32(255)


def _scaled(ab: Plane, shape: tuple[int, int]) -> Plane:
    """Scale chroma (2, h, w), antialiased where it shrinks."""
    if ab.shape[1:] == shape:
        return ab
    shrinks = ab.shape[1] > shape[0] or ab.shape[2] > shape[1]
    mode = "bilinear" if shrinks else "bicubic"
    scaled: Plane = functional.interpolate(torch.from_numpy(ab)[None], shape, mode=mode, antialias=shrinks)[0].numpy()
    return scaled
