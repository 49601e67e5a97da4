"""Frames that a person has corrected: whose colours they tell, and from where on."""

from __future__ import annotations

import hashlib
import itertools
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
from colorcli.film.shooting import stills
from colorcli.film.source import frames
from colorcli.media import shown
from colorcli.media.images import open_picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from colorcli.film.probe import Film
    from colorcli.film.shooting import Still

    Plane = NDArray[np.float32]

_COLOURLESS = 1.0  # of mean chroma
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


@dataclass
class _Shot:
    """A shot with corrected frames: their references by place in the shot, and when the shot begins and they end."""

    begins: Fraction
    ends: Fraction
    corrected: dict[int, Reference]


class Corrections:
    """The corrected frames of a film, each in its shot.

    Reads the film up to the last of them, to find the shots.

    Args:
        film: what `probe` found.
        references: the corrected frames.
        size: of the network.
        start: the first moment wanted, in seconds.
        end: the first not wanted any more; None for the end.

    Raises:
        UsageError: a picture has another shape than the film, or no colour, or its time is not in the film.
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
        self._shots: dict[int, _Shot] = {}
        self._ab = {reference: _read(film, reference) for reference in references}
        if references:
            self._find(sorted(references, key=lambda each: each.time), start, end)

    def of(self, still: Still) -> References | None:
        """Return what tells the colours of the shot that begins with a frame, if there is any."""
        shot = self._shots.get(still.frame.number)
        if shot is None:
            return None
        size = still.lightness.shape[-2:]
        corrected = {place: _scaled(self._ab[each], size) for place, each in shot.corrected.items()}
        with frames(self._film, shot.begins, shot.ends) as reader:
            looked_at = stills(self._film, reader, self._size)
            upto = itertools.islice(looked_at, max(corrected) + 1)
            return References(corrected, (each.lightness for each in upto))

    def _find(self, references: list[Reference], start: Fraction, end: Fraction | None) -> None:
        """Find the frame that is shown at each time, and its shot."""
        first: Still | None = None
        last: Still | None = None
        waiting = list(references)
        if waiting[0].time < start:
            raise _outside(waiting[0])
        with frames(self._film, start, end) as reader:
            for still in stills(self._film, reader, self._size):
                while waiting and last and first and waiting[0].time < still.frame.time:
                    self._add(first, last, waiting.pop(0))
                if not waiting:
                    return
                first = still if still.place == 0 else first
                last = still
        shown_for = 2 / self._film.frame_rate  # of the last frame: nobody counts to the thousandth
        while waiting and last and first and waiting[0].time < last.frame.time + shown_for:
            self._add(first, last, waiting.pop(0))
        if waiting:
            raise _outside(waiting[0])

    def _add(self, first: Still, still: Still, reference: Reference) -> None:
        shot = self._shots.setdefault(first.frame.number, _Shot(first.frame.time, still.frame.time, {}))
        shot.ends = still.frame.time + self._film.time_base
        shot.corrected[still.place] = reference


def _read(film: Film, reference: Reference) -> Tensor:
    """Return the chroma of a corrected frame: (1, 2, H, W) ab."""
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
        if ab.norm(dim=0).mean() >= _COLOURLESS:
            return ab[None]
    raise UsageError(f"{shown(reference.path)}: there is no colour in it.", "Correct the frame of a coloured film.")


def _scaled(ab: Tensor, size: tuple[int, int]) -> Plane:
    plane: Plane = functional.interpolate(ab, size, mode="bilinear", antialias=True)[0].numpy()
    return plane


def _outside(reference: Reference) -> UsageError:
    return UsageError(
        f"{shown(reference.path)}: no frame is shown at {float(reference.time):g} s.",
        "The time is that of the film, in seconds or as 1:02:03.5, between --start and --end.",
    )
