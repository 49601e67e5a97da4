"""Frames as the network and the stabilizer see them: small lightness, grouped into shots and parts."""

from __future__ import annotations

import bisect
import itertools
from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.nn import functional

from colorcli.film.chroma import Coding, small_lightness
from colorcli.film.shots import ShotDetector
from colorcli.inference.transfer import Uploads, download, own_stream
from colorcli.media.films.parts import MIN_PART_SECONDS
from colorcli.media.films.reader import read_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from colorcli.media.films.film import Film
    from colorcli.media.films.reader import FilmFrame

    Plane = NDArray[np.float32]

SizeAt: TypeAlias = "Callable[[Fraction], int | None]"
"""The size of a network that depends on the time, in seconds: shots may have models of their own."""

MAX_SHOT_SECONDS = Fraction(120)
"""A longer shot is processed in pieces, so that a stopped run does not lose all of it."""

_LEAD, _LEAD_SECONDS = 32, Fraction(4)
"""Frames before a piece that also contribute to its colors, and how many seconds back they may lie."""

_CUT_TOLERANCE = Fraction(1, 1000)
"""Seconds by which given cuts may be late: they are written in milliseconds."""

_TAIL = 24
"""Frames after a piece that also contribute to its colors."""

_MAX_SIDE = 512  # pixels; finer chroma is invisible beside lightness


@dataclass(frozen=True)
class PreparedFrame:
    """A frame with its lightness, and its place in the film.

    Attributes:
        frame: the frame as it is stored.
        network_input: (1, s, s) L* in 0..100, upright, where the luma is; (1, H, W) where the network takes any size.
        lightness: (1, h, w) the same, at most 512 pixels a side: the size at which colors are stabilized.
        shot: the number of its shot, from 0.
        place: its number in the shot, from 0, or in the piece of a very long shot.
        begins_part: everything before this frame must be forgotten.
        runs_on: it begins a part in the middle of a shot.
        written: whether it belongs to the output; other frames only contribute to the colors of their neighbors.
    """

    frame: FilmFrame
    network_input: Tensor
    lightness: Plane
    shot: int = 0
    place: int = 0
    begins_part: bool = False
    runs_on: bool = False
    written: bool = True


def prepare_shots(
    film: Film,
    read: Iterable[FilmFrame],
    size: int | SizeAt | None,
    before: Iterable[FilmFrame] = (),
    cuts: Sequence[Fraction] = (),
    uploads: Uploads | None = None,
) -> Generator[PreparedFrame]:
    """Prepare the frames of a film, and find its shots and parts.

    What is found from the beginning of a part on does not depend on what came before it, so that a resumed run finds
    the same. A part that begins in the middle of a shot is preceded by frames of the part before, and the part before
    continues a little into it, so that colors do not jump.

    Args:
        film: the probed film.
        read: its frames, from the beginning or from the beginning of a part.
        size: the square that the network works at; None for the frame's own size.
        before: the frames of `read_lead_in`, for a part that begins in the middle of a shot.
        cuts: ascending times at which shots begin, in seconds; empty to detect them.
        uploads: where the luma goes, to stay there until it is colored; None for the CPU.
    """
    lead = (_unwritten(frame) for frame in prepare_frames(film, before, size, uploads))
    return _numbered(_cut(itertools.chain(lead, prepare_frames(film, read, size, uploads)), cuts))


def prepare_frames(
    film: Film, read: Iterable[FilmFrame], size: int | SizeAt | None, uploads: Uploads | None = None
) -> Generator[PreparedFrame]:
    """Prepare frames one by one, without finding shots; see `prepare_shots`."""
    coding = Coding.of(film)
    uploads = uploads or Uploads(torch.device("cpu"))
    beside = own_stream(uploads.device)
    for frame in read:
        side = size(frame.time) if callable(size) else size
        stored = (side, side) if side else (film.height, film.width)
        with beside:
            network_input = upright(small_lightness(uploads.of(frame.luma), stored, coding)[0], film.rotation)
            lightness = download(_downscaled(network_input)).numpy()
        yield PreparedFrame(frame, network_input, lightness)


def read_lead_in(film: Film, last: Fraction, done: int) -> list[FilmFrame]:
    """Read the frames that precede a part which begins in the middle of a shot.

    Args:
        film: the probed film.
        last: the time of the last frame before the part, in seconds.
        done: the number of frames before the part.
    """
    with read_frames(film, end=last + film.time_base, after=last - _LEAD_SECONDS) as reader:
        read = deque(reader, maxlen=_LEAD)
    return [replace(frame, number=done - len(read) + place) for place, frame in enumerate(read)]


