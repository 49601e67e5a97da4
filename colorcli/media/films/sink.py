"""Films out: planes in, a file with everything that the source had, out."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import av
import ffmpeg
import numpy as np

from colorcli.files import disk_errors, temporary_beside, unwritable
from colorcli.media.films.ffmpeg import FfmpegFailed, Process, command, pipe, url
from colorcli.media.films.join import LEAD, join, piece_muxer, piece_options

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from colorcli.errors import UnwritableMedia
    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.containers import Destination
    from colorcli.media.films.probe import Film
    from colorcli.media.pictures.metadata import Provenance

_BUFFER = 1 << 20


class Encoder:
    """An ffmpeg that encodes frames, with the times that they are given, to a piece: a file of the picture alone.

    Killed when left as a context manager, unless it was closed.

    Args:
        film: whose size, depth, colors, clock and pixels' shape the frames have.
        path: the file; it is of use only after `close`.
        encoding: how.
        target: the film that it is for, to name in errors.

    Raises:
        UnwritableMedia: the file cannot be made.
        FfmpegMissing: there is no ffmpeg.
    """

    def __init__(self, film: Film, path: Path, encoding: Encoding, target: Path) -> None:
        self._film = film
        self._target = target
        self._kind = np.uint8 if film.depth == 8 else np.uint16
        self._shapes = (film.height, film.width), ((film.height + 1) // 2, (film.width + 1) // 2)
        self._process = Process(_arguments(film, path, encoding), writes=True)
        self._pipe = av.open(pipe(self._process.stdin), "w", format="nut", buffer_size=_BUFFER)
        self._stream = _raw_stream(self._pipe, film)
        self.frames = 0

    def __enter__(self) -> Encoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def write(self, luma: NDArray[Any], u: NDArray[Any], v: NDArray[Any], time: Fraction) -> None:
        """Encode one frame.

        Args:
            luma: (H, W) uint8, or uint16 of 10-bit values, as the film's depth is.
            u: (ceil(H / 2), ceil(W / 2)) of the same type.
            v: likewise.
            time: when it is shown, in seconds since the film's start; later than the frame before.

        Raises:
            UnwritableMedia: the disk is full, or ffmpeg ended.
        """
        assert (luma.shape, u.shape, v.shape) == (self._shapes[0], self._shapes[1], self._shapes[1])
        assert luma.dtype == u.dtype == v.dtype == self._kind
        packet = av.Packet(b"".join((luma.tobytes(), u.tobytes(), v.tobytes())))
        packet.stream = self._stream
        packet.time_base = self._film.time_base
        packet.pts = packet.dts = round((time + LEAD) / self._film.time_base)
        packet.is_keyframe = True
        try:
            self._pipe.mux(packet)
        except BrokenPipeError as error:
            raise self._failure() from error
        self.frames += 1

    def close(self) -> None:
        """Encode what is left and finish the file.

        Raises:
            UnwritableMedia: the disk is full, or ffmpeg ended with an error.
        """
        try:
            self._pipe.close()
            self._process.finish()
        except (BrokenPipeError, FfmpegFailed) as error:
            raise self._failure() from error

    def kill(self) -> None:
        """End ffmpeg, whatever it is doing."""
        self._process.kill()
        with contextlib.suppress(OSError, av.error.FFmpegError):
            self._pipe.close()
        self._process.close()

    def _failure(self) -> UnwritableMedia:
        try:
            self._process.finish()
        except (FfmpegFailed, OSError) as error:
            return unwritable(self._target, str(error))
        return unwritable(self._target, "ffmpeg ended too early")


def _raw_stream(container: Any, film: Film) -> Any:
    stream = container.add_stream("rawvideo", rate=film.frame_rate)
    stream.width, stream.height = film.width, film.height
    stream.pix_fmt = "yuv420p" if film.depth == 8 else "yuv420p10le"
    stream.time_base = stream.codec_context.time_base = film.time_base
    return stream


def _arguments(film: Film, path: Path, encoding: Encoding) -> list[str]:
    # Nothing is to be found out of raw frames, and guessing their rate would hold five seconds of them in memory.
    source = ffmpeg.input("pipe:0", format="nut", probesize=32, analyzeduration=0, fpsprobesize=0, copyts=None)
    aspect = film.sample_aspect_ratio
    filters = [
        f"setparams=range={film.range}:colorspace={film.matrix}:color_trc={film.transfer}"
        f":color_primaries={film.primaries}:field_mode=prog",
        f"setsar={aspect.numerator}/{aspect.denominator}",
        encoding.filters,
    ]
    output = source["v"].output(
        url(path),
        format=piece_muxer(encoding.family),
        vf=",".join(filters),
        fps_mode="passthrough",
        enc_time_base=str(film.time_base),
        vcodec=encoding.codec,
        **piece_options(film),
        **encoding.options,
    )
    return command(output)


class Sink:
    """A film that is being written: whole at the end, or not there at all. See `open_sink`."""

    def __init__(self, film: Film, destination: Destination, encoding: Encoding, provenance: Provenance) -> None:
        self._film = film
        self._destination = destination
        self._provenance = provenance
        self._piece = temporary_beside(destination.path)
        with disk_errors(destination.path):
            destination.path.parent.mkdir(parents=True, exist_ok=True)
        self._encoder = Encoder(film, self._piece, encoding, destination.path)

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._encoder.kill()
            self._piece.unlink(missing_ok=True)

    def write(self, luma: NDArray[Any], u: NDArray[Any], v: NDArray[Any], time: Fraction) -> None:
        """Write one frame; see `Encoder.write`."""
        self._encoder.write(luma, u, v, time)

    def close(self) -> None:
        """Join the picture with everything else, and give the file its name."""
        self._encoder.close()
        join(self._film, [self._piece], self._destination, self._provenance)


def open_sink(film: Film, destination: Destination, encoding: Encoding, provenance: Provenance) -> Sink:
    """Open a film for writing, without parts that a killed run could go on from (see `parts`).

    Args:
        film: the source, whose other streams, chapters, metadata, rotation and clock the new film has.
        destination: where to, as `containers.choose_destination` found it.
        encoding: how, as `codecs.choose_encoding` found it.
        provenance: what made the colors.

    Raises:
        UnwritableMedia: it cannot be written; nothing is left behind.
        FfmpegMissing: there is no ffmpeg.
    """
    return Sink(film, destination, encoding, provenance)
