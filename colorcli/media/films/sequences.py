"""Films whose frames are numbered pictures: `frames/%06d.png`, or a folder of such pictures."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import UnreadableMedia
from colorcli.media import shown
from colorcli.storage import RemotePath

if TYPE_CHECKING:
    from collections.abc import Collection
    from os import stat_result

SUFFIXES = frozenset({".png", ".tif", ".tiff", ".dpx", ".exr", ".jpg", ".jpeg"})
"""The suffixes of frames, in lower case."""

FILM_ONLY = frozenset({".dpx", ".exr"})
"""Those that only sequences have: a folder of them is a film."""

DEFAULT_RATE = Fraction(24)
RECORD = "colorcli.xmp"
"""The name of the file beside numbered pictures that records how they were made."""

_PLACE = re.compile(r"%0?(\d*)d")
_NUMBERED = re.compile(r"(.*?)(\d+)(\.\w+)")


@dataclass(frozen=True)
class ImageSequence:
    """Numbered pictures.

    Attributes:
        pattern: their path, with `%06d` or the like for the number.
        first: the number of the first one.
        count: how many there are.
        frame_rate: pictures per second.
    """

    pattern: Path
    first: int
    count: int
    frame_rate: Fraction

    def frame(self, number: int) -> Path:
        """Return the path of a picture by its number."""
        return self.pattern.with_name(_with_number(self.pattern.name, number))

    @property
    def input_options(self) -> dict[str, str]:
        """The options of ffmpeg for opening them as a film."""
        return {"f": "image2", "framerate": str(self.frame_rate), "start_number": str(self.first)}

    def stats(self) -> list[stat_result]:
        """Return the status of every file."""
        return [self.frame(number).stat() for number in range(self.first, self.first + self.count)]


def is_pattern(path: Path) -> bool:
    """Decide whether a path has a place for the number of a frame."""
    named = path.suffix.lower() in SUFFIXES and _PLACE.search(path.stem) is not None
    return named and not isinstance(path, RemotePath) and not os.path.lexists(path)


def pattern_of(path: Path, *, film: bool) -> Path | None:
    """Return the pattern of an input that is a sequence; None if it is something else.

    Args:
        path: a pattern, or a folder whose pictures are all numbered in one way.
        film: whether a folder of pictures that might be photographs is a sequence.
    """
    if is_pattern(path):
        return path
    try:
        names = os.listdir(path)  # noqa: PTH208 - raises at once
    except (OSError, ValueError):  # not a folder, or locked
        return None
    return pattern_among(path, [each for each in names if not each.startswith(".")], film=film)


def pattern_among(folder: Path, names: Collection[str], *, film: bool) -> Path | None:
    """Return the pattern of the pictures in a folder if they are all numbered in one way; None otherwise.

    Args:
        folder: where they are.
        names: names of the visible files in it.
        film: whether pictures that might be photographs are a sequence.
    """
    if not film and not any(name.lower().endswith(tuple(FILM_ONLY)) for name in names):  # quick for many photographs
        return None
    found = [_NUMBERED.fullmatch(name) for name in names if Path(name).suffix.lower() in SUFFIXES]
    kinds = {(each[1], each[3], len(each[2])) for each in found if each}
    if not found or None in found or len({kind[:2] for kind in kinds}) != 1:
        return None
    before, suffix, width = min(kinds, key=lambda kind: kind[2])
    if not film and suffix.lower() not in FILM_ONLY:
        return None
    padded = len(kinds) == 1 and width > 1
    return folder / f"{before}%{f'0{width}' if padded else ''}d{suffix}"


def find_sequence(pattern: Path, frame_rate: Fraction | None = None) -> ImageSequence:
    """Find the pictures of a sequence.

    Args:
        pattern: as `pattern_of` returns it.
        frame_rate: pictures per second; None for 24.

    Raises:
        UnreadableMedia: there are none, or one is missing between others.
    """
    before, after = _PLACE.split(pattern.name, maxsplit=1)[0::2]
    numbered = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    try:
        names = [each.name for each in pattern.parent.iterdir()]
    except OSError as error:
        raise UnreadableMedia(f"{shown(pattern)}: {error.strerror or error}.") from error
    numbers = sorted(int(found[1]) for name in names if (found := numbered.fullmatch(name)))
    numbers = [each for each in numbers if _with_number(pattern.name, each) in set(names)]
    if not numbers:
        raise UnreadableMedia(f"{shown(pattern)}: no pictures found.", "Check the name and the number of digits.")
    for one, other in itertools.pairwise(numbers):
        if other != one + 1:
            missing = pattern.with_name(_with_number(pattern.name, one + 1))
            raise UnreadableMedia(f"{shown(missing)}: this frame is missing.", "Numbers must follow each other.")
    return ImageSequence(pattern, numbers[0], len(numbers), frame_rate or DEFAULT_RATE)


def _with_number(name: str, number: int) -> str:
    return _PLACE.sub(lambda found: f"{number:0{found[1] or 1}}", name, count=1)
