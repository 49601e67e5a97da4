"""Frames corrected by a person, and the shots whose colors they set."""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import rgb_to_lab
from colorcli.errors import UnreadableMedia, UsageError
from colorcli.film.keyframes import References
from colorcli.film.prepare import prepare_frames, prepare_shots
from colorcli.film.shots import difference, structure
from colorcli.media import shown
from colorcli.media.films.reader import read_frames
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.tone import tone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from colorcli.film.prepare import PreparedFrame, SizeAt
    from colorcli.media.films.film import Film

    Plane = NDArray[np.float32]

_MAX_STRETCH = 1.02  # between the aspect ratios of the picture and the film
_OTHER_PICTURE = 0.5  # 0..2, of `shots.difference`
_MAX_DRIFT = 4.0  # L*, on average; colors of the same luma differ by less


@dataclass(frozen=True)
class Reference:
    """A corrected or colored frame.

    Attributes:
        path: the picture.
        time: time of the frame in the film, in seconds.
        must_fit: whether it is an error if it does not belong to the film or is gray; otherwise it is left out.
        picture: (H, W, 3) uint8 or uint16, if it is not in a file; then the path is that of the film.
    """

    path: Path
    time: Fraction
    must_fit: bool = True
    picture: NDArray[Any] | None = field(default=None, compare=False)

    @property
    def digest(self) -> str:
        """A digest of the picture and its time.

        Raises:
            UnreadableMedia: the file cannot be read.
        """
        return f"{file_digest(self.path)}@{self.time}"


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        UnreadableMedia: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableMedia(f"{shown(path)}: {error.strerror or error}.") from error


@dataclass(frozen=True)
class _Shot:
    """A shot with corrected frames.

    Attributes:
        first: the number of its first frame.
        end: the number of the frame after its last one.
        corrected: the time and the reference of each corrected frame, by its number.
    """

    first: int
    end: int
    corrected: dict[int, tuple[Fraction, Reference]]


