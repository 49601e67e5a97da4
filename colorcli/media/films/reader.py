"""Reads the frames of a film one by one: each with the luma exactly as decoded, and its time."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import ffmpeg
import numpy as np

from colorcli.errors import UnreadableMedia
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, command, pipe, url
from colorcli.media.films.raw_pictures import luma_of, raw_format
from colorcli.media.films.recordings import Clock

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from types import TracebackType

    from numpy.typing import NDArray

    from colorcli.media.films.film import Film

_SEEK_MARGIN = 10  # seconds; longer than the distance between key frames in most films
_BUFFER = 1 << 20
_DIRECT = {
    *(f"yuv{each}p" for each in (410, 411, 420, 422, 440, 444)),
    *(f"yuvj{each}p" for each in (411, 420, 422, 440, 444)),
    *(f"yuv{each}p{depth}le" for each in (420, 422, 440, 444) for depth in (10, 12)),
    *(f"yuva{each}p{depth}" for each in (420, 422, 444) for depth in ("", "10le")),  # 12 bits are read as 10
    *("gray", "gray10le", "gray12le"),
}
"""The pixel formats whose Y plane is used as it is."""

_SCALE_MATRICES = {"bt470bg": "bt470", "bt2020nc": "bt2020"}
"""Names that differ in ffmpeg's filter scale."""

_MIN_FIELD = 3  # pixels; bwdif rejects smaller frames
_EPOCH = 1 << 40
"""Ticks added where timestamps go back, which ffmpeg would not write: more than the clock of any recording has."""


@dataclass(frozen=True)
class FilmFrame:
    """One frame as stored, not rotated.

    Attributes:
        luma: the Y plane (H, W), uint8, or uint16 with values of 10 or 12 bits. Read-only.
        time: time in seconds since the start of the film.
        number: its number, counted from the `number` given to the reader.
        alpha: the transparency, like luma; None unless it was requested.
        rgb: the colors of the film itself, (H, W, 3) R'G'B', uint16; None unless they were requested instead of luma,
            which is empty then.
    """

    luma: NDArray[Any]
    time: Fraction
    number: int
    alpha: NDArray[Any] | None = None
    rgb: NDArray[np.uint16] | None = None


class _HardwareFailed(Exception):
    """A hardware decoder failed or complained."""


