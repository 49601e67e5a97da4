"""Films written with the luma of a source and made-up chroma, the way colorizing writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.parts import Parts
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from colorcli.media.pictures.metadata import Provenance

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray

    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.containers import Destination
    from colorcli.media.films.film import Film

PROVENANCE = Provenance("zhang", "eccv16", "0.1.0", "0123abcd")


def lossless(film: Film) -> Encoding:
    """Lossless x264."""
    chosen = choose_encoding(film, ".mkv")
    return replace(chosen, codec="libx264", options={"qp": 0, "preset": "ultrafast"})


def chroma(film: Film, number: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Uniform U and V planes, different for every frame."""
    shape = (film.height + 1) // 2, (film.width + 1) // 2
    kind, unit = np.uint8 if film.depth == 8 else np.uint16, 1 << (film.depth - 8)
    return np.full(shape, (100 + number % 99) * unit, kind), np.full(shape, (140 + number % 99) * unit, kind)


def rewritten(
    source: Path,
    target: Path,
    encoding: Encoding | None = None,
    start: Fraction | None = None,
    end: Fraction | None = None,
) -> Destination:
    """Write a film with its own luma and made-up chroma."""
    film = probe(source)
    encoding = encoding or choose_encoding(film, target.suffix)
    destination = choose_destination(film, target, encoding, start, end)
    with (
        Parts(film, destination, encoding, PROVENANCE) as parts,
        read_frames(film, start, end, alpha=encoding.alpha) as reader,
    ):
        for frame in reader:
            parts.write(frame.luma, *chroma(film, frame.number), frame.time, frame.alpha)
        parts.finish(reader.jumps)
    return destination
