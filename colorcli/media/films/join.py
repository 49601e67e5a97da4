"""Joins encoded pieces of the video stream with copies of all other streams of the source.

A piece is a fragmented MP4 or MOV file, which stores exact decoding and presentation times for every frame. Times in
pieces are offset so that even the earliest decoding time is not negative.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import ffmpeg

from colorcli.files import replacing, unwritable
from colorcli.media.films import CONTAINERS
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, command, url
from colorcli.media.films.mp4_boxes import boxes
from colorcli.media.films.provenance import TAG, append_box, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from colorcli.media.films.containers import Destination
    from colorcli.media.films.probe import Film
    from colorcli.media.pictures.metadata import Provenance

TIME_OFFSET = 3600
"""Seconds added to all times in pieces."""

_FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof+frag_discont"


def piece_muxer(codec: str) -> str:
    """Return the ffmpeg muxer for pieces in a codec; neither of the two supports all codecs."""
    return "mp4" if codec in {"av1", "vp9"} else "mov"


def piece_options(film: Film) -> dict[str, str]:
    """Return the muxer options for pieces."""
    return {
        "movflags": _FRAGMENTS,
        "use_editlist": "0",
        "avoid_negative_ts": "disabled",
        "video_track_timescale": str(film.time_base.denominator),
        "fflags": "+bitexact",
        "strict": "-1",
    }


def join(film: Film, pieces: Sequence[Path], destination: Destination, provenance: Provenance) -> None:
    """Write the output atomically: the pieces, joined seamlessly, and copies of all other streams.

    Args:
        film: the source.
        pieces: the files written by `FilmEncoder`, in order.
        destination: the output.
        provenance: what made the colors.

    Raises:
        UnwritableMedia: the disk is full or not writable, or a piece is damaged.
        FfmpegMissing: ffmpeg is not available.
    """
    target = destination.path
    muxer = CONTAINERS[target.suffix.lower()]
    xmp = stamp(film.path, provenance)
    with replacing(target) as temporary:
        try:
            with FfmpegProcess(_arguments(film, temporary, muxer, destination, xmp), writes=True) as process:
                with contextlib.suppress(BrokenPipeError):  # it exited first, and tells why
                    _feed(process, pieces)
                process.finish()
        except FfmpegFailed as error:
            raise unwritable(target, str(error)) from error
        if muxer in {"mp4", "mov"}:
            append_box(temporary, xmp)


def _feed(process: FfmpegProcess, pieces: Sequence[Path]) -> None:
    """Send the headerer of the first piece and the fragments of all pieces, which form one fragmented file."""
    header: dict[bytes, bytes] = {}
    for piece in pieces:
        with piece.open("rb") as file:
            for box in boxes(file):
                file.seek(box.start)
                if box.kind in {b"moof", b"mdat"}:
                    process.stdin.write(file.read(box.end - box.start))
                elif box.kind in {b"ftyp", b"moov"}:
                    whole = file.read(box.end - box.start)
                    if box.kind not in header:
                        process.stdin.write(whole)
                    elif header[box.kind] != whole:
                        raise FfmpegFailed("its parts were encoded differently")
                    header[box.kind] = whole


def _arguments(film: Film, path: Path, muxer: str, destination: Destination, xmp: bytes) -> list[str]:
    picture = ffmpeg.input(
        "pipe:0",
        format="mov",
        itsoffset=f"{float(-TIME_OFFSET - destination.start):.6f}",
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
        streams.append(source["t?"])  # no stream, but makes ffmpeg read the metadata and chapters
    number = 0 if kept[0].index != film.index else 1  # of the source among the inputs, in mapping order
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
        options[f"r:{[each.index for each in kept].index(film.index)}"] = str(film.frame_rate)  # metadata only
    if destination.start:
        options["copypriorss"] = 0  # drops what precedes the cut after seeking to a key frame
    if destination.end is not None:
        options["t"] = f"{float(destination.end - destination.start):.6f}"
    if muxer in {"mp4", "mov"}:
        options |= {"movflags": "+faststart", "video_track_timescale": film.time_base.denominator}
    else:
        options["metadata"] = f"{TAG}={xmp.decode()}"
    return command(ffmpeg.output(*streams, url(path), format=muxer, **options))
