"""The finished film: encoded pieces of the picture, one after another, beside everything that the source had.

A piece is a fragmented MP4 or MOV file: its clock is exact, and it says of every frame when it is decoded and when it
is shown. Times in pieces are those of the film after a lead, so that none is negative, not even that of decoding.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import ffmpeg

from colorcli.files import replacing, unwritable
from colorcli.media.films import CONTAINERS
from colorcli.media.films.boxes import boxes
from colorcli.media.films.ffmpeg import FfmpegFailed, Process, command, url
from colorcli.media.films.provenance import TAG, append_box, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from colorcli.media.films.containers import Destination
    from colorcli.media.films.probe import Film
    from colorcli.media.pictures.metadata import Provenance

LEAD = 3600
"""Seconds by which the times in pieces are late."""

_FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof+frag_discont"


def piece_muxer(codec: str) -> str:
    """Return ffmpeg's name of the container for pieces in a codec: each of the two lacks some."""
    return "mp4" if codec in {"av1", "vp9"} else "mov"


def piece_options(film: Film) -> dict[str, str]:
    """Return the options of a piece's container."""
    return {
        "movflags": _FRAGMENTS,
        "use_editlist": "0",
        "avoid_negative_ts": "disabled",
        "video_track_timescale": str(film.time_base.denominator),
        "fflags": "+bitexact",
        "strict": "-1",
    }


def join(film: Film, pieces: Sequence[Path], destination: Destination, provenance: Provenance) -> None:
    """Write the film: pieces of the picture without a seam, and copies of everything else. Whole, or not at all.

    Args:
        film: the source.
        pieces: what `sink.Encoder` wrote, in order.
        destination: where to.
        provenance: what made the colors.

    Raises:
        UnwritableMedia: the disk is full or refuses, or a piece is damaged.
        FfmpegMissing: there is no ffmpeg.
    """
    target = destination.path
    muxer = CONTAINERS[target.suffix.lower()]
    xmp = stamp(film.path, provenance)
    with replacing(target) as temporary:
        try:
            with Process(_arguments(film, temporary, muxer, destination, xmp), writes=True) as process:
                with contextlib.suppress(BrokenPipeError):  # it ended before us, and says why
                    _feed(process, pieces)
                process.finish()
        except FfmpegFailed as error:
            raise unwritable(target, str(error)) from error
        if muxer in {"mp4", "mov"}:
            append_box(temporary, xmp)


def _feed(process: Process, pieces: Sequence[Path]) -> None:
    """Send the head of the first piece and the fragments of all: one fragmented file, as each has its own times."""
    head: dict[bytes, bytes] = {}
    for piece in pieces:
        with piece.open("rb") as file:
            for box in boxes(file):
                file.seek(box.start)
                if box.kind in {b"moof", b"mdat"}:
                    process.stdin.write(file.read(box.end - box.start))
                elif box.kind in {b"ftyp", b"moov"}:
                    whole = file.read(box.end - box.start)
                    if box.kind not in head:
                        process.stdin.write(whole)
                    elif head[box.kind] != whole:
                        raise FfmpegFailed("its parts are not encoded alike")
                    head[box.kind] = whole


def _arguments(film: Film, path: Path, muxer: str, destination: Destination, xmp: bytes) -> list[str]:
    picture = ffmpeg.input(
        "pipe:0",
        format="mov",
        itsoffset=f"{float(-LEAD - destination.start):.6f}",
        copyts=None,
        **({"display_rotation": -film.rotation} if film.rotation or film.mirrored else {}),
        **({"display_hflip": None} if film.mirrored else {}),
    )
    source = ffmpeg.input(
        url(film.path),
        itsoffset=f"{float(-film.start - destination.start):.6f}",
        **({"ss": f"{float(destination.start + film.start):.6f}", "seek_timestamp": 1} if destination.start else {}),
    )
    kept = [each for each in film.streams if each.index == film.index or each in destination.copied]
    streams = [picture["v"] if each.index == film.index else source[str(each.index)] for each in kept]
    if not destination.copied:
        streams.append(source["t?"])  # none, but it gives its metadata and chapters
    number = 0 if kept[0].index != film.index else 1  # of the source among the inputs: in the order they are mapped
    options: dict[str, Any] = {
        "c": "copy",
        "map_metadata": number,
        "map_chapters": number,
        **{f"map_metadata:s:{place}": f"{number}:s:{each.index}" for place, each in enumerate(kept)},
        **{f"disposition:{place}": each.disposition for place, each in enumerate(kept)},
        "fflags": "+bitexact",
        "strict": -1,
    }
    if not film.variable:
        options[f"r:{[each.index for each in kept].index(film.index)}"] = str(film.frame_rate)  # only says it
    if destination.start:
        options["copypriorss"] = 0  # nothing from before the cut, where seeking may have led
    if destination.end is not None:
        options["t"] = f"{float(destination.end - destination.start):.6f}"
    if muxer in {"mp4", "mov"}:
        options |= {"movflags": "+faststart", "video_track_timescale": film.time_base.denominator}
    else:
        options["metadata"] = f"{TAG}={xmp.decode()}"
    return command(ffmpeg.output(*streams, url(path), format=muxer, **options))
