"""Encodes planes to a piece: a file with the video stream alone."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import ffmpeg
import numpy as np

from colorcli.errors import UnwritableMedia, UsageError
from colorcli.files import unwritable
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, command, pipe, url
from colorcli.media.films.pieces import TIME_OFFSET, piece_muxer, piece_options

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.film import Film

_BUFFER = 1 << 20
_MAX_COARSE = 65_535  # ticks per second that MPEG-4 supports
_TRIAL_FRAMES = 3


class FilmEncoder:
    """Encodes frames, each with its time, to a piece: a file with the video stream alone.

    As a context manager, it is killed on exit unless it was closed.

    Args:
        film: the film whose size, depth, colors, time base and sample aspect ratio the frames have.
        path: the piece; complete only after `close`.
        encoding: how to encode.
        target: the output that the piece belongs to, named in errors.

    Attributes:
        frames: how many were written.
        reason: why ffmpeg failed, in its own words; empty unless it did.

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
        self._stream = _raw_stream(self._pipe, film, alpha=encoding.alpha)
        self.frames = 0
        self.reason = ""

    def __enter__(self) -> FilmEncoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def write(
        self,
        luma: NDArray[Any],
        u: NDArray[Any],
        v: NDArray[Any],
        time: Fraction,
        alpha: NDArray[Any] | None = None,
    ) -> None:
        """Encode one frame.

        Args:
            luma: (H, W) uint8, or uint16 with values of 10 or 12 bits, according to the depth of the film.
            u: (ceil(H / 2), ceil(W / 2)) of the same type.
            v: likewise.
            time: time in seconds since the start of the film; later than the previous frame.
            alpha: (H, W), of the type of luma, if the encoding has transparency.

        Raises:
            UnwritableMedia: the disk is full, or ffmpeg exited.
        """
        assert (luma.shape, u.shape, v.shape) == (self._shapes[0], self._shapes[1], self._shapes[1])
        assert luma.dtype == u.dtype == v.dtype == self._kind
        planes = (luma, u, v) if alpha is None else (luma, u, v, alpha)
        content = np.concatenate([each.ravel() for each in planes]).view(np.uint8)
        packet = av.Packet(content)  # type: ignore[arg-type]  # it takes any buffer
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
        self.reason = "ffmpeg exited too early"
        try:
            self._process.finish()
        except (FfmpegFailed, OSError) as error:
            self.reason = str(error)
        return unwritable(self._target, self.reason)


def _raw_stream(container: Any, film: Film, *, alpha: bool) -> Any:
    stream = container.add_stream("rawvideo", rate=film.frame_rate)
    stream.width, stream.height = film.width, film.height
    stream.pix_fmt = f"yuv{'a' if alpha else ''}420p{'' if film.depth == 8 else f'{film.depth}le'}"
    stream.time_base = stream.codec_context.time_base = film.time_base
    return stream


def _arguments(film: Film, path: Path, encoding: Encoding) -> list[str]:
    # Raw frames need no probing, which would hold five seconds of them in memory.
    source = ffmpeg.input("pipe:0", format="nut", probesize=32, analyzeduration=0, fpsprobesize=0, copyts=None)
    aspect = film.sample_aspect_ratio
    filters = [
        *(["scale=in_range=pc:out_range=tv:flags=accurate_rnd"] if film.range != encoding.range else []),
        f"setparams=range={encoding.declared_range}:colorspace={film.matrix}:color_trc={film.transfer}"
        f":color_primaries={film.primaries}:field_mode=prog",
        f"setsar={aspect.numerator}/{aspect.denominator}",
        encoding.filters,
    ]
    tick = encoding.tick or film.time_base
    if encoding.constant_rate:
        filters.insert(0, f"fps={film.frame_rate}")
        tick = 1 / film.frame_rate
    muxer = piece_muxer(encoding.family, alpha=encoding.alpha)
    output = source["v"].output(
        url(path),
        format=muxer,
        vf=",".join(filters),
        vcodec=encoding.codec,
        fps_mode="passthrough",
        enc_time_base=str(tick),
        **piece_options(film, muxer),
        **encoding.options,
    )
    return command(output)


def settle_timing(film: Film, encoding: Encoding) -> Encoding:
    """Find out by trial in which time base an encoder works: exactly that of the film, a coarser one, or frames.

    Raises:
        UsageError: the encoder rejects its settings.
        FfmpegMissing: ffmpeg is not available.
    """
    candidates = [encoding]
    if film.time_base.denominator > _MAX_COARSE:
        candidates.append(replace(encoding, tick=_coarse(film.time_base)))
    if not film.variable:
        candidates.append(replace(encoding, constant_rate=True))
    reasons: list[str] = []
    for each in candidates:
        reason = _rejection(film, each)
        if reason is None:
            return each
        reasons.append(reason)
    raise UsageError(
        f"{encoding.codec} cannot encode {film.width} x {film.height} pixels with these settings ({reasons[0]}).",
        "Change --codec, --crf or --preset.",
    )


def _coarse(tick: Fraction) -> Fraction:
    """Return the finest tick that MPEG-4 supports: a multiple of the film's if possible."""
    factor = next((each for each in range(2, 1000) if _supported(tick * each)), None)
    return tick * factor if factor else Fraction(1, 60_000)


def _supported(tick: Fraction) -> bool:
    return tick.denominator <= _MAX_COARSE


def _rejection(film: Film, encoding: Encoding) -> str | None:
    """Encode a few frames, and return why that failed; None if it did not."""
    kind, unit = np.uint8 if film.depth == 8 else np.uint16, 1 << (film.depth - 8)
    luma = np.full((film.height, film.width), 128 * unit, kind)
    chroma = np.full(((film.height + 1) // 2, (film.width + 1) // 2), 128 * unit, kind)
    path = Path(os.devnull)
    with FilmEncoder(film, path, encoding, path) as encoder:
        try:
            for number in range(_TRIAL_FRAMES):
                time = round(number / film.frame_rate / film.time_base) * film.time_base
                encoder.write(luma, chroma, chroma, time, luma if encoding.alpha else None)
            encoder.close()
        except UnwritableMedia:
            return encoder.reason
    return None
