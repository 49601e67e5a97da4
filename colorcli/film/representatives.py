"""The frame of each shot that shows it best: sharp, and like most of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from colorcli.film.prepare import prepare_shots
from colorcli.film.shots import difference, structure
from colorcli.media.films.reader import read_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from fractions import Fraction

    from numpy.typing import NDArray

    from colorcli.film.prepare import PreparedFrame
    from colorcli.media.films.film import Film

_SIDE = 256  # pixels, at which shots are found and sharpness is judged


@dataclass(frozen=True)
class Representative:
    """A shot and the frame that shows it best.

    Attributes:
        start: where the shot begins, in seconds.
        end: where it ends: where the next begins, or the film ends.
        time: when the frame is shown.
        number: the number of the frame in the film, from 0.
    """

    start: Fraction
    end: Fraction
    time: Fraction
    number: int


@dataclass(frozen=True)
class _Candidate:
    time: Fraction
    number: int
    sharpness: float
    structure: NDArray[np.float32]


def representatives(film: Film, on_frame: Callable[[Fraction], None] = lambda time: None) -> Iterator[Representative]:
    """Find the shots of a film and yield each with its representative: memory holds 4 KB per frame of one shot.

    Args:
        film: the probed film.
        on_frame: called with the time of each frame, in seconds; an exception that it raises ends the search.

    Raises:
        UnreadableMedia: no frame can be decoded.
    """
    shot: list[_Candidate] = []
    current = 0
    with read_frames(film) as reader:
        for prepared in prepare_shots(film, reader, _SIDE):
            if not prepared.written:
                continue
            on_frame(prepared.frame.time)
            if shot and prepared.shot != current:
                yield _representative(shot, prepared.frame.time)
                shot = []
            current = prepared.shot
            shot.append(_candidate(prepared))
    yield _representative(shot, shot[-1].time + film.last_duration)


def _candidate(prepared: PreparedFrame) -> _Candidate:
    edges = cv2.Laplacian(prepared.lightness[0], cv2.CV_32F)
    frame = prepared.frame
    return _Candidate(frame.time, frame.number, float(edges.var()), structure(prepared.lightness))


def _representative(shot: list[_Candidate], end: Fraction) -> Representative:
    """Choose the sharpest of the half of the frames that are most like their mean."""
    mean = np.mean([each.structure for each in shot], axis=0)
    apart = [difference(each.structure, mean) for each in shot]
    middle = float(np.median(apart))
    typical = [each for each, distance in zip(shot, apart, strict=True) if distance <= middle]
    best = max(typical, key=lambda each: each.sharpness)
    return Representative(shot[0].time, end, best.time, best.number)
