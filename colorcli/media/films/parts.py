"""Writes a film in parts, so that a stopped run resumes after the last finished part.

Parts are kept in a hidden folder beside the output, `.NAME.parts/DIGEST/`, with a manifest. The digest covers
everything that affects a part, so that parts of other settings, another source or another ffmpeg are never mixed. All
parts are deleted when the film is finished.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from colorcli.documents import read_json
from colorcli.errors import UnwritableMedia
from colorcli.files import disk_errors, replacing, temporary_beside
from colorcli.media import shown
from colorcli.media.films import ffmpeg
from colorcli.media.films.encoder import FilmEncoder
from colorcli.media.films.join import PictureTiming, join
from colorcli.media.films.lock import locked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.containers import Destination
    from colorcli.media.films.film import Film
    from colorcli.media.pictures.metadata import Provenance

MIN_PART_SECONDS = Fraction(10)
"""The minimum duration of a part, which then extends to the end of the shot."""

_MAX_NAME_BYTES = 255  # limit of most file systems
_LAYOUT = 2  # version of the manifest and the pieces


@dataclass(frozen=True)
class _Part:
    name: str
    frames: int
    size: int
    last: str  # the time of its last frame in seconds, as a fraction
    runs_on: bool = False  # whether its last shot continues in the next part


class Parts:
    """A film being written part by part, starting with the parts that an earlier run with the same settings finished.

    Resume with `read_frames(..., after=parts.after, number=parts.frames)`. As a context manager, it keeps the finished
    parts on exit, unless `finish` was called.

    Args:
        film: the source.
        destination: as chosen by `choose_destination`.
        encoding: as chosen by `choose_encoding`.
        provenance: what made the colors; its `settings` must cover everything that affects them.
        min_seconds: the minimum duration of a part.
        alone: the number of the only part to write, from 1, and the time of the last frame before it, while other
            machines write the others; None to write all of them.

    Raises:
        UnwritableMedia: another run is writing the film, or the folder cannot be created; raised on entering.
        FfmpegMissing: ffmpeg is not available.
    """

    def __init__(
        self,
        film: Film,
        destination: Destination,
        encoding: Encoding,
        provenance: Provenance,
        min_seconds: Fraction = MIN_PART_SECONDS,
        alone: tuple[int, Fraction | None] | None = None,
    ) -> None:
        self._film = film
        self._destination = destination
        self._encoding = encoding
        self._provenance = provenance
        self._min_seconds = min_seconds
        self._alone = alone
        target = destination.path
        self._all = target.with_name(_folder_name(target))
        self._folder = self._all / _digest(film, destination, encoding, provenance)
        self._parts: list[_Part] = []
        self._lock = contextlib.ExitStack()
        self._encoder: FilmEncoder | None = None
        self._piece = temporary_beside(self._folder / "piece")
        self._began = self._last = Fraction(0)

    def __enter__(self) -> Parts:
        with disk_errors(self._destination.path):
            self._all.mkdir(parents=True, exist_ok=True)
            if self._alone is not None:
                return self
            if not self._lock.enter_context(locked(self._all / "lock")):
                self._lock.close()
                raise UnwritableMedia(
                    f"{shown(self._destination.path)}: another run is writing it.", "Wait until it has finished."
                )
        self._parts = self._read_manifest()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()
        if self._alone is not None:
            return
        with contextlib.suppress(OSError):  # already gone
            if not self._parts:
                shutil.rmtree(self._folder)
        self._lock.close()
        with contextlib.suppress(OSError):  # not empty, or already gone
            self._all.rmdir()

    @property
    def frames(self) -> int:
        """The number of frames in finished parts."""
        return sum(part.frames for part in self._parts)

    @property
    def after(self) -> Fraction | None:
        """The time of the last frame of the finished parts, in seconds; None if there are none."""
        return Fraction(self._parts[-1].last) if self._parts else None

    def write(
        self,
        luma: NDArray[Any],
        u: NDArray[Any],
        v: NDArray[Any],
        time: Fraction,
        alpha: NDArray[Any] | None = None,
    ) -> None:
        """Write the next frame; see `FilmEncoder.write`.

        Raises:
            UnwritableMedia: the disk is full or not writable. The finished parts stay.
        """
        if self._encoder is None:
            with disk_errors(self._destination.path):
                self._folder.mkdir(parents=True, exist_ok=True)
            self._encoder = FilmEncoder(self._film, self._piece, self._encoding, self._destination.path)
            self._began = time
        self._encoder.write(luma, u, v, time, alpha)
        self._last = time

    @property
    def runs_on(self) -> bool:
        """Whether the last shot of the finished parts continues."""
        return bool(self._parts) and self._parts[-1].runs_on

    def end_shot(self, *, runs_on: bool = False) -> bool:
        """End the part here, between two shots, if it is long enough.

        Args:
            runs_on: the shot continues in the next part, because it is too long for one.

        Returns:
            Whether the part ended. If so, everything remembered of earlier frames must be forgotten: a run resumed
            here does not have them, and must give the same film.

        Raises:
            UnwritableMedia: the disk is full or not writable. Earlier parts stay.
        """
        if self._encoder is None or self._last - self._began < self._min_seconds:
            return False
        self._end_part(runs_on)
        return True

    def end_alone(self, *, runs_on: bool) -> None:
        """End the only part to write, and leave a note beside it for the machine that joins all of them.

        Args:
            runs_on: its last shot continues in the next part.

        Raises:
            UnwritableMedia: the disk is full or not writable.
        """
        assert self._alone is not None
        number, after = self._alone
        part = self._close_piece(number, runs_on)
        with replacing(self._note(number)) as temporary:
            temporary.write_text(json.dumps(_note(part, after)), encoding="utf-8")

    def is_written(self, number: int, after: Fraction | None) -> bool:
        """Return whether a part that follows a frame was written, by a run of one machine or of several."""
        parts = self._parts or self._read_manifest()
        return number <= len(parts) or self._noted(number, after) is not None

    def _note(self, number: int) -> Path:
        return self._folder / f"{number:06}.json"

    def _noted(self, number: int, after: Fraction | None) -> _Part | None:
        """Return a part that another machine wrote; None if it did not, or if the part has changed since."""
        try:
            noted = read_json(self._note(number))
            part = _Part(**noted["part"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        path = self._folder / part.name
        intact = path.is_file() and path.stat().st_size == part.size
        return part if intact and noted == _note(part, after) else None

    def finish(self, jumps: Sequence[Fraction] = ()) -> None:
        """Join all parts into the film, and delete them.

        Args:
            jumps: the jumps that the reader found in the timestamps of a recording.

        Raises:
            UnwritableMedia: the disk is full or not writable, or no frame was written. The parts stay.
        """
        if self._encoder is not None:
            self._end_part()
        if not self._parts:
            raise UnwritableMedia(f"{self._film.name}: no frame to write.", "Check --start and --end.")
        pieces = [self._folder / part.name for part in self._parts]
        join(self._film, pieces, self._destination, self._provenance, self._timing(jumps))
        shutil.rmtree(self._all, ignore_errors=True)
        self._parts = []

    def _timing(self, jumps: Sequence[Fraction]) -> PictureTiming:
        """Return what joining needs to know of the frames: the last one lasts until the end, or as long as it did."""
        last = Fraction(self._parts[-1].last)
        end, film = self._destination.end, self._film
        duration = film.last_duration
        if end is not None:
            is_cut = film.duration is None or end < film.duration
            duration = end - last if is_cut else min(duration, end - last)
        return PictureTiming(last, self.frames, duration, tuple(jumps))

    def _end_part(self, runs_on: bool = False) -> None:
        self._parts.append(self._close_piece(len(self._parts) + 1, runs_on))
        self._write_manifest()

    def _close_piece(self, number: int, runs_on: bool) -> _Part:
        assert self._encoder is not None
        self._encoder.close()
        name = f"{number:06}.mov"
        with replacing(self._folder / name) as temporary:
            self._piece.replace(temporary)
        size = (self._folder / name).stat().st_size
        part = _Part(name, self._encoder.frames, size, str(self._last), runs_on)
        self._encoder = None
        return part

    def _drop(self) -> None:
        """Discard the unfinished part."""
        if self._encoder is not None:
            self._encoder.kill()
            self._encoder = None
        with contextlib.suppress(OSError):  # the folder may not exist, or not be a folder
            self._piece.unlink()

    def _write_manifest(self) -> None:
        text = json.dumps({"layout": _LAYOUT, "parts": [asdict(part) for part in self._parts]}, indent=1)
        with replacing(self._folder / "manifest.json") as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _read_manifest(self) -> list[_Part]:
        """Return the parts finished by earlier runs and by other machines, up to the first one that has changed."""
        try:
            listed = read_json(self._folder / "manifest.json")
            parts = [_Part(**each) for each in listed["parts"]]
        except (OSError, ValueError, KeyError, TypeError):
            parts = []
        found: list[_Part] = []
        for part in parts:
            path = self._folder / part.name
            if not path.is_file() or path.stat().st_size != part.size:
                return found
            found.append(part)
        while noted := self._noted(len(found) + 1, Fraction(found[-1].last) if found else None):
            found.append(noted)
        return found


def _note(part: _Part, after: Fraction | None) -> dict[str, Any]:
    """Describe a part, and the frame before it, so that it is joined only to what it was made to follow."""
    return {"layout": _LAYOUT, "after": None if after is None else str(after), "part": asdict(part)}


def _folder_name(target: Path) -> str:
    """Return the name of the folder with the parts of a film; names of files may be too long for an addition."""
    name = f".{target.name}.parts"
    if len(os.fsencode(name)) <= _MAX_NAME_BYTES:
        return name
    return f".colorcli-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}.parts"


def _digest(film: Film, destination: Destination, encoding: Encoding, provenance: Provenance) -> str:
    """Return a digest of everything that affects a part: runs with equal digests can share parts."""
    stamps = film.sequence.stats() if film.sequence else [film.path.stat()]
    deciding = {
        "layout": _LAYOUT,
        "source": [[each.st_size, each.st_mtime_ns] for each in stamps],
        "picture": [film.index, str(destination.start), str(destination.end)],
        "encoding": [
            encoding.codec,
            encoding.options,
            encoding.pixel_format,
            str(encoding.tick),
            encoding.constant_rate,
        ],
        "provenance": asdict(provenance),
        "ffmpeg": ffmpeg.version(),
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]
