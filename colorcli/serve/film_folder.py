"""The films that the page may open: those in a folder that was named on the command line.

A film is requested by a key that the server made, never by a path.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from colorcli.errors import UnreadableMedia
from colorcli.jobs import Job, plan
from colorcli.media.films import SUFFIXES
from colorcli.media.films.sequences import RECORD, find_sequence, is_pattern
from colorcli.serve.films import FilmNotFound, OpenFilm, named, references_of

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from colorcli.jobs import Plan


class FilmFolder:
    """The films in a folder, of which those that were requested are open.

    Args:
        path: the folder; None for no films at all.
        frame_rate: frame rate of numbered pictures. With it, pictures that might be photographs are films, too, if
            they are numbered; None for 24.
    """

    def __init__(self, path: Path | None, frame_rate: Fraction | None = None) -> None:
        self.path = path
        self._frame_rate = frame_rate
        self._open: dict[str, OpenFilm] = {}

    def jobs(self) -> dict[str, Job]:
        """Find the films, and the output beside each of them, as `colorcli run FILM` writes it; by key."""
        if self.path is None:
            return {}
        films = self._plan(self.path).films
        references = {references_of(job.source) for job in films}  # stills have numbers in their names, too
        found = {}
        for job in films:
            key = hashlib.sha256(job.relative.encode("utf-8", "surrogateescape")).hexdigest()[:16]
            (own,) = plan([job.source], None).jobs or (None,)
            if own is not None and job.source.parent not in references:
                found[key] = Job(job.source, own.target, job.relative, film=True)
        return found

    def _plan(self, path: Path) -> Plan:
        return plan([path], None, sequences=self._frame_rate is not None)

    def left_out(self) -> list[str]:
        """Return why films are not offered, such as two that would be written to one file."""
        if self.path is None:
            return []
        return [str(error) for path, error in self._plan(self.path).problems if path.suffix.lower() in SUFFIXES]

    def listed(self) -> list[dict[str, Any]]:
        """Describe the films for the page."""
        return [
            {"key": key, "name": _listed_name(job), **_size_of(job.source), "colored": is_there(job.target)}
            for key, job in self.jobs().items()
            if is_pattern(job.source) or job.source.is_file()
        ]

    def open(self, key: str) -> OpenFilm:
        """Open a film and look for its shots; the search in another film is stopped.

        Raises:
            FilmNotFound: the film is not in the folder.
            UnreadableMedia: it is not a film, or cannot be decoded.
        """
        job = self.jobs().get(key)
        if job is None:
            raise FilmNotFound("This film is no longer in the folder.", "Reload the page.")
        for other in self._open.values():
            if other.key != key:
                other.rest()
        if key in self._open:
            self._open[key].refresh()
            self._open[key].resume()
        else:
            self._open[key] = OpenFilm(key, job, self._frame_rate if is_pattern(job.source) else None)
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


def is_there(output: Path) -> bool:
    """Decide whether a film has been written; numbered pictures have a record beside them."""
    return output.with_name(RECORD).exists() if is_pattern(output) else output.exists()


def _listed_name(job: Job) -> str:
    """Return the name of a film with its path in the folder of films."""
    folder, slash, _ = job.relative.rpartition("/")
    return (folder if slash else named(job.source).name) if is_pattern(job.source) else job.relative


def _size_of(film: Path) -> dict[str, int | None]:
    """Describe how large a film is: the bytes of its file, or the number of its pictures."""
    if not is_pattern(film):
        return {"bytes": film.stat().st_size, "pictures": None}
    try:
        return {"bytes": None, "pictures": find_sequence(film).count}
    except UnreadableMedia:  # one is missing; opening the film reports that
        return {"bytes": None, "pictures": None}
