"""The finished film: encoded pieces of the picture, one after another, beside everything that the source had.

A piece is a fragmented MP4 or MOV file: its clock is exact, and it says of every frame when it is decoded and when it
is shown. Times in pieces are those of the film after a lead, so that none is negative, not even that of decoding.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import av
import ffmpeg

from colorcli.film import CONTAINERS, provenances
from colorcli.film.ffmpeg import FfmpegFailed, Process, command, pipe, url
from colorcli.film.files import replacing, unwritable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from colorcli.film.containers import Destination
    from colorcli.film.probe import Film
    from colorcli.media.metadata import Provenance

LEAD = 3600
"""Seconds by which the times in pieces are late."""

_BUFFER = 1 << 20
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
        provenance: what made the colours.

    Raises:
        UnwritableMedia: the disk is full or refuses, or a piece is damaged.
        FfmpegMissing: there is no ffmpeg.
    """
    target = destination.path
    muxer = CONTAINERS[target.suffix.lower()]
    xmp = provenances.stamp(film.path, provenance)
    with replacing(target) as temporary:
        try:
            with Process(_arguments(film, temporary, muxer, destination, xmp), writes=True) as process:
                with contextlib.suppress(BrokenPipeError):  # it ended before us, and says why
                    _feed(process, film, pieces)
                process.finish()
        except (FfmpegFailed, av.error.FFmpegError) as error:
            raise unwritable(target, str(error)) from error
        if muxer in {"mp4", "mov"}:
            provenances.append_box(temporary, xmp)


def _feed(process: Process, film: Film, pieces: Sequence[Path]) -> None:
    """Send the packets of all pieces as one stream, each at its time."""
    with contextlib.ExitStack() as stack:
        stream: Any = None
        last = None
        for piece in pieces:
            with av.open(url(piece)) as container:
                source = container.streams.video[0]
                if stream is None:
                    muxer = piece_muxer(source.codec_context.name)
                    channel: Any = stack.enter_context(
                        av.open(pipe(process.stdin), "w", muxer, piece_options(film), buffer_size=_BUFFER)
                    )
                    stream = channel.add_stream_from_template(source)
                    stream.time_base = source.time_base
                for packet in container.demux(source):
                    if packet.dts is None:  # the end, which is none
                        continue
                    if last is not None:  # decoding a piece may begin before the piece before it ends
                        packet.dts = max(packet.dts, last + 1)
                    last = packet.dts
                    packet.stream = stream
                    channel.mux(packet)


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
    if destination.start:
        options["copypriorss"] = 0  # nothing from before the cut, where seeking may have led
    if destination.end is not None:
        options["t"] = f"{float(destination.end - destination.start):.6f}"
    if muxer in {"mp4", "mov"}:
        options |= {"movflags": "+faststart", "video_track_timescale": film.time_base.denominator}
    else:
        options["metadata"] = f"{provenances.TAG}={xmp.decode()}"
    return command(ffmpeg.output(*streams, url(path), format=muxer, **options))