class Corrections:
    """The corrected frames of a film, assigned to shots.

    Reads the film up to the end of the last shot with a corrected frame.

    Args:
        film: the probed film.
        references: the corrected frames.
        size: the square that the network works at; None for the frame's own size; or a function of the time.
        start: where the output begins, in seconds.
        end: where it ends; None for the end of the film.
        cuts: ascending times at which shots begin; empty to detect them.
        on_frame: called with the time of each frame that is read, in seconds.

    Attributes:
        notes: sentences for the user: which pictures are left out, and which differ from their frames.

    Raises:
        UsageError: a picture that must fit has another aspect ratio than the film, no color, or a time outside the
            film.
        UnreadableMedia: a picture that must fit cannot be read.
    """

    def __init__(
        self,
        film: Film,
        references: Sequence[Reference],
        size: int | SizeAt | None,
        start: Fraction,
        end: Fraction | None,
        cuts: Sequence[Fraction] = (),
        on_frame: Callable[[Fraction], None] = lambda time: None,
    ) -> None:
        self.notes: list[str] = []
        self._film = film
        self._size = size
        self._cuts = cuts
        self._on_frame = on_frame
        for each in references:  # before the film is read
            if each.must_fit:
                _read(film, each)
        self._shots = self._found(deque(sorted(references, key=lambda each: each.time)), start, end)

    def of(self, prepared: PreparedFrame) -> References | None:
        """Return the references for the shot, or piece of a shot, that begins with a frame; None if it has none.

        If corrected frames of the shot come before this frame, their colors are carried to it first.
        """
        number = prepared.frame.number
        shot = next((shot for shot in self._shots if shot.first <= number < shot.end), None)
        if shot is None:
            return None
        times = {number: prepared.frame.time} | {each: time for each, (time, _) in shot.corrected.items()}
        first, last = min(times), max(shot.corrected)
        size = prepared.lightness.shape[-2:]
        corrected = {
            each - first: _scaled(_read(self._film, reference), size)[1:]
            for each, (_, reference) in shot.corrected.items()
        }
        references = References(corrected, self._lightness(times[first], last + 1 - first))
        for lightness in self._lightness(times[first], number - first):
            references.tint(lightness, np.zeros((2, *size), np.float32))
        return references

    def _lightness(self, start: Fraction, count: int) -> Iterator[Plane]:
        """Yield the lightness of `count` frames from `start` on."""
        with read_frames(self._film, start) as reader:
            for prepared in prepare_frames(self._film, itertools.islice(reader, count), self._size):
                yield prepared.lightness

    def _found(self, waiting: deque[Reference], start: Fraction, end: Fraction | None) -> list[_Shot]:
        """Find the frame shown at the time of each reference, and its shot."""
        while waiting and waiting[0].time < start:
            self._outside(waiting.popleft())
        shots: list[_Shot] = []
        if not waiting:
            return shots
        first, corrected = 0, dict[int, tuple[Fraction, Reference]]()
        last: PreparedFrame | None = None
        with read_frames(self._film, start, end) as reader:
            for prepared in prepare_shots(self._film, reader, self._size, cuts=self._cuts):
                if not prepared.written:
                    continue
                self._on_frame(prepared.frame.time)
                while waiting and last and waiting[0].time < prepared.frame.time:
                    self._match(last, waiting.popleft(), corrected)
                if last and prepared.shot != last.shot:
                    shots += [_Shot(first, prepared.frame.number, corrected)] if corrected else []
                    first, corrected = prepared.frame.number, {}
                    if not waiting:
                        return shots
                last = prepared
        shown_for = 2 / self._film.frame_rate  # tolerance after the last frame: people round times
        while waiting and last and waiting[0].time < last.frame.time + shown_for:
            self._match(last, waiting.popleft(), corrected)
        for each in waiting:
            self._outside(each)
        if corrected and last:
            shots.append(_Shot(first, last.frame.number + 1, corrected))
        return shots

    def _match(
        self, prepared: PreparedFrame, reference: Reference, corrected: dict[int, tuple[Fraction, Reference]]
    ) -> None:
        """Use a reference for a frame if it fits, and note how it differs."""
        name = shown(reference.path)
        try:
            picture = _scaled(_read(self._film, reference), prepared.lightness.shape[-2:])
        except (UsageError, UnreadableMedia) as error:
            if reference.must_fit:
                raise
            self.notes.append(f"left out: {str(error).rstrip('.')}")
            return
        apart = difference(structure(picture[:1]), structure(prepared.lightness))
        if apart > _OTHER_PICTURE and not reference.must_fit:
            self.notes.append(f"left out: {name} does not show the frame at {float(reference.time):g} s")
            return
        drift = float(np.abs(picture[0] - prepared.lightness[0]).mean())
        if apart > _OTHER_PICTURE:
            self.notes.append(f"{name} does not look like the frame at {float(reference.time):g} s")
        elif drift > _MAX_DRIFT:
            self.notes.append(f"the lightness of {name} differs by {drift:.1f} L* from its frame, whose own is kept")
        corrected[prepared.frame.number] = prepared.frame.time, reference

    def _outside(self, reference: Reference) -> None:
        if reference.must_fit:
            raise UsageError(
                f"{shown(reference.path)}: the film shows no frame at {float(reference.time):g} s.",
                "Use a time within the film, in seconds or as 1:02:03.5, between --start and --end.",
            )
        self.notes.append(f"left out: {shown(reference.path)} at {float(reference.time):g} s is outside the film")


def _read(film: Film, reference: Reference) -> Tensor:
    """Return a corrected frame: (1, 3, H, W) Lab, upright and not mirrored, like network input."""
    pixels = reference.picture
    if pixels is None:
        pixels = next(open_picture(reference.path).frames()).pixels
    height, width = pixels.shape[:2]
    stored = film.width * film.sample_aspect_ratio / film.height, Fraction(film.width, film.height)
    wanted = [float(1 / each if film.rotation % 180 else each) for each in stored]
    if all(max(width / height / each, each * height / width) > _MAX_STRETCH for each in wanted):
        raise UsageError(
            f"{shown(reference.path)}: its size of {width} x {height} does not match the aspect ratio of {film.name}.",
            "Save the whole frame as the player shows it, and correct that.",
        )
    if tone_of(pixels) != "gray":  # a frame that was toned on purpose counts
        rgb = torch.from_numpy(pixels.astype(np.float32) / np.iinfo(pixels.dtype).max).permute(2, 0, 1)
        lab = rgb_to_lab(rgb)
        return (lab.flip(-1) if film.mirrored else lab)[None]
    raise UsageError(
        f"{shown(reference.path)}: a corrected frame must be in color.", "Correct a frame of the colorized film."
    )


def _scaled(lab: Tensor, size: tuple[int, int]) -> Plane:
    plane: Plane = functional.interpolate(lab, size, mode="bilinear", antialias=True)[0].numpy()
    return plane
