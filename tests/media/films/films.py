"""Films written with the planes of a source and gray or colored U and V, as colorizing does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from colorcli.media.films.codecs import Encoding, choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.probe import probe
from colorcli.media.films.sink import open_sink
from colorcli.media.films.source import frames
from colorcli.media.pictures.metadata import Provenance

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray

    from colorcli.media.films.containers import Destination
    from colorcli.media.films.probe import Film

PROVENANCE = Provenance("zhang", "eccv16", "0.1.0", "0123abcd")


def lossless(film: Film) -> Encoding:
    """x264 that changes no value."""
    chosen = choose_encoding(film, ".mkv")
    return Encoding("libx264", {"qp": 0, "preset": "ultrafast"}, chosen.pixel_format)


def chroma(film: Film, number: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """U and V of one color, another for every frame."""
    shape = (film.height + 1) // 2, (film.width + 1) // 2
    kind, unit = (np.uint8, 1) if film.depth == 8 else (np.uint16, 4)
    return np.full(shape, (100 + number) * unit, kind), np.full(shape, (140 + number) * unit, kind)


def rewritten(
    source: Path,
    target: Path,
    encoding: Encoding | None = None,
    start: Fraction | None = None,
    end: Fraction | None = None,
) -> Destination:
    """Write a film's own luma with another chroma to another file."""
    film = probe(source)
    encoding = encoding or choose_encoding(film, target.suffix)
    destination = choose_destination(film, target, encoding, start, end)
    with open_sink(film, destination, encoding, PROVENANCE) as sink, frames(film, start, end) as reader:
        for frame in reader:
            sink.write(frame.luma, *chroma(film, frame.number), frame.time)
    return destination
