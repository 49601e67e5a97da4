"""The films that the page may open: those in a folder that was named on the command line.

A film is asked for by a key that the server made, never by a path. What the page saves lies beside the film: its
references and the list of its shots in `film-references/`, as `colorcli run --references --shots` takes them.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import msgspec
import torch

from colorcli.errors import ColorcliError, OutputExists, UnreadableMedia, UsageError
from colorcli.files import disk_errors, open_regular, replacing, shown
from colorcli.film.representatives import representatives
from colorcli.film.shot_list import Shot, read_shots, write_shots
from colorcli.film.stills import find_stills, still_name
from colorcli.inference.batch import explained
from colorcli.jobs import Job, plan
from colorcli.media.films.original import read_still
from colorcli.media.films.probe import probe
from colorcli.media.films.sequences import is_pattern
from colorcli.serve.album import PictureGone
from colorcli.serve.settings import LARGEST, ReferenceSettings, parse_settings

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.film.references import Reference
    from colorcli.serve.album import Album
    from colorcli.serve.coloring import ColoredFile

_QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # of frames that stay in memory


class FilmNotFound(ColorcliError):
    """The folder of films has no such film, the film is not open, or it has no such reference or output."""


@dataclass(frozen=True)
class FoundShot:
    """A shot, and the frame that stands for it.

    Attributes:
        start: where it begins, in seconds.
        end: where it ends.
        time: of the frame.
    """

    start: Fraction
    end: Fraction
    time: Fraction

    def describe(self) -> dict[str, float]:
        """Describe it for the page: times in seconds, rounded up to milliseconds."""
        return {"start": _seconds(self.start), "end": _seconds(self.end), "time": _seconds(self.time)}


class _Stopped(Exception):
    """Nobody wants the shots any more."""


class ShotSearch(threading.Thread):
    """Finds the shots of a film in a thread of its own, while the page works with those that are found.

    Args:
        job: with the film.

    Attributes:
        shots: found so far.
        looked: how many seconds of the film have been looked at.
        finished: whether all shots are found.
        error: why the search ended early; None if it did not.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(name="colorcli-shots", daemon=True)
        self.shots: list[FoundShot] = []
        self.looked = Fraction(0)
        self.finished = False
        self.error: ColorcliError | None = None
        self._job = job
        self._stop_wanted = threading.Event()

    def run(self) -> None:
        """Find them."""
        torch.set_num_threads(1)  # of this thread; the other cores belong to previews
        try:
            for each in representatives(probe(self._job.source), self._look):
                self.shots.append(FoundShot(each.start, each.end, each.time))
            self.finished = True
        except _Stopped:
            pass
        except Exception as error:
            self.error = explained(self._job, error)

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self._stop_wanted.set()
        self.join()

    def _look(self, time: Fraction) -> None:
        if self._stop_wanted.is_set():
            raise _Stopped
        self.looked = time


