"""Recordings whose timestamps jump, as where one broadcast or DVD title follows another in a file."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av

from colorcli.files import disk_errors, temporary_beside
from colorcli.media.films.ffmpeg import nameless, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from colorcli.media.films.film import Film, Stream

_BACK, _AHEAD = Fraction(1, 10), Fraction(10)
"""Seconds: timestamps that go back or ahead by more are those of another clock."""


class Clock:
    """Continues timestamps that jump.

    Attributes:
        jumps: after each jump, the seconds that were added to the timestamps from there on.
    """

    def __init__(self, frame_duration: Fraction) -> None:
        self.jumps: list[Fraction] = []
        self._frame_duration = frame_duration
        self._last: Fraction | None = None

    def continuous(self, time: Fraction) -> Fraction:
        """Return the time of the next frame, in seconds, without the jumps so far."""
        added = self.jumps[-1] if self.jumps else Fraction(0)
        if self._last is not None and not -_BACK <= time + added - self._last <= _AHEAD:
            added = self._last + self._frame_duration - time
            self.jumps.append(added)
        self._last = time + added
        return self._last


@contextlib.contextmanager
def continuous_copy(film: Film, streams: Sequence[Stream], jumps: Sequence[Fraction], target: Path) -> Iterator[Path]:
    """Copy streams of a recording to a temporary file beside the target, with timestamps continued as for the video.

    A packet belongs to the clock, that before or after the latest jump, by which it follows its predecessor best.

    Args:
        film: the recording.
        streams: streams to copy, in the order of the new file.
        jumps: the jumps found in the video; see `Clock`.
        target: the output of the run.

    Raises:
        UnwritableMedia: the disk is full or not writable.
    """
    path = temporary_beside(target)
    try:
        with (
            disk_errors(target),
            opened(film.path, film.input_options) as source,
            path.open("wb") as file,
            av.open(nameless(file), "w", format="matroska") as copy,
        ):
            outputs = {
                each.index: copy.add_stream_from_template(source.streams[each.index], opaque=True) for each in streams
            }
            _copy_packets(film, source, copy, outputs, jumps)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _copy_packets(film: Film, source: Any, copy: Any, outputs: dict[int, Any], jumps: Sequence[Fraction]) -> None:
    clocks = [Fraction(0), *jumps]
    passed, last_video = 0, None
    last: dict[int, Fraction] = {}
    for packet in source.demux([source.streams[index] for index in (film.index, *outputs)]):
        if packet.dts is None or packet.pts is None:
            continue
        index = packet.stream.index
        time = packet.dts * packet.time_base - film.start
        if index == film.index:
            follows = last_video is None or -_BACK <= time + clocks[passed] - last_video <= _AHEAD
            passed = passed if follows else min(passed + 1, len(jumps))
            last_video = time + clocks[passed]
            continue
        near = clocks[max(0, passed - 1) : passed + 2]  # sound may come a little before or after its video
        before = last.get(index)
        added = clocks[passed] if before is None else min(near, key=lambda each: abs(time + each - before))
        if before is not None and time + added < before:  # sound before a jump may overlap that after it
            continue
        last[index] = time + added
        offset = round((added - film.start) / packet.time_base)
        packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
        packet.stream = outputs[index]
        copy.mux(packet)
