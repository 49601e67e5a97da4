"""Chooses the container of the output: one that holds the video and all other streams of the source."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import ffmpeg

from colorcli.errors import UsageError
from colorcli.files import unwritable
from colorcli.media.films import CONTAINERS
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, command, url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.film import Film, Stream


_REFUSED = "Could not write header"
_NO_PARAMETERS = " not set"  # "sample rate not set", "dimensions not set"
_DROPPED = {"webm": {"attachment"}}
"""The kinds of streams that ffmpeg's muxers accept and do not write."""


@dataclass(frozen=True)
class Destination:
    """The output file, and the section and streams of the source that go into it.

    Attributes:
        path: the file, with `.mkv` in place of a suffix whose container cannot hold the film.
        copied: the streams that are copied.
        family: the codec of the video.
        range: "tv" or "pc", of its luma.
        alpha: whether it has transparency.
        start: where it begins in the source, in seconds.
        end: where it ends in the source; None for its end.
        notes: sentences for the user.
    """

    path: Path
    copied: tuple[Stream, ...]
    family: str
    range: str
    alpha: bool = False
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    notes: tuple[str, ...] = ()


def choose_destination(
    film: Film, target: Path, encoding: Encoding, start: Fraction | None = None, end: Fraction | None = None
) -> Destination:
    """Find out by trial whether the container chosen by the suffix can hold the film; fall back to Matroska.

    Args:
        film: the source.
        target: the requested output.
        encoding: how the video is encoded.
        start: where to begin, in seconds; None for the beginning.
        end: where to end; None for the end.

    Raises:
        UsageError: no container can hold the encoded video.
        UnwritableMedia: a trial failed for another reason.
        FfmpegMissing: ffmpeg is not available.
    """
    start = round(Fraction(start or 0) / film.time_base) * film.time_base
    others = tuple(each for each in film.streams if each.index != film.index and each.kind != "chapters")
    suffix = target.suffix.lower()
    if suffix not in CONTAINERS:
        path, lost = target.with_suffix(".mkv"), _unsupported(film, "matroska", encoding, others)
        notes = [f"written as .mkv, because {suffix or 'no suffix'} is not one of {', '.join(CONTAINERS)}"]
    else:
        path, lost, notes = target, _unsupported(film, CONTAINERS[suffix], encoding, others), []
        if lost is None or lost:
            by_matroska = _unsupported(film, "matroska", encoding, others)
            if by_matroska is not None and (lost is None or len(by_matroska) < len(lost)):
                what = encoding.codec if lost is None else _named(lost.keys() - by_matroska.keys())
                notes = [f"written as .mkv, because {suffix} cannot hold {what}"]
                path, lost = target.with_suffix(".mkv"), by_matroska
    if lost is None:
        raise UsageError(f"No supported container can hold {encoding.codec}.", "Choose another --codec.")
    copied = tuple(each for each in others if each not in lost)
    for each in copied:
        if start and each.kind == "video":
            notes.append(f"{_named([each])} is copied from its first key frame after --start")
    unheard = [each for each, reason in lost.items() if _NO_PARAMETERS in reason]
    if unheard:
        notes.append(f"{_named(unheard)} left out, because it was not found in the first 5 minutes")
    refused = [each for each in lost if each not in unheard and not each.timecode]
    if refused:
        notes.append(f"{_named(refused)} left out, because {path.suffix} cannot hold it")
    spoken = sorted(set(film.chapter_languages.values()) - {"und", "eng"})
    if spoken and CONTAINERS[path.suffix.lower()] in {"mp4", "mov"}:  # where ffmpeg writes English
        notes.append(f"the language of its chapters ({', '.join(spoken)}) is lost, because ffmpeg cannot write it")
    return Destination(path, copied, encoding.family, encoding.range, encoding.alpha, start, end, tuple(notes))


def _named(streams: Iterable[Stream]) -> str:
    return ", ".join(
        f"stream {each.index} ({each.codec or each.kind})" for each in sorted(streams, key=lambda s: s.index)
    )


def _unsupported(film: Film, muxer: str, encoding: Encoding, streams: tuple[Stream, ...]) -> dict[Stream, str] | None:
    """Return the streams that a container cannot hold, and why; None if it cannot even hold the video."""
    if muxer == "matroska":  # covers become attachments
        streams = tuple(each for each in streams if each.kind != "picture")
    dropped = {each: "not written" for each in streams if each.kind in _DROPPED.get(muxer, ())}
    streams = tuple(each for each in streams if each not in dropped)
    if _objection(film, muxer, encoding, streams) is None:
        return dropped
    if _objection(film, muxer, encoding, ()) is not None:
        return None
    objections = {each: _objection(film, muxer, encoding, (each,)) for each in streams}
    return dropped | {each: reason for each, reason in objections.items() if reason is not None}


def _objection(film: Film, muxer: str, encoding: Encoding, streams: tuple[Stream, ...]) -> str | None:
    """Let ffmpeg write the header of a film and nothing more; return why the muxer rejects it, None if it does not.

    Raises:
        UnwritableMedia: ffmpeg failed for another reason.
    """
    color = f"color=size={film.width}x{film.height}:rate=25:duration=0.2"
    inputs = [ffmpeg.input(color, format="lavfi")["v"]]
    if streams:
        source = ffmpeg.input(url(film.path), **film.input_options)
        inputs += [source[str(each.index)] for each in streams]
    output = ffmpeg.output(
        *inputs,
        url(Path(os.devnull)),
        format=muxer,
        strict=-1,
        **{"c": "copy", "c:v:0": encoding.codec, "filter:v:0": encoding.filters},
        **{f"{name}:v:0" if ":" not in name else name: value for name, value in encoding.options.items()},
    )
    with FfmpegProcess(command(output, loglevel="info")) as process:
        if process.wait_for_output():
            return None
        try:
            process.finish()
        except FfmpegFailed as error:
            reason = str(error)
            if _REFUSED not in reason:
                raise unwritable(film.path, reason) from error
            return reason
    return None
