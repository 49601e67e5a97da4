"""Stills: pictures in a folder, each named by the time or the number of its frame, that set the colors of a film."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from colorcli.errors import UnreadableMedia, UsageError
from colorcli.film.references import Reference, file_digest
from colorcli.film.shot_list import clock_time
from colorcli.media import formats, shown
from colorcli.media.films.timing import frame_times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from colorcli.film.shot_list import Shot
    from colorcli.media.films.film import Film

_BY_TIME = re.compile(r"(?:.*[^\d.])?(\d{1,4})-([0-5]\d)-([0-5]\d\.\d{1,6})")
_BY_NUMBER = re.compile(r"ref_(\d{1,9})", re.IGNORECASE)  # as HAVC names them


def still_name(time: Fraction) -> str:
    """Return the name of the still of a frame, such as 00-01-02.480.png."""
    return f"{clock_time(time).replace(':', '-'):0>12}.png"


def still_digests(folder: Path) -> list[str]:
    """Return the names and digests of all stills in a folder.

    Raises:
        UnreadableMedia: the folder or a file cannot be read.
    """
    return [f"{each.name} {file_digest(each)}" for each in _pictures(folder)]


def find_stills(film: Film, folder: Path, shots: Sequence[Shot]) -> tuple[Reference, ...]:
    """Find the stills of a film, and the time of each.

    Args:
        film: the probed film.
        folder: folder with pictures such as `00-01-02.480.png` or `ref_001487.png`; others in it are ignored.
        shots: if any of them names references, only those are taken; their suffix may have changed.

    Raises:
        UnreadableMedia: the folder cannot be read.
        UsageError: a reference of a shot does not exist or has no time in its name, or none was found.
    """
    pictures = _pictures(folder)
    named = [each for shot in shots for each in shot.references]
    if named:
        by_stem = {each.stem: each for each in pictures} | {each.name: each for each in pictures}
        pictures = []
        for name in named:
            found = by_stem.get(name) or by_stem.get(name.rpartition(".")[0])
            if found is None:
                raise UsageError(f"{shown(folder / name)}: not found.", "Correct the reference in the list of shots.")
            if not _has_place(found):
                raise UsageError(
                    f"{shown(found)}: its name must contain the time of its frame.",
                    f"Rename it, for example to {still_name(Fraction(90))}.",
                )
            pictures.append(found)
    placed = {each: _place(film, each) for each in pictures if _has_place(each)}
    if not placed:
        raise UsageError(
            f"{shown(folder)}: no stills found.",
            f"Their names must contain times, such as {still_name(Fraction(90))} or ref_002250.png.",
        )
    return tuple(Reference(path, time, must_fit=False) for path, time in placed.items())


def _pictures(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.suffix.lower() in formats.BY_SUFFIX and _visible(each))
    except OSError as error:
        raise UnreadableMedia(f"{shown(folder)}: {error.strerror or error}.") from error


def _visible(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file()


def _has_place(path: Path) -> bool:
    return bool(_BY_TIME.fullmatch(path.stem) or _BY_NUMBER.fullmatch(path.stem))


def _place(film: Film, path: Path) -> Fraction:
    """Return the time in a name."""
    if found := _BY_TIME.fullmatch(path.stem):
        hours, minutes, seconds = map(Fraction, found.groups())
        return 3600 * hours + 60 * minutes + seconds
    number = _BY_NUMBER.fullmatch(path.stem)
    assert number is not None
    times = frame_times(film.path, film.index, film.start) if film.seekable else []
    place = int(number[1])
    return times[place] if place < len(times) else place / film.frame_rate
