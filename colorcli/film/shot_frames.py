"""A film as the network and the stabilizer see it: small lightness, frame by frame, cut into shots and parts."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from colorcli.film.chroma import Coding, small_lightness
from colorcli.film.shots import ShotDetector
from colorcli.media.films.parts import SHORTEST
from colorcli.media.films.source import frames

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from numpy.typing import NDArray

    from colorcli.media.films.probe import Film
    from colorcli.media.films.source import FilmFrame

    Plane = NDArray[np.float32]

LONGEST = Fraction(120)
"""A shot of more seconds is worked on in pieces, or a run that was stopped would lose all of it."""

_LEAD, _LEAD_SECONDS = 32, Fraction(4)
"""Frames before a piece that its colors are told from, too, and the most seconds that they may go back."""

_TAIL = 24
"""Frames after a piece that its colors are told from."""

_LARGEST = 512  # pixels; chroma finer than that is not to be seen beside lightness


@dataclass(frozen=True)
class Still:
    """A frame with what its colors are told from.

    Attributes:
        frame: as it is stored.
        seen: (1, s, s) what the network is asked with, L* in 0..100, upright; (1, H, W) where it takes any size.
        lightness: (1, h, w) the same, of at most 512 pixels a side: where colors are steadied.
        shot: the number of its shot, from 0.
        place: its number in the shot, from 0, or in the piece of a very long one.
        begins_part: what came before it must be forgotten.
        runs_on: it begins a part in the midst of a shot.
        written: whether it belongs to the film; others are there for what they tell of their neighbors' colors.
    """

    frame: FilmFrame
    seen: Plane
    lightness: Plane
    shot: int = 0
    place: int = 0
    begins_part: bool = False
    runs_on: bool = False
    written: bool = True


def stills(
    film: Film, read: Iterable[FilmFrame], size: int | None, before: Iterable[FilmFrame] = ()
) -> Generator[Still]:
    """Look at the frames of a film, and find its shots and parts.

    What is found from the beginning of a part on does not depend on what was before it, so that a run which goes on
    from there finds the same. A part that begins in the midst of a shot is led up to by frames of the part before, and
    the part before runs on into it, for colors that do not jump.

    Args:
        film: what `probe` found.
        read: its frames, from the beginning or from that of a part.
        size: the square that the network works at; None for the frame's own size.
        before: for a part that begins in the midst of a shot, the frames of `lead_in`.
    """
    lead = (_unwritten(still) for still in look(film, before, size))
    return _numbered(_cut(itertools.chain(lead, look(film, read, size))))


def look(film: Film, read: Iterable[FilmFrame], size: int | None) -> Generator[Still]:
    """Look at frames one by one, without a thought of shots; see `stills`."""
    coding = Coding.of(film)
    stored = (size, size) if size else (film.height, film.width)
    for frame in read:
        seen = upright(small_lightness(frame.luma, stored, coding)[0].numpy(), film.rotation)
        yield Still(frame, seen, _reduced(seen))


def lead_in(film: Film, last: Fraction, done: int) -> list[FilmFrame]:
    """Read the frames that lead up to a part which begins in the midst of a shot.

    Args:
        film: what `probe` found.
        last: when the last frame before the part is shown, in seconds.
        done: how many frames there are before the part.
    """
    with frames(film, end=last + film.time_base, after=last - _LEAD_SECONDS) as reader:
        read = deque(reader, maxlen=_LEAD)
    return [replace(frame, number=done - len(read) + place) for place, frame in enumerate(read)]


def _unwritten(still: Still) -> Still:
    """Keep what a frame is to be looked at for, and not the frame."""
    return replace(still, frame=replace(still.frame, luma=still.frame.luma[:0]), written=False)


def upright(planes: Plane, rotation: int) -> Plane:
    """Turn planes (C, H, W) clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(planes, -rotation // 90, axes=(1, 2)))


def _reduced(lightness: Plane) -> Plane:
    height, width = lightness.shape[-2:]
    scale = _LARGEST / max(height, width)
    if scale >= 1:
        return lightness
    size = max(1, round(height * scale)), max(1, round(width * scale))
    reduced = functional.interpolate(torch.from_numpy(lightness)[None], size, mode="bilinear", antialias=True)
    plane: Plane = reduced[0].numpy()
    return plane


def _cut(looked_at: Iterable[Still]) -> Generator[tuple[Still, bool]]:
    """Decide where parts begin, and of every frame whether a shot, or a piece of one, begins with it."""
    source = iter(looked_at)
    next_part = yield from _part(source, [], begins_part=False, runs_on=False)
    while next_part is not None:
        known, runs_on = next_part
        next_part = yield from _part(source, known, begins_part=True, runs_on=runs_on)


def _part(
    source: Iterator[Still], known: Iterable[Still], *, begins_part: bool, runs_on: bool
) -> Generator[tuple[Still, bool], None, tuple[list[Still], bool] | None]:
    """Cut one part, up to the first shot that begins when it is long enough.

    Args:
        source: the frames that nobody has looked at.
        known: those that have been shown already, and are the first of this part.
        begins_part: whether there is a part before.
        runs_on: whether its last shot goes on in this one.

    Returns:
        What is known of the next part, and whether a shot goes on there; None at the end of the film.
    """
    again = deque(known)
    waiting: deque[Still] = deque()  # for the detector's decision
    recent: deque[Still] = deque(maxlen=_LEAD)
    tail: list[Still] | None = None
    began: Fraction | None = None
    shot_began = last = Fraction(0)
    for begins in _decisions(source, again, waiting):
        now = waiting[0]
        if began is not None and tail is None:
            if begins and last - began >= SHORTEST:
                return [*waiting, *again], False
            if not begins and now.frame.time - shot_began >= LONGEST:
                tail = []
        if tail is not None:
            if begins or len(tail) == _TAIL:
                return [*_leading(recent, last), *tail, *waiting, *again], True
            tail.append(waiting.popleft())
            yield _unwritten(now), False
            continue
        if now.written:
            last = now.frame.time
            if begins or began is None:
                shot_began = last
            if began is None:
                began, now = last, replace(now, begins_part=begins_part, runs_on=runs_on)
            if 2 * (last - shot_began) >= LONGEST:
                recent.append(_unwritten(now))
        waiting.popleft()
        yield now, begins
    return None if tail is None else ([*_leading(recent, last), *tail], True)


def _decisions(source: Iterator[Still], again: deque[Still], waiting: deque[Still]) -> Generator[bool]:
    """Show stills to a detector, those first that are to be shown again; tell of each that waits if a shot begins."""
    shots = ShotDetector()
    while True:
        still = again.popleft() if again else next(source, None)
        if still is None:
            yield from shots.finish()
            return
        waiting.append(still)
        yield from shots.push(still.lightness)


def _leading(recent: Iterable[Still], last: Fraction) -> list[Still]:
    return [still for still in recent if still.frame.time > last - _LEAD_SECONDS]


def _numbered(cut: Iterable[tuple[Still, bool]]) -> Generator[Still]:
    shot, place = -1, 0
    for still, begins in cut:
        if shot < 0 or (begins and still.written):
            shot += 1
        place = 0 if begins else place + 1
        yield replace(still, shot=shot, place=place)
