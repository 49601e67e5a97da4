"""The timing of a film: its frame rate, its first timestamp, and how long its last frame is shown."""

from __future__ import annotations

import contextlib
import itertools
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import av

from colorcli.media.films.ffmpeg import opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_STANDARD = [Fraction(each * 1000, divisor) for each in (24, 25, 30, 48, 50, 60, 100, 120) for divisor in (1000, 1001)]
_TAIL_SECONDS = 10


def start_of(container: Any, stream: Any) -> Fraction:
    """Return the first timestamp of the file in seconds, rounded to the time base of the video."""
    tick = Fraction(stream.time_base)
    return round(Fraction(container.start_time or 0, av.time_base) / tick) * tick


def frame_rate(stream: Any, times: Sequence[Fraction]) -> tuple[Fraction, bool]:
    """Return the frame rate, and whether frame durations differ by more than rounding to the time base explains.

    The rate that a file declares is used only if its timestamps agree: raw DV declares 60,000 frames per second.

    Args:
        stream: the video stream.
        times: the times of its first frames in seconds, sorted.
    """
    declared = [Fraction(each) for each in (stream.average_rate, stream.guessed_rate, stream.base_rate) if each]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times) if later > earlier]
    if not gaps:
        return (declared or [Fraction(25)])[0], False
    tick, usual = Fraction(stream.time_base), sorted(gaps)[len(gaps) // 2]
    variable = any(abs(gap - usual) > max(tick * 2, usual / 20) for gap in gaps)
    mean = (times[-1] - times[0]) / len(gaps)
    tolerance = mean / 2 if variable else max(mean / 100, tick / len(gaps))
    candidates = [*declared, *(() if variable else _STANDARD)]
    rate = next((each for each in candidates if abs(1 / each - mean) <= tolerance), None)
    return rate or (1 / mean).limit_denominator(1001) or Fraction(1, 1001), variable


@lru_cache(maxsize=1)
def frame_times(path: Path, index: int, start: Fraction) -> list[Fraction]:
    """Return when each frame of a film is shown, in seconds, without decoding it.

    Args:
        path: the film, whose timestamps allow seeking.
        index: the number of its video stream.
        start: its first timestamp, which becomes 0.
    """
    with opened(path) as container:
        stream = container.streams[index]
        stamps = [each.pts for each in container.demux(stream) if each.pts is not None]
        return [each * stream.time_base - start for each in sorted(stamps)]


def last_duration(container: Any, stream: Any, frame_duration: Fraction, seekable: bool) -> Fraction:
    """Return how long the last frame of a film is shown, in seconds.

    Args:
        container: the film, which is sought to its end.
        stream: the video stream.
        frame_duration: the usual duration of a frame, if the last one has none of its own.
        seekable: whether timestamps allow seeking.
    """
    if not seekable or not container.duration:
        return frame_duration
    end = (container.start_time or 0) + container.duration
    with contextlib.suppress(av.error.FFmpegError):  # truncated
        target = max(0, end - _TAIL_SECONDS * av.time_base)
        container.seek(round(Fraction(target, av.time_base) / stream.time_base), stream=stream)
        shown = [(each.pts, each.duration) for each in container.demux(stream) if each.pts is not None]
        if shown and (ticks := max(shown)[1]):
            return Fraction(ticks * stream.time_base)
    return frame_duration