class FrameReader:
    """An iterator over frames that keeps only one in memory; see `read_frames`.

    As a context manager, it stops the decoder on exit.

    Attributes:
        notes: sentences for the user, after the last frame: what was wrong with the film.
        jumps: what was added to the timestamps after each jump so far, in seconds; see `Clock`.
    """

    def __init__(
        self,
        film: Film,
        start: Fraction,
        end: Fraction | None,
        after: Fraction | None,
        number: int,
        *,
        alpha: bool,
        rgb: bool,
    ) -> None:
        self.notes: list[str] = []
        self.jumps: tuple[Fraction, ...] = ()
        self._film = film
        self._start = start
        self._first = start if after is None else max(start, after)
        self._after = after
        self._end = end
        self._number = number
        self._alpha = alpha
        self._rgb = rgb
        self._running: FfmpegProcess | None = None
        self._closed = False
        self._frames = self._read()

    def __iter__(self) -> Iterator[FilmFrame]:
        return self

    def __next__(self) -> FilmFrame:
        return next(self._frames)

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the decoder; safe to call from any thread."""
        self._closed = True
        if self._running is not None:
            self._running.kill()
        with contextlib.suppress(ValueError):  # in use by another thread, which stops now
            self._frames.close()

    def _read(self) -> Generator[FilmFrame]:
        """Decode all wanted frames; if hardware fails, the CPU decodes those that remain."""
        if self._film.hardware:
            try:
                yield from self._wanted()
            except _HardwareFailed:
                self._film = replace(self._film, hardware="")
                self._first = self._start if self._after is None else max(self._start, self._after)
            else:
                return
        yield from self._wanted()

    def _wanted(self) -> Generator[FilmFrame]:
        """Decode from shortly before the first wanted frame, or from the start if seeking fails."""
        near = max(Fraction(0), self._first - _SEEK_MARGIN) if self._film.seekable else Fraction(0)
        decoded = self._decode(near)
        head = next(decoded, None)
        if near and (head is None or not head.time < self._first):
            decoded.close()
            decoded = self._decode(Fraction(0))
            head = next(decoded, None)
        with contextlib.closing(decoded):
            last = Fraction(-1) if self._after is None else self._after
            while head is not None and (self._end is None or head.time < self._end):
                if head.time >= self._start and head.time > last:
                    self._after = last = head.time
                    yield replace(head, number=self._number)
                    self._number += 1
                head = next(decoded, None)

    def _decode(self, near: Fraction) -> Generator[FilmFrame]:
        film = self._film
        count = size = 0
        shifted = round(shift(film) / film.time_base) * film.time_base
        tick = film.time_base
        clock = Clock(1 / film.frame_rate) if film.jumps else None
        last: Fraction | None = None
        filters = _color_filters(film) if self._rgb else _filters(film, alpha=self._alpha)
        with FfmpegProcess(_arguments(film, near, filters), reads=True) as process:
            self._running = process
            # A pipe that ends too early is not an error here: ffmpeg reports why.
            with contextlib.suppress(av.error.FFmpegError):
                container: Any
                with av.open(
                    pipe(process.stdout), format="nut", buffer_size=_BUFFER, metadata_errors="replace"
                ) as container:
                    for packet in container.demux(video=0):
                        size = size or packet.size
                        if packet.size == size > 0:  # the last one is empty, or cut off if ffmpeg ended early
                            ticks = (packet.pts + _EPOCH // 2) % _EPOCH - _EPOCH // 2
                            time = ticks * packet.time_base - shifted - film.start
                            if clock:
                                time = clock.continuous(time)
                                self.jumps = tuple(clock.jumps)
                            time = round(time / tick) * tick
                            if last is not None and time <= last:  # timestamps that repeat, or go back a little
                                time = last + tick
                            last = time
                            yield self._frame(packet, time, count)
                            count += 1
            if not self._closed:
                self._judge(process, count)

    def _frame(self, packet: Any, time: Fraction, number: int) -> FilmFrame:
        film = self._film
        if self._rgb:
            rgb = np.frombuffer(packet, "<u2").reshape(film.height, film.width, 3)
            return FilmFrame(rgb[:0, :0, 0], time, number, rgb=rgb)
        if film.sequence:
            return FilmFrame(luma_of(packet, film), time, number)
        kind = np.dtype(np.uint8 if film.depth == 8 else "<u2")
        luma, *alpha = np.frombuffer(packet, kind).reshape(2 if self._alpha else 1, film.height, film.width)
        return FilmFrame(luma, time, number, alpha[0] if alpha else None)

    def _judge(self, process: FfmpegProcess, count: int) -> None:
        """Note what was wrong with a film that was read to its end."""
        try:
            lines = process.finish()
        except FfmpegFailed as error:
            lines = [str(error)]
        film = self._film
        if film.hardware and (lines or not count):
            raise _HardwareFailed
        if not count and self._first == 0:
            raise UnreadableMedia(
                f"{film.name}: no frame can be decoded ({lines[-1] if lines else 'it has none'}).",
                "Get the file again, or repair it.",
            )
        expected = film.frames or round((film.duration or 0) * film.frame_rate)
        if lines and self._start == 0 and self._number < expected:
            self.notes.append(
                f"damaged or truncated: {self._number} of {expected} frames could be decoded ({lines[-1]})"
            )
        elif lines:
            self.notes.append(f"partly damaged ({lines[-1]})")


def read_frames(
    film: Film,
    start: Fraction | None = None,
    end: Fraction | None = None,
    *,
    after: Fraction | None = None,
    number: int = 0,
    alpha: bool = False,
    rgb: bool = False,
) -> FrameReader:
    """Decode a film frame by frame, in constant memory.

    Interlaced films are deinterlaced (bwdif, one frame per two fields), and films in high dynamic range are
    tone-mapped to standard range; all others have exactly the luma that the decoder returns.

    Args:
        film: the probed film.
        start: where to begin, in seconds; None for the beginning.
        end: where to stop; None for the end.
        after: resume after the frame at this time.
        number: the number of the first frame.
        alpha: read the transparency, too.
        rgb: read the colors of the film instead of its luma.

    Raises:
        UnreadableMedia: no frame can be decoded (while iterating). A truncated film ends early instead, with a note.
        FfmpegMissing: ffmpeg is not available.
    """
    return FrameReader(film, Fraction(start or 0), end, after, number, alpha=alpha, rgb=rgb)


def shift(film: Film) -> int:
    """Return seconds to add to the timestamps of a film, so that none is negative."""
    return max(0, math.ceil(-film.start))


def decoded(film: Film, near: Fraction = Fraction(0), options: Mapping[str, str] | None = None) -> Any:
    """Return the input of ffmpeg for a film, from a time in seconds on, with further options."""
    seek = {"ss": f"{float(near):.6f}", "noaccurate_seek": None} if near else {}
    offset = {"itsoffset": shift(film)} if film.start < 0 else {}
    decoder = {f"c:{film.index}": film.decoder} if film.decoder else {}
    return ffmpeg.input(
        url(film.path),
        copyts=None,
        noautorotate=None,
        **film.input_options,
        **(options or {}),
        **decoder,
        **seek,
        **offset,
    )


def _arguments(film: Film, near: Fraction, filters: str) -> list[str]:
    """Return ffmpeg arguments that write filtered frames with their times (NUT) to stdout.

    Timestamps are those of the file (`-copyts`) plus `shift`, and no frame is duplicated or dropped.
    """
    source = decoded(film, near, {"hwaccel": film.hardware} if film.hardware else None)
    output = source[str(film.index)].output(
        "pipe:1",
        format="nut",
        vcodec="rawvideo",
        vf=filters,
        fps_mode="passthrough",
        enc_time_base=str(film.time_base),
    )
    return command(output)


def _filters(film: Film, *, alpha: bool) -> str:
    """Return the filters that give luma, with transparency below it if requested; pictures for a sequence."""
    if film.sequence:
        return f"format={raw_format(film.pixel_format)}"
    marked = [*_unpacking(film), *_marking(film)]
    before = [*deinterlacing(film)] if alpha or film.depth > 8 else []  # bwdif takes gray of 8 bits only
    after = [] if before else [*deinterlacing(film)]
    steps = ",".join((*marked, *before, *planar(film))) or "null"
    if alpha:
        return f"{steps},split[a][b];[a]extractplanes=y[luma];[b]extractplanes=a[alpha];[luma][alpha]vstack"
    return ",".join((steps, "extractplanes=y", *after))


def _color_filters(film: Film) -> str:
    """Return the filters that give the colors of a film as RGB of 16 bits."""
    if film.sequence:
        return "format=rgb48le"
    return ",".join((*_unpacking(film), *_marking(film), *deinterlacing(film), *colors(film)))


def _unpacking(film: Film) -> list[str]:
    """Convert frames that a card has decoded to the planes that the CPU decodes, exactly."""
    return [f"format={film.pixel_format}"] if film.hardware else []


def _marking(film: Film) -> list[str]:
    return [f"setpts='st(0,ld(0)+lt(PTS,PREV_INPTS));PTS+ld(0)*{_EPOCH}'"] if film.jumps else []


def colors(film: Film) -> Iterator[str]:
    """Convert frames to RGB of 16 bits, with the matrix and range of the film."""
    yield from planar(film)
    matrix = _SCALE_MATRICES.get(film.matrix, film.matrix)
    yield f"scale=in_color_matrix={matrix}:in_range={film.range}:flags=bicubic+accurate_rnd+full_chroma_int"
    yield "format=rgb48le"


def planar(film: Film) -> Iterator[str]:
    """Convert pixel formats whose Y plane cannot be taken as it is."""
    if film.hdr:
        yield from _tone_mapping(film)
    elif film.pixel_format not in _DIRECT:
        if film.rgb:
            yield "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_inp"
        else:
            yield f"scale=in_range={film.range}:out_range={film.range}:flags=accurate_rnd"
        yield f"format=yuv{'a' if film.alpha else ''}444p{f'{film.depth}le' if film.depth > 8 else ''}"


def deinterlacing(film: Film) -> Iterator[str]:
    """Return the filters that deinterlace a film, if that is wanted."""
    wanted = film.deinterlace == "on" or film.interlaced or film.pixel_format not in {"gray10le", "gray12le"}
    if film.deinterlace == "off" or not wanted or min(film.width, film.height) < _MIN_FIELD:
        return
    if film.field_order:
        yield f"setfield={film.field_order}"
    yield f"bwdif=mode=send_frame:deint={'all' if film.deinterlace == 'on' else 'interlaced'}"


def _tone_mapping(film: Film) -> Iterator[str]:
    """Map high dynamic range to standard range: linear light, bt709 primaries, Hable's curve, bt709 transfer."""
    transfer = {"PQ": "smpte2084", "HLG": "arib-std-b67"}[film.hdr]
    yield f"zscale=tin={transfer}:min=2020_ncl:pin=2020:t=linear:npl=100"
    yield "format=gbrpf32le,zscale=p=709,tonemap=hable:desat=0"
    yield "zscale=t=709:m=709:r=limited,format=yuv444p10le"
