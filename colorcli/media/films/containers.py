"""Chooses the container of the output: one that holds the video and all other streams of the source."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ffmpeg

from colorcli.errors import UsageError
from colorcli.media.films import CONTAINERS
from colorcli.media.films.ffmpeg import FfmpegFailed, command, run, url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.probe import Film, Stream


@dataclass(frozen=True)
class Destination:
    """The output file, and the section and streams of the source that go into it.

    Attributes:
        path: the file, with `.mkv` in place of a suffix whose container cannot hold the film.
        copied: the streams that are copied.
        start: where it begins in the source, in seconds.
        end: where it ends in the source; None for its end.
        notes: sentences for the user.
    """

    path: Path
    copied: tuple[Stream, ...]
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
        UsageError: the encoder rejects its settings.
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
                what = f"{encoding.codec}" if lost is None else _named(set(lost) - set(by_matroska))
                notes = [f"written as .mkv, because {suffix} cannot hold {what}"]
                path, lost = target.with_suffix(".mkv"), by_matroska
    if lost is None:
        raise _rejected(film, encoding)
    for each in others:
        if start and each.kind == "video" and each not in lost:
            notes.append(f"{_named([each])} is copied from its first key frame after --start")
    if lost:
        notes.append(f"{_named(lost)} left out, because {path.suffix} cannot hold it")
    return Destination(path, tuple(each for each in others if each not in lost), start, end, tuple(notes))


def _named(streams: Iterable[Stream]) -> str:
    return ", ".join(
        f"stream {each.index} ({each.codec or each.kind})" for each in sorted(streams, key=lambda s: s.index)
    )


def _unsupported(film: Film, muxer: str, encoding: Encoding, streams: tuple[Stream, ...]) -> tuple[Stream, ...] | None:
    """Return the streams that a container cannot hold; None if it cannot even hold the video."""
    if _try(film, muxer, encoding, streams) is None:
        return ()
    if _try(film, muxer, encoding, ()) is not None:
        return None
    return tuple(each for each in streams if _try(film, muxer, encoding, (each,)) is not None)


def _try(film: Film, muxer: str, encoding: Encoding, streams: tuple[Stream, ...]) -> str | None:
    """Write a short film; return ffmpeg's objection, or None."""
    with tempfile.TemporaryDirectory(prefix="colorcli-") as folder:
        picture = ffmpeg.input(f"color=size={film.width}x{film.height}:rate=25:duration=0.2", format="lavfi")
        inputs = [picture["v"]]
        if streams:
            source = ffmpeg.input(url(film.path))
            inputs += [source[str(each.index)] for each in streams]
        options: dict[str, Any] = {"vf": encoding.filters} if not streams else {"filter:v:0": encoding.filters}
        output = ffmpeg.output(
            *inputs,
            url(Path(folder, "trial")),
            format=muxer,
            t=0.2,
            strict=-1,
            **{"c": "copy", "c:v:0": encoding.codec},
            **options,
            **{f"{name}:v:0" if ":" not in name else name: value for name, value in encoding.options.items()},
        )
        try:
            run(command(output))
        except FfmpegFailed as error:
            return str(error)
    return None


def _rejected(film: Film, encoding: Encoding) -> UsageError:
    reason = _try(film, "matroska", encoding, ())
    return UsageError(
        f"{encoding.codec} cannot encode {film.width} x {film.height} pixels with these settings ({reason}).",
        "Change --codec, --crf or --preset.",
    )
