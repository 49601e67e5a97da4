"""The encoded parts of a film, kept until it is whole: a run that was stopped goes on from the last of them.

They lie in a hidden folder beside the film, `.NAME.parts/DIGEST/`, with a manifest. The digest stands for everything
that decides what a part looks like, so that parts of other settings, another source or another ffmpeg never mix; they
are all deleted when the film is finished.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from colorcli.errors import UnwritableMedia
from colorcli.files import disk_errors, replacing, temporary_beside
from colorcli.media.films import ffmpeg
from colorcli.media.films.join import join
from colorcli.media.films.sink import Encoder

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.containers import Destination
    from colorcli.media.films.probe import Film
    from colorcli.media.pictures.metadata import Provenance

SHORTEST = Fraction(10)
"""A part lasts at least so many seconds, and then to the end of the shot."""

_LAYOUT = 1  # of the manifest and the pieces


@dataclass(frozen=True)
class _Part:
    name: str
    frames: int
    size: int
    last: str  # when its last frame is shown, in seconds, as a fraction
    runs_on: bool = False  # whether its last shot goes on in the next part


class Parts:
    """A film that is being written part by part; see `open_parts`.

    Leaving it as a context manager keeps the finished parts, unless `finish` was called.

    Attributes:
        frames: how many frames the finished parts hold; at first, those of earlier runs.
        after: when the last of them is shown, in seconds since the film's start; None where there is none.
    """

    def __init__(
        self,
        film: Film,
        destination: Destination,
        encoding: Encoding,
        provenance: Provenance,
        shortest: Fraction,
    ) -> None:
        self._film = film
        self._destination = destination
        self._encoding = encoding
        self._provenance = provenance
        self._shortest = shortest
        target = destination.path
        self._all = target.with_name(f".{target.name}.parts")
        self._folder = self._all / _digest(film, destination, encoding, provenance)
        self._parts = self._read_manifest()
        self._encoder: Encoder | None = None
        self._piece = temporary_beside(self._folder / "piece")
        self._began = self._last = Fraction(0)

    def __enter__(self) -> Parts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()
        with contextlib.suppress(OSError):  # where there is nothing to keep, or it is gone already
            if not self._parts:
                shutil.rmtree(self._folder)
            self._all.rmdir()

    @property
    def frames(self) -> int:
        """How many frames are in finished parts."""
        return sum(part.frames for part in self._parts)

    @property
    def after(self) -> Fraction | None:
        """When the last frame of the finished parts is shown."""
        return Fraction(self._parts[-1].last) if self._parts else None

    def write(self, luma: NDArray[Any], u: NDArray[Any], v: NDArray[Any], time: Fraction) -> None:
        """Write the next frame; see `sink.Encoder.write`.

        Raises:
            UnwritableMedia: the disk is full or refuses. The finished parts stay.
        """
        if self._encoder is None:
            with disk_errors(self._destination.path):
                self._folder.mkdir(parents=True, exist_ok=True)
            self._encoder = Encoder(self._film, self._piece, self._encoding, self._destination.path)
            self._began = time
        self._encoder.write(luma, u, v, time)
        self._last = time

    @property
    def runs_on(self) -> bool:
        """Whether the last shot of the finished parts is not at its end."""
        return bool(self._parts) and self._parts[-1].runs_on

    def end_shot(self, *, runs_on: bool = False) -> bool:
        """End the part here, if it is long enough: between the frame written last and the next a new shot begins.

        Args:
            runs_on: it is the same shot that goes on, because it is too long for one part.

        Returns:
            Whether it ended. Then all that is remembered of earlier frames must be forgotten, as a run that goes on
            from here knows nothing of them, and has to give the same film.

        Raises:
            UnwritableMedia: the disk is full or refuses. The parts finished before stay.
        """
        if self._encoder is None or self._last - self._began < self._shortest:
            return False
        self._end_part(runs_on)
        return True

    def finish(self) -> None:
        """Join all parts to the film, and delete them.

        Raises:
            UnwritableMedia: the disk is full or refuses, or there was no frame. The parts stay.
        """
        if self._encoder is not None:
            self._end_part()
        if not self._parts:
            raise UnwritableMedia(f"{self._film.name}: there is not one frame to write.", "Check --start and --end.")
        pieces = [self._folder / part.name for part in self._parts]
        join(self._film, pieces, self._destination, self._provenance)
        shutil.rmtree(self._all, ignore_errors=True)
        self._parts = []

    def _end_part(self, runs_on: bool = False) -> None:
        assert self._encoder is not None
        self._encoder.close()
        name = f"{len(self._parts) + 1:06}.mov"
        with replacing(self._folder / name) as temporary:
            self._piece.replace(temporary)
        size = (self._folder / name).stat().st_size
        self._parts.append(_Part(name, self._encoder.frames, size, str(self._last), runs_on))
        self._write_manifest()
        self._encoder = None

    def _drop(self) -> None:
        """Forget the part that is not finished."""
        if self._encoder is not None:
            self._encoder.kill()
            self._encoder = None
        self._piece.unlink(missing_ok=True)

    def _write_manifest(self) -> None:
        text = json.dumps({"layout": _LAYOUT, "parts": [asdict(part) for part in self._parts]}, indent=1)
        with replacing(self._folder / "manifest.json") as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _read_manifest(self) -> list[_Part]:
        """Return the parts that earlier runs finished, up to the first that is not as it was left."""
        try:
            listed = json.loads((self._folder / "manifest.json").read_text(encoding="utf-8"))
            parts = [_Part(**each) for each in listed["parts"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        found: list[_Part] = []
        for part in parts:
            path = self._folder / part.name
            if not path.is_file() or path.stat().st_size != part.size:
                break
            found.append(part)
        return found


def open_parts(
    film: Film,
    destination: Destination,
    encoding: Encoding,
    provenance: Provenance,
    *,
    shortest: Fraction = SHORTEST,
) -> Parts:
    """Open a film for writing in parts, with those that an earlier run with the same settings finished.

    Go on with `source.frames(..., after=parts.after, number=parts.frames)`.

    Args:
        film: the source.
        destination: where to, as `containers.choose_destination` found it.
        encoding: how, as `codecs.choose_encoding` found it.
        provenance: what made the colors; its settings are to name everything that decides them.
        shortest: the least seconds of a part.

    Raises:
        FfmpegMissing: there is no ffmpeg.
    """
    return Parts(film, destination, encoding, provenance, shortest)


def _digest(film: Film, destination: Destination, encoding: Encoding, provenance: Provenance) -> str:
    """Return what is the same for two runs only if either may go on from the other's parts."""
    stamp = film.path.stat()
    deciding = {
        "layout": _LAYOUT,
        "source": [stamp.st_size, stamp.st_mtime_ns],
        "picture": [film.index, str(destination.start), str(destination.end)],
        "encoding": [encoding.codec, encoding.options, encoding.pixel_format],
        "provenance": asdict(provenance),
        "ffmpeg": ffmpeg.version(),
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]
