"""Encodes planes to a piece: a file with the video stream alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import av
import ffmpeg
import numpy as np

from colorcli.files import unwritable
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, command, pipe, url
from colorcli.media.films.join import TIME_OFFSET, piece_muxer, piece_options

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from colorcli.errors import UnwritableMedia
    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.probe import Film

_BUFFER = 1 << 20


class FilmEncoder:
    """Encodes frames, each with its time, to a piece: a file with the video stream alone.

    As a context manager, it is killed on exit unless it was closed.

    Args:
        film: the film whose size, depth, colors, time base and sample aspect ratio the frames have.
        path: the piece; complete only after `close`.
        encoding: how to encode.
        target: the output that the piece belongs to, named in errors.

    Raises:
        UnwritableMedia: the file cannot be written.
        FfmpegMissing: ffmpeg is not available.
    """

    def __init__(self, film: Film, path: Path, encoding: Encoding, target: Path) -> None:
        self._film = film
        self._target = target
        self._kind = np.uint8 if film.depth == 8 else np.uint16
        self._shapes = (film.height, film.width), ((film.height + 1) // 2, (film.width + 1) // 2)
        self._process = FfmpegProcess(_arguments(film, path, encoding), writes=True)
        self._pipe = av.open(pipe(self._process.stdin), "w", format="nut", buffer_size=_BUFFER)
        self._stream = _raw_stream(self._pipe, film)
        self.frames = 0

    def __enter__(self) -> FilmEncoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def write(self, luma: NDArray[Any], u: NDArray[Any], v: NDArray[Any], time: Fraction) -> None:
        """Encode one frame.

        Args:
            luma: (H, W) uint8, or uint16 with 10-bit values, according to the depth of the film.
            u: (ceil(H / 2), ceil(W / 2)) of the same type.
            v: likewise.
            time: in seconds since the start of the film; later than the previous frame.

        Raises:
            UnwritableMedia: the disk is full, or ffmpeg exited.
        """
        assert (luma.shape, u.shape, v.shape) == (self._shapes[0], self._shapes[1], self._shapes[1])
        assert luma.dtype == u.dtype == v.dtype == self._kind
        packet = av.Packet(b"".join((luma.tobytes(), u.tobytes(), v.tobytes())))
        packet.stream = self._stream
        packet.time_base = self._film.time_base
        packet.pts = packet.dts = round((time + TIME_OFFSET) / self._film.time_base)
        packet.is_keyframe = True
        try:
            self._pipe.mux(packet)
        except BrokenPipeError as error:
            raise self._failure() from error
        self.frames += 1

    def close(self) -> None:
        """Encode the remaining frames and finish the file.

        Raises:
            UnwritableMedia: the disk is full, or ffmpeg exited with an error.
        """
        try:
            self._pipe.close()
            self._process.finish()
        except (BrokenPipeError, FfmpegFailed) as error:
            raise self._failure() from error

    def kill(self) -> None:
        """Kill ffmpeg."""
        self._process.kill()
        with contextlib.suppress(OSError, av.error.FFmpegError):
            self._pipe.close()
        self._process.close()

    def _failure(self) -> UnwritableMedia:
        try:
            self._process.finish()
        except (FfmpegFailed, OSError) as error:
            return unwritable(self._target, str(error))
        return unwritable(self._target, "ffmpeg exited too early")


def _raw_stream(container: Any, film: Film) -> Any:
    stream = container.add_stream("rawvideo", rate=film.frame_rate)
    stream.width, stream.height = film.width, film.height
    stream.pix_fmt = "yuv420p" if film.depth == 8 else "yuv420p10le"
    stream.time_base = stream.codec_context.time_base = film.time_base
    return stream


def _arguments(film: Film, path: Path, encoding: Encoding) -> list[str]:
    # Raw frames need no probing, which would hold five seconds of them in memory.
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
