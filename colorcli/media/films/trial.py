"""Tries an encoder that we know nothing about: whether what it writes can be read back."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import ffmpeg
import numpy as np

from colorcli.errors import UsageError
from colorcli.media.films import CONTAINERS
from colorcli.media.films.encoder import FilmEncoder
from colorcli.media.films.ffmpeg import FfmpegFailed, command, run, url
from colorcli.media.films.pieces import piece_muxer

if TYPE_CHECKING:
    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.film import Film

_FRAMES = 9  # enough for frames to be reordered


def check_reading_back(film: Film, encoding: Encoding, suffix: str) -> None:
    """Encode a few frames, copy them to the container of the output, and decode them.

    Args:
        film: the film whose frames will be encoded.
        encoding: how.
        suffix: suffix of the output; if its container cannot hold them, Matroska is tried, as in `choose_destination`.

    Raises:
        UsageError: not all frames come back, at their times.
        UnwritableMedia: the folder for temporary files is full.
    """
    times = [round(number / film.frame_rate / film.time_base) * film.time_base for number in range(_FRAMES)]
    with tempfile.TemporaryDirectory(prefix="colorcli-") as folder:
        piece = Path(folder, "piece")
        _encode(film, encoding, piece, times)
        found: list[Fraction] = []
        for muxer in dict.fromkeys((CONTAINERS.get(suffix, "matroska"), "matroska")):
            try:
                found = _times(piece, Path(folder, muxer), muxer, piece_muxer(encoding.family, alpha=encoding.alpha))
                break
            except FfmpegFailed:
                continue
    apart = [abs(time - wanted) for time, wanted in zip(sorted(found), times, strict=False)]
    if len(found) != _FRAMES or max(apart) > 1 / film.frame_rate / 2:
        problem = "their times changed" if len(found) == _FRAMES else f"{len(found)} came back instead of {_FRAMES}"
        raise UsageError(
            f"{encoding.codec} cannot be used: when trial frames were encoded and read back, {problem}.",
            "Choose another --codec, such as libx264 or ffv1.",
        )


def _encode(film: Film, encoding: Encoding, piece: Path, times: list[Fraction]) -> None:
    """Encode a gradient that moves: encoders may skip frames that do not change."""
    kind, top = np.uint8 if film.depth == 8 else np.uint16, (1 << film.depth) - 1
    across = np.linspace(0, 1, film.width)[None] * np.ones((film.height, 1))
    chroma = np.full(((film.height + 1) // 2, (film.width + 1) // 2), (top + 1) // 2, kind)
    with FilmEncoder(film, piece, encoding, piece) as encoder:
        for number, time in enumerate(times):
            luma = ((across + number / _FRAMES) % 1 * top).astype(kind)
            encoder.write(luma, chroma, chroma, time, luma if encoding.alpha else None)
        encoder.close()


def _times(piece: Path, copy: Path, muxer: str, kind: str) -> list[Fraction]:
    """Return the time of each frame that can be decoded from a copy of a piece, in seconds."""
    run(command(ffmpeg.input(url(piece), format=kind).output(url(copy), format=muxer, c="copy", strict=-1)))
    listed = ffmpeg.input(url(copy), copyts=None).output("pipe:1", format="framecrc", fps_mode="passthrough")
    lines = run(command(listed)).decode().splitlines()
    tick = next((Fraction(each.split()[-1]) for each in lines if each.startswith("#tb 0:")), Fraction(1))
    times = [int(each.split(",")[2]) * tick for each in lines if not each.startswith("#")]
    return [each - min(times) for each in times]  # frames begin where the container lets them