def _unwritten(prepared: PreparedFrame) -> PreparedFrame:
    """Drop the luma of a frame that only contributes to others."""
    return replace(
        prepared, frame=replace(prepared.frame, luma=prepared.frame.luma[:0].copy(), alpha=None), written=False
    )


def upright(planes: Tensor, rotation: int) -> Tensor:
    """Rotate planes (C, H, W) clockwise by a multiple of 90 degrees."""
    return torch.rot90(planes, -rotation // 90, dims=(1, 2)).contiguous()


def _downscaled(lightness: Tensor) -> Tensor:
    height, width = lightness.shape[-2:]
    scale = _MAX_SIDE / max(height, width)
    if scale >= 1:
        return lightness
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return functional.interpolate(lightness[None], size, mode="bilinear", antialias=True)[0]


def _cut(prepared: Iterable[PreparedFrame], cuts: Sequence[Fraction]) -> Generator[tuple[PreparedFrame, bool]]:
    """Decide where parts begin; yield each frame with whether a shot, or a piece of one, begins with it."""
    source = iter(prepared)
    next_part = yield from _part(source, [], cuts, begins_part=False, runs_on=False)
    while next_part is not None:
        known, runs_on = next_part
        next_part = yield from _part(source, known, cuts, begins_part=True, runs_on=runs_on)


def _part(
    source: Iterator[PreparedFrame],
    known: Iterable[PreparedFrame],
    cuts: Sequence[Fraction],
    *,
    begins_part: bool,
    runs_on: bool,
) -> Generator[tuple[PreparedFrame, bool], None, tuple[list[PreparedFrame], bool] | None]:
    """Cut one part, up to the first shot that begins once it is long enough.

    Args:
        source: the frames not read yet.
        known: frames read already, which come first in this part.
        cuts: as for `prepare_shots`.
        begins_part: whether another part comes before.
        runs_on: whether its last shot continues in this part.

    Returns:
        The frames of the next part read already, and whether a shot continues there; None at the end of the film.
    """
    again = deque(known)
    waiting: deque[PreparedFrame] = deque()  # for the decision of the shot detector
    recent: deque[PreparedFrame] = deque(maxlen=_LEAD)
    tail: list[PreparedFrame] | None = None
    began: Fraction | None = None
    shot_began = last = Fraction(0)
    decisions = _given(source, again, waiting, cuts) if cuts else _decisions(source, again, waiting)
    for begins in decisions:
        now = waiting[0]
        if began is not None and tail is None:
            if begins and last - began >= MIN_PART_SECONDS:
                return [*waiting, *again], False
            if not begins and now.frame.time - shot_began >= MAX_SHOT_SECONDS:
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
            if 2 * (last - shot_began) >= MAX_SHOT_SECONDS:
                recent.append(_unwritten(now))
        waiting.popleft()
        yield now, begins
    return None if tail is None else ([*_leading(recent, last), *tail], True)


def _decisions(
    source: Iterator[PreparedFrame], again: deque[PreparedFrame], waiting: deque[PreparedFrame]
) -> Generator[bool]:
    """Feed frames to a shot detector, those read already first; yield for each waiting frame whether a shot begins."""
    shots = ShotDetector()
    while True:
        prepared = again.popleft() if again else next(source, None)
        if prepared is None:
            yield from shots.finish()
            return
        waiting.append(prepared)
        yield from shots.push(prepared.lightness)


def _given(
    source: Iterator[PreparedFrame],
    again: deque[PreparedFrame],
    waiting: deque[PreparedFrame],
    cuts: Sequence[Fraction],
) -> Generator[bool]:
    """Yield for each frame, like `_decisions`, whether a shot begins with it, as given."""
    before: int | None = None
    while (prepared := again.popleft() if again else next(source, None)) is not None:
        waiting.append(prepared)
        passed = bisect.bisect_left(cuts, prepared.frame.time + _CUT_TOLERANCE)
        yield passed != before
        before = passed


def _leading(recent: Iterable[PreparedFrame], last: Fraction) -> list[PreparedFrame]:
    return [prepared for prepared in recent if prepared.frame.time > last - _LEAD_SECONDS]


def _numbered(cut: Iterable[tuple[PreparedFrame, bool]]) -> Generator[PreparedFrame]:
    shot, place = -1, 0
    for prepared, begins in cut:
        if shot < 0 or (begins and prepared.written):
            shot += 1
        place = 0 if begins else place + 1
        yield replace(prepared, shot=shot, place=place)
