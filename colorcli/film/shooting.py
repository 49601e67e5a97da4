"""A film as the network and the stabilizer see it: small lightness, frame by frame, cut into shots and parts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from colorcli.film.chroma import Coding, small_lightness
from colorcli.film.parts import SHORTEST
from colorcli.film.shots import ShotDetector

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from numpy.typing import NDArray

    from colorcli.film.probe import Film
    from colorcli.film.source import FilmFrame

    Plane = NDArray[np.float32]

LONGEST = Fraction(300)
"""A shot of more seconds is cut, or a run that was stopped would lose all of it."""

_LARGEST = 512  # pixels; chroma finer than that is not to be seen beside lightness


@dataclass(frozen=True)
class Still:
    """A frame with what its colours are told from.

    Attributes:
        frame: as it is stored.
        seen: (1, s, s) what the network is asked with, L* in 0..100, upright; (1, H, W) where it takes any size.
        lightness: (1, h, w) the same, of at most 512 pixels a side: where colours are steadied.
        shot: the number of its shot, from 0.
        place: its number in the shot, from 0.
        begins_part: what came before it must be forgotten.
    """

    frame: FilmFrame
    seen: Plane
    lightness: Plane
    shot: int = 0
    place: int = 0
    begins_part: bool = False


def stills(film: Film, frames: Iterable[FilmFrame], size: int | None, shot: int = 0) -> Generator[Still]:
    """Look at the frames of a film, and find its shots.

    What is found from the beginning of a part on does not depend on what was before it, so that a run which goes on
    from there finds the same.

    Args:
        film: what `probe` found.
        frames: of it, from the beginning or from that of a part.
        size: the square that the network works at; None for the frame's own size.
        shot: the number of the first shot.
    """
    coding = Coding.of(film)
    return _numbered(_cut(_still(film, frame, size, coding) for frame in frames), shot)


def _still(film: Film, frame: FilmFrame, size: int | None, coding: Coding) -> Still:
    stored = (size, size) if size else (film.height, film.width)
    seen = upright(small_lightness(frame.luma, stored, coding)[0].numpy(), film.rotation)
    return Still(frame, seen, _reduced(seen))


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


def _cut(looked_at: Iterable[Still]) -> Generator[tuple[Still, bool, bool]]:
    """Decide of every frame whether a shot begins with it, and whether a part does."""
    shots, source = ShotDetector(), iter(looked_at)
    again: deque[Still] = deque()  # to be shown to a new detector
    waiting: deque[Still] = deque()  # for the detector's decision
    began = shot_began = last = Fraction(0)
    first, part_begins = True, False
    while True:
        still = again.popleft() if again else next(source, None)
        if still is not None:
            waiting.append(still)
        decided = shots.finish() if still is None else shots.push(still.lightness)
        for detected in decided:
            time = waiting[0].frame.time
            begins = detected or time - shot_began >= LONGEST
            if begins and not first and last - began >= SHORTEST:
                again.extendleft(reversed(waiting))
                waiting.clear()
                shots, first, part_begins = ShotDetector(), True, True
                break
            if begins:
                shot_began = time
            if first:
                began, first = time, False
            last = time
            yield waiting.popleft(), begins, part_begins
            part_begins = False
        if still is None and not again:
            return


def _numbered(cut: Iterable[tuple[Still, bool, bool]], shot: int) -> Generator[Still]:
    shot, place = shot - 1, 0
    for still, begins, part_begins in cut:
        shot, place = (shot + 1, 0) if begins else (shot, place + 1)
        yield replace(still, shot=shot, place=place, begins_part=part_begins)
