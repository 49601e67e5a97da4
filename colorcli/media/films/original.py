"""The frames of a film in their own colors, as a player shows them: to compare with, and to correct."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from colorcli.errors import UnreadableMedia, UsageError
from colorcli.media.films.ffmpeg import FfmpegProcess, command, opened, pipe
from colorcli.media.films.reader import colors, decoded, deinterlacing, read_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from colorcli.errors import ColorcliError
    from colorcli.media.films.film import Film

_COLORSPACES = {
    "bt709": Colorspace.ITU709,
    "bt470bg": Colorspace.ITU601,
    "smpte170m": Colorspace.ITU601,
    "fcc": Colorspace.FCC,
    "smpte240m": Colorspace.SMPTE240M,
    "bt2020nc": Colorspace.BT2020,
}
_STILLS_AT_ONCE = 1000
_RANGES = {"tv": ColorRange.MPEG, "pc": ColorRange.JPEG}


def _decoded_frames(film: Film, container: Any, start: Fraction | None = None) -> Iterator[Any]:
    """Decode the frames of an open container, from the key frame before `start` on; a truncated film ends early."""
    stream = container.streams[film.index]
    if start:
        container.seek(int((start + film.start) / stream.time_base), stream=stream)
    with contextlib.suppress(av.error.FFmpegError):
        for frame in container.decode(stream):
            if frame.pts is not None:
                yield frame


def _time_of(frame: Any, film: Film) -> Fraction:
    """Return the time of a decoded frame, in seconds since the start of the film."""
    time: Fraction = frame.pts * frame.time_base - film.start
    return time


def _to_rgb(frame: Any, film: Film, form: str = "rgb24") -> NDArray[Any]:
    """Convert a decoded frame with the matrix and range of the film: (H, W, 3) RGB, in its stored orientation."""
    coded = not frame.format.is_rgb
    pixels: NDArray[Any] = frame.reformat(
        format=form,
        src_colorspace=_COLORSPACES[film.matrix] if coded else None,
        src_color_range=_RANGES[film.range] if coded else None,
    ).to_ndarray()
    return pixels


def read_still(film: Film, time: Fraction) -> NDArray[Any]:
    """Read the frame that is on screen at a time, rotated and mirrored for display, with square pixels.

    Args:
        film: the probed film.
        time: time in seconds since the start of the film.

    Returns:
        (H, W, 3) RGB, uint8, or uint16 if the film has more than 8 bits.

    Raises:
        UsageError: the film shows no frame at that time.
        UnreadableMedia: no frame can be decoded.
    """
    found = None if film.jumps else _on_screen(film, time)
    if found is None or (found.width, found.height) != (
        film.width,
        film.height,
    ):  # cropped, which PyAV ignores
        (pixels,) = read_stills(film, [_number_at(film, time)])
        return pixels if film.depth > 8 else ((pixels + np.uint32(128)) // 257).astype(np.uint8)
    return displayed(_to_rgb(found, film, "rgb24" if film.depth == 8 else "rgb48le"), film)


def read_stills(film: Film, numbers: Sequence[int]) -> Iterator[NDArray[np.uint16]]:
    """Read frames by their numbers, as `read_frames` counts them, for display: deinterlaced, cropped, tone-mapped.

    Args:
        film: the probed film.
        numbers: ascending.

    Yields:
        (H, W, 3) RGB, uint16; fewer than wanted if the film ends before.
    """
    for first in range(0, len(numbers), _STILLS_AT_ONCE):
        chosen = "+".join(f"eq(n,{each})" for each in numbers[first : first + _STILLS_AT_ONCE])
        filters = [
            *deinterlacing(film),
            f"select='{chosen}'",
            "setpts=N",  # times that jump back could not be written
            *colors(film),
        ]
        output = decoded(film)[str(film.index)].output(
            "pipe:1", format="nut", vcodec="rawvideo", vf=",".join(filters), fps_mode="passthrough"
        )
        container: Any
        with (
            FfmpegProcess(command(output), reads=True) as process,
            contextlib.suppress(av.error.FFmpegError),
            av.open(pipe(process.stdout), format="nut", metadata_errors="replace") as container,
        ):
            for packet in container.demux(video=0):
                if packet.size:
                    yield displayed(np.frombuffer(packet, "<u2").reshape(film.height, film.width, 3), film)


def _number_at(film: Film, time: Fraction) -> int:
    """Return the number of the frame that is on screen at a time, by reading all frames before it."""
    last = None
    with read_frames(film) as reader:
        for frame in reader:
            if frame.time > time:
                if last is not None:
                    return last.number
                break
            last = frame
    if last is None or not _is_near(time, last.time, film):
        raise _no_frame(film, time, last.time if last else None)
    return last.number


def displayed(pixels: NDArray[Any], film: Film) -> NDArray[Any]:
    """Return a stored picture (H, W, 3) of a film as it is displayed: rotated, mirrored, with square pixels."""
    if film.sample_aspect_ratio != 1:
        import cv2

        width = max(1, round(film.width * film.sample_aspect_ratio))
        pixels = cv2.resize(pixels, (width, film.height), interpolation=cv2.INTER_CUBIC)
    pixels = np.rot90(pixels, -film.rotation // 90)
    return np.ascontiguousarray(pixels[:, ::-1] if film.mirrored else pixels)


def _on_screen(film: Film, time: Fraction) -> Any:
    """Find the last frame that does not begin after a time; seeking may lead past it, then all frames are read."""
    for start in (time, None) if film.seekable else (None,):
        last = None
        with opened(film.path, film.input_options) as container:
            for frame in _decoded_frames(film, container, start):
                if _time_of(frame, film) > time:
                    if last is not None:
                        return last
                    break
                last = frame
            if last is not None and _is_near(time, _time_of(last, film), film):
                return last
    raise _no_frame(film, time, None if last is None else _time_of(last, film))


def _is_near(time: Fraction, last: Fraction, film: Film) -> bool:
    return time <= last + 2 / film.frame_rate  # people round times


def _no_frame(film: Film, time: Fraction, last: Fraction | None) -> ColorcliError:
    if last is None:
        return UnreadableMedia(f"{film.name}: the frame at {float(time):g} s cannot be decoded.")
    return UsageError(
        f"{film.name} shows no frame at {float(time):g} s: its last frame begins at {float(last):g} s.",
        "Use a time within the film: seconds, 1:30 or 1:02:03.5.",
    )