class OpenFilm:
    """A film that the page works with.

    Args:
        key: that it is asked for with.
        job: the film, and the output beside it.

    Raises:
        UnreadableMedia: it is not a film, or cannot be decoded.
        UsageError: the list of shots beside it is wrong.
    """

    def __init__(self, key: str, job: Job) -> None:
        self.key = key
        self.job = job
        self.film = probe(job.source)
        self.folder = job.source.with_name(f"{job.source.stem}-references")
        self._table = self.folder / "shots.csv"
        self._listed = self._read_table() if self._table.exists() else None
        self._search = ShotSearch(job)
        self._frames: dict[Fraction, str] = {}
        self.resume()

    # Shots

    @property
    def shots(self) -> list[FoundShot]:
        """Those that are known by now."""
        return self._search.shots if self._listed is None else self._listed

    @property
    def complete(self) -> bool:
        """Whether all shots are known."""
        return self._listed is not None or self._search.finished

    def resume(self) -> None:
        """Begin to look for the shots, or begin again if that was stopped."""
        if self.complete or self._search.is_alive():
            return
        if self._search.ident is not None:
            self._search = ShotSearch(self.job)
        self._search.start()

    def rest(self) -> None:
        """Stop looking for shots."""
        if self._search.is_alive():
            self._search.stop()

    def _read_table(self) -> list[FoundShot]:
        times = [each.time for each in self.references()]
        shots = read_shots(self._table)
        return [
            FoundShot(
                each.start,
                each.end,
                next((time for time in times if each.start <= time < each.end), (each.start + each.end) / 2),
            )
            for each in shots
        ]

    # Frames

    def frame(self, album: Album, time: Fraction) -> str:
        """Return the key of the picture of a frame in the album, which it is added to if need be.

        Raises:
            UsageError: the film shows no frame at that time.
            UnreadableMedia: no frame can be decoded.
        """
        try:
            album.get(self._frames[time])
        except (KeyError, PictureGone):
            pixels = read_still(self.film, time)
            content: bytes = cv2.imencode(".png", pixels[..., ::-1], _QUICK)[1].tobytes()
            self._frames[time] = album.add(f"{self.job.source.stem}-{still_name(time)}", content)
        return self._frames[time]

    # References

    def references(self) -> list[Reference]:
        """Return the stills in the folder of references, by time."""
        try:
            return sorted(find_stills(self.film, self.folder, ()), key=lambda each: each.time)
        except (UnreadableMedia, UsageError):  # no folder, or nothing in it
            return []

    def keep(self, still: ColoredFile, settings: ReferenceSettings) -> Reference:
        """Write a reference, and beside it how it was colored, so that it can be corrected again.

        Raises:
            OutputExists: a still of that time is there that the page has not written.
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
        return next(each for each in self.references() if each.path.name == path.name)

    def forget(self, name: str) -> None:
        """Remove a reference that the page has written.

        Raises:
            FilmNotFound: there is none of that name.
            OutputExists: the page has not written it.
            UnwritableMedia: the disk refuses.
        """
        found = next((each for each in self.references() if each.path.name == name), None)
        if found is None:
            raise FilmNotFound("This reference does not exist.", "Reload the page.")
        self._check_ours(found.path)
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
            "name": self.job.source.name,
            "width": width,
            "height": height,
            "duration": None if film.duration is None else float(film.duration),
            "rate": float(film.frame_rate),
            "remarks": list(film.notes),
            "folder": str(self.folder),
            "references": [self.describe_reference(each) for each in self.references()],
        }

    def describe_reference(self, reference: Reference) -> dict[str, Any]:
        """Describe a reference for the page, with the settings that it was colored with if the page has written it."""
        settings = _read_settings(_beside(reference.path))
        return {
            "name": reference.path.name,
            "time": _seconds(reference.time),
            "settings": None if settings is None else msgspec.to_builtins(settings),
        }

    def progress(self, known: int) -> dict[str, Any]:
        """Describe the shots from a number on, and how far the search is."""
        duration, error = self.film.duration, self._search.error
        return {
            "shots": [each.describe() for each in self.shots[known:]],
            "complete": self.complete,
            "looked": None if not duration else min(1.0, float(self._search.looked / duration)),
            "problem": None if error is None else {"message": error.message, "hint": error.hint},
        }


class FilmFolder:
    """The films in a folder, of which those that were asked for are open.

    Args:
        path: the folder; None for no films at all.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._open: dict[str, OpenFilm] = {}

    def jobs(self) -> dict[str, Job]:
        """Find the films, and the output beside each of them, as `colorcli run FILM` writes it; by key."""
        if self.path is None:
            return {}
        found = {}
        for job in plan([self.path], None).films:
            if not is_pattern(job.source):
                key = hashlib.sha256(job.relative.encode("utf-8", "surrogateescape")).hexdigest()[:16]
                (own,) = plan([job.source], None).jobs or (None,)
                if own is not None:
                    found[key] = Job(job.source, own.target, job.relative, film=True)
        return found

    def listed(self) -> list[dict[str, Any]]:
        """Describe the films for the page."""
        return [
            {
                "key": key,
                "name": job.relative,
                "bytes": job.source.stat().st_size,
                "colored": job.target.exists(),
            }
            for key, job in self.jobs().items()
            if job.source.is_file()
        ]

    def open(self, key: str) -> OpenFilm:
        """Open a film and look for its shots; the search in another film is stopped.

        Raises:
            FilmNotFound: the folder has no such film.
            UnreadableMedia: it is not a film, or cannot be decoded.
        """
        job = self.jobs().get(key)
        if job is None:
            raise FilmNotFound("This film is not in the folder any more.", "Reload the page.")
        for other in self._open.values():
            if other.key != key:
                other.rest()
        if key not in self._open:
            self._open[key] = OpenFilm(key, job)
        self._open[key].resume()
        return self._open[key]

    def get(self, key: str) -> OpenFilm:
        """Return a film that is open.

        Raises:
            FilmNotFound: it is not.
        """
        if key not in self._open:
            raise FilmNotFound("This film is not open.", "Open it again.")
        return self._open[key]

    def close(self) -> None:
        """Stop every search."""
        for film in self._open.values():
            film.rest()


def as_time(seconds: float) -> Fraction:
    """Return the time that the page means, to the millisecond."""
    return Fraction(round(seconds * 1000), 1000)


def _seconds(time: Fraction) -> float:
    """Round a time up to milliseconds, so that the frame that begins then is on screen."""
    return -(-time * 1000 // 1) / 1000


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _read_settings(path: Path) -> ReferenceSettings | None:
    try:
        with open_regular(path) as file:
            return parse_settings(file.read(LARGEST + 1), ReferenceSettings)
    except (OSError, UsageError):
        return None
