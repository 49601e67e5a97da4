"""Frames that a person has corrected: whose colors they tell, and from where on."""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import rgb_to_lab
from colorcli.errors import UnreadableMedia, UsageError
from colorcli.film.keyframes import References
from colorcli.film.shot_frames import look, stills
from colorcli.media import shown
from colorcli.media.films.source import frames
from colorcli.media.pictures.files import open_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from colorcli.film.shot_frames import Still
    from colorcli.media.films.probe import Film

    Plane = NDArray[np.float32]

_COLORLESS = 1.0  # of mean chroma
_OTHER_SHAPE = 1.02  # times as wide


@dataclass(frozen=True)
class Reference:
    """A corrected frame: the picture, and when in the film it is shown, in seconds."""

    path: Path
    time: Fraction

    @property
    def digest(self) -> str:
        """What stands for the picture and its time.

        Raises:
            UnreadableMedia: there is no such file.
        """
        try:
            with self.path.open("rb") as file:
                return f"{hashlib.file_digest(file, 'sha256').hexdigest()}@{self.time}"
        except OSError as error:
            raise UnreadableMedia(f"{shown(self.path)}: {error.strerror or error}.") from error


@dataclass(frozen=True)
class _Shot:
    """A shot with corrected frames: the numbers of its first frame and of that after its last, and its references.

    Those are given by the number and time of the frame that each is of.
    """

    first: int
    end: int
    corrected: dict[int, tuple[Fraction, Reference]]


class Corrections:
    """The corrected frames of a film, each in its shot.

    Reads the film up to the end of the last of these shots.

    Args:
        film: what `probe` found.
        references: the corrected frames.
        size: of the network.
        start: the first moment wanted, in seconds.
        end: the first not wanted any more; None for the end.

    Raises:
        UsageError: a picture has another shape than the film, or no color, or its time is not in the film.
        UnreadableMedia: a picture cannot be read.
    """

    def __init__(
        self,
        film: Film,
        references: Sequence[Reference],
        size: int | None,
        start: Fraction,
        end: Fraction | None,
    ) -> None:
        self._film = film
        self._size = size
        self._ab = {reference: _read(film, reference) for reference in references}
        self._shots = self._found(deque(sorted(references, key=lambda each: each.time)), start, end)

    def of(self, still: Still) -> References | None:
        """Return what tells the colors from a frame on with which a shot begins, or a piece of one; None for nothing.

        Where the shot's corrected frames are before, their colors are carried to it first.
        """
        number = still.frame.number
        shot = next((shot for shot in self._shots if shot.first <= number < shot.end), None)
        if shot is None:
            return None
        times = {number: still.frame.time} | {each: time for each, (time, _) in shot.corrected.items()}
        first, last = min(times), max(shot.corrected)
        size = still.lightness.shape[-2:]
        corrected = {each - first: _scaled(self._ab[ref], size) for each, (_, ref) in shot.corrected.items()}
        references = References(corrected, self._lightness(times[first], last + 1 - first))
        for lightness in self._lightness(times[first], number - first):
            references.tint(lightness, np.zeros((2, *size), np.float32))
        return references

    def _lightness(self, start: Fraction, count: int) -> Iterator[Plane]:
        """Yield that of so many frames."""
        with frames(self._film, start) as reader:
            for still in look(self._film, itertools.islice(reader, count), self._size):
                yield still.lightness

    def _found(self, waiting: deque[Reference], start: Fraction, end: Fraction | None) -> list[_Shot]:
        """Find the frame that is shown at the time of each reference, and its shot."""
        shots: list[_Shot] = []
        if not waiting:
            return shots
        if waiting[0].time < start:
            raise _outside(waiting[0])
        first, corrected = 0, dict[int, tuple[Fraction, Reference]]()
        last: Still | None = None
        with frames(self._film, start, end) as reader:
            for still in stills(self._film, reader, self._size):
                if not still.written:
                    continue
                while waiting and last and waiting[0].time < still.frame.time:
                    corrected[last.frame.number] = last.frame.time, waiting.popleft()
                if last and still.shot != last.shot:
                    shots += [_Shot(first, still.frame.number, corrected)] if corrected else []
                    first, corrected = still.frame.number, {}
                    if not waiting:
                        return shots
                last = still
        shown_for = 2 / self._film.frame_rate  # of the last frame: nobody counts to the thousandth
        while waiting and last and waiting[0].time < last.frame.time + shown_for:
            corrected[last.frame.number] = last.frame.time, waiting.popleft()
        if waiting or last is None:
            raise _outside(waiting[0])
        return [*shots, _Shot(first, last.frame.number + 1, corrected)]


def _read(film: Film, reference: Reference) -> Tensor:
    """Return the chroma of a corrected frame: (1, 2, H, W) ab, upright as the network sees it, and never mirrored."""
    pixels = next(open_picture(reference.path).frames()).pixels
    height, width = pixels.shape[:2]
    stored = film.width * film.sample_aspect_ratio / film.height, Fraction(film.width, film.height)
    wanted = [float(1 / each if film.rotation % 180 else each) for each in stored]
    if all(max(width / height / each, each * height / width) > _OTHER_SHAPE for each in wanted):
        raise UsageError(
            f"{shown(reference.path)}: {width} x {height} is not the shape of {film.name}.",
            "Save the frame as the player shows it, whole, and correct that.",
        )
    if pixels.ndim == 3:
        rgb = torch.from_numpy(pixels.astype(np.float32) / np.iinfo(pixels.dtype).max).permute(2, 0, 1)
        ab = rgb_to_lab(rgb)[1:]
        if ab.norm(dim=0).mean() >= _COLORLESS:
            return (ab.flip(-1) if film.mirrored else ab)[None]
    raise UsageError(f"{shown(reference.path)}: there is no color in it.", "Correct the frame of a colored film.")


def _scaled(ab: Tensor, size: tuple[int, int]) -> Plane:
    plane: Plane = functional.interpolate(ab, size, mode="bilinear", antialias=True)[0].numpy()
    return plane


def _outside(reference: Reference) -> UsageError:
    return UsageError(
        f"{shown(reference.path)}: no frame is shown at {float(reference.time):g} s.",
        "The time is that of the film, in seconds or as 1:02:03.5, between --start and --end.",
    )
