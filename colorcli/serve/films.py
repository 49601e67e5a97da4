"""A film that the page works with: its shots, its frames, and the references that are kept for it.

What the page saves lies beside the film: its references and the list of its shots in `film.mp4-references/`, as
`colorcli run --references --shots` takes them.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import msgspec

from colorcli.errors import ColorcliError, OutputExists, UnreadableMedia, UsageError
from colorcli.files import disk_errors, open_regular, replacing, shown
from colorcli.film.shot_list import Shot, read_shots, write_shots
from colorcli.film.stills import find_stills, still_name
from colorcli.media.films.original import read_still
from colorcli.media.films.probe import probe
from colorcli.media.films.sequences import is_pattern
from colorcli.serve.album import PictureGone
from colorcli.serve.settings import MAX_SETTINGS_BYTES, ReferenceSettings, parse_settings
from colorcli.serve.shot_search import FoundShot, ShotSearch, milliseconds

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.film.references import Reference
    from colorcli.jobs import Job
    from colorcli.serve.album import Album
    from colorcli.serve.coloring import ColoredFile

_QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # for frames that stay in memory


class FilmNotFound(ColorcliError):
    """The film is not in the folder, the film is not open, or the reference or output does not exist."""


class OpenFilm:
    """A film that the page works with.

    Args:
        key: key by which requests name the film.
        job: the film, and the output beside it.
        frame_rate: frame rate of numbered pictures; None for 24.

    Attributes:
        film: the probed film.
        frame_rate: the given frame rate.
        folder: where its references are.

    Raises:
        UnreadableMedia: it is not a film, or cannot be decoded.
        UsageError: the list of shots beside it is wrong.
    """

    def __init__(self, key: str, job: Job, frame_rate: Fraction | None = None) -> None:
        self.key = key
        self.job = job
        self.film = probe(job.source, frame_rate=frame_rate)
        self.frame_rate = frame_rate
        self.folder = references_of(job.source)
        self._table = self.folder / "shots.csv"
        self._table_read = ""
        self._listed: list[FoundShot] | None = None
        self._search = ShotSearch(job, self.film)
        self._frames: dict[Fraction, str] = {}
        self.refresh()
        self.resume()

    # Shots

    @property
    def shots(self) -> list[FoundShot]:
        """The shots found so far."""
        return self._search.shots if self._listed is None else self._listed

    @property
    def complete(self) -> bool:
        """Whether all shots are known."""
        return self._listed is not None or self._search.finished

    @property
    def version(self) -> str:
        """A text that differs whenever the table or the folder of references has changed."""
        return f"{_stamp(self._table)}-{_stamp(self.folder)}"

    def refresh(self) -> None:
        """Read the table of shots again if somebody has edited it; without one, look for the shots.

        Raises:
            UsageError: the table is wrong.
        """
        if (stamp := _stamp(self._table)) != self._table_read:
            self._listed = self._read_table() if stamp else None
            self._table_read = stamp
            self.resume()

    def resume(self) -> None:
        """Begin to look for the shots, or begin again if that was stopped."""
        if self.complete or self._search.is_alive():
            return
        if self._search.ident is not None:
            self._search = ShotSearch(self.job, self.film)
        self._search.start()

    def rest(self) -> None:
        """Stop looking for shots."""
        if self._search.is_alive():
            self._search.stop()

    def _read_table(self) -> list[FoundShot]:
        times = [each.time for each in self.references()]
        return [
            FoundShot(
                each.start,
                each.end,
                next((time for time in times if each.start <= time < each.end), (each.start + each.end) / 2),
            )
            for each in self._shots_in_table()
        ]

    def _shots_in_table(self) -> tuple[Shot, ...]:
        return read_shots(self._table) if self._table.exists() else ()

    # Frames

    def frame(self, album: Album, time: Fraction) -> str:
        """Return the key of the picture of a frame in the album, adding the frame if necessary.

        Raises:
            UsageError: the film shows no frame at that time.
            UnreadableMedia: no frame can be decoded.
        """
        try:
            album.get(self._frames[time])
        except (KeyError, PictureGone):
            pixels = read_still(self.film, time)
            content: bytes = cv2.imencode(".png", pixels[..., ::-1], _QUICK)[1].tobytes()
            self._frames[time] = album.add(f"{named(self.job.source).stem}-{still_name(time)}", content)
        return self._frames[time]

    # References

    def references(self) -> list[Reference]:
        """Return the stills in the folder of references, by time; if the table names any, only those.

        Raises:
            UsageError: the table is wrong, or names a still that does not exist.
        """
        shots = self._shots_in_table()
        try:
            return sorted(find_stills(self.film, self.folder, shots), key=lambda each: each.time)
        except (UnreadableMedia, UsageError):
            if any(each.references for each in shots):
                raise
            return []  # no folder, or nothing in it

    def keep(self, still: ColoredFile, settings: ReferenceSettings) -> Reference:
        """Write a reference, and beside it how it was colored, so that it can be corrected again.

        Raises:
            OutputExists: a still of that time exists that the page has not written.
            UnwritableMedia: the disk refuses.
        """
        path = self.folder / still_name(as_time(settings.time))
        if path.exists():
            self._check_ours(path)
        with replacing(path) as temporary:
            temporary.write_bytes(still.content)
        with replacing(_beside(path)) as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(settings)))
        self._save_shots()
        self._name_in_table(path.name, as_time(settings.time))
        return next(each for each in self.references() if each.path.name == path.name)

    def forget(self, name: str) -> None:
        """Remove a reference that the page has written.

        Raises:
            FilmNotFound: no film has that name.
            OutputExists: the page has not written it.
            UnwritableMedia: the disk refuses.
        """
        found = next((each for each in self.references() if each.path.name == name), None)
        if found is None:
            raise FilmNotFound("This reference does not exist.", "Reload the page.")
        self._check_ours(found.path)
        self._name_in_table(name, None)
        with disk_errors(found.path):
            for path in (found.path, _beside(found.path)):
                path.unlink(missing_ok=True)

    def inputs(self) -> tuple[Path | None, Path | None]:
        """Return the folder of references and the table of shots as `colorcli run` takes them, where there are any."""
        if not self.references():
            return None, None
        self._save_shots()
        return self.folder, self._table if self._table.exists() else None

    def _save_shots(self) -> None:
        if self.complete and not self._table.exists():
            write_shots(self._table, [Shot(each.start, each.end) for each in self.shots])
            self._table_read = _stamp(self._table)  # the shots that were found have better frames

    def _name_in_table(self, name: str, time: Fraction | None) -> None:
        """If the table names stills, so that others do not count, name one for the shot at a time, or for none."""
        shots = self._shots_in_table()
        if not any(each.references for each in shots):
            return
        named = [
            replace(each, references=tuple(dict.fromkeys([*each.references, name])))
            if time is not None and each.start <= time < each.end
            else replace(each, references=tuple(other for other in each.references if other != name))
            for each in shots
        ]
        write_shots(self._table, named)

    def _check_ours(self, path: Path) -> None:
        if not _beside(path).exists():
            raise OutputExists(
                f"{shown(path)} was not written by this page, and is kept.", "Move it away to color the frame here."
            )

    # Descriptions

    def describe(self) -> dict[str, Any]:
        """Describe it for the page, without its shots."""
        film = self.film
        width, height = round(film.width * film.sample_aspect_ratio), film.height
        if film.rotation % 180:
            width, height = height, width
        return {
            "key": self.key,
            "name": named(self.job.source).name,
            "numbered": self.film.sequence is not None,
            "width": width,
            "height": height,
            "duration": None if film.duration is None else float(film.duration),
            "rate": float(film.frame_rate),
            "remarks": list(film.notes),
            "folder": str(self.folder),
            "references": self._described_references(),
            "version": self.version,
        }

    def _described_references(self) -> list[dict[str, Any]]:
        return [self.describe_reference(each) for each in self.references()]

    def describe_reference(self, reference: Reference) -> dict[str, Any]:
        """Describe a reference for the page, with the settings that it was colored with if the page has written it."""
        settings = _read_settings(_beside(reference.path))
        return {
            "name": reference.path.name,
            "time": milliseconds(reference.time),
            "settings": None if settings is None else msgspec.to_builtins(settings),
        }

    def progress(self, known: int, version: str | None) -> dict[str, Any]:
        """Describe the progress of the search, and what a page does not have yet.

        Args:
            known: how many shots the page already has.
            version: the version that the page already has; if it has changed, everything is described. None describes
                everything.

        Raises:
            UsageError: the table of shots has been edited, and is wrong.
        """
        self.refresh()
        now = self.version
        same = version is None or version == now
        first = known if same else 0
        duration, error = self.film.duration, self._search.error
        return {
            "version": now,
            "first": first,
            "shots": [each.describe() for each in self.shots[first:]],
            "references": None if same else self._described_references(),
            "complete": self.complete,
            "looked": None if not duration else min(1.0, float(self._search.looked / duration)),
            "problem": None if error is None else {"message": error.message, "hint": error.hint},
        }


def as_time(seconds: float) -> Fraction:
    """Return the time that the page means, to the millisecond."""
    return Fraction(round(seconds * 1000), 1000)


def named(film: Path) -> Path:
    """Return what a film is called by: its file, or the folder of its numbered pictures."""
    return film.parent if is_pattern(film) else film


def references_of(film: Path) -> Path:
    """Return the folder of a film's references; the suffix of the film is part of its name, as others may share it."""
    return named(film).with_name(f"{named(film).name}-references")


def _stamp(path: Path) -> str:
    """Return a text that differs after a file or folder has changed; empty if there is none."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns}.{status.st_size}"


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _read_settings(path: Path) -> ReferenceSettings | None:
    try:
        with open_regular(path) as file:
            return parse_settings(file.read(MAX_SETTINGS_BYTES + 1), ReferenceSettings)
    except (OSError, UsageError):
        return None
