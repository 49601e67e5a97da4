"""Pieces: files with the encoded video alone, and how several are sent to ffmpeg as one.

A piece is a fragmented MP4 or MOV file, which stores exact decoding and presentation times for every frame, or a
Matroska file for what only that holds. Times in pieces are offset so that even the earliest decoding time is not
negative.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import av

from colorcli.media.films.captions import CAPTIONED, Captions
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, opened, pipe
from colorcli.media.films.mp4_boxes import boxes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from colorcli.media.films.containers import Destination
    from colorcli.media.films.film import Film

TIME_OFFSET = 3600
"""Seconds added to all times in pieces."""

_FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof+frag_discont"


def piece_muxer(codec: str, *, alpha: bool) -> str:
    """Return the ffmpeg muxer for pieces in a codec, with or without transparency; none supports all of them."""
    if codec == "vp9" and alpha:
        return "matroska"
    return "mp4" if codec in {"av1", "vp9"} else "mov"


def piece_options(film: Film, muxer: str) -> dict[str, str]:
    """Return the options of the muxer for pieces."""
    common = {"avoid_negative_ts": "disabled", "fflags": "+bitexact"}
    if muxer == "matroska":
        return common
    return common | {
        "movflags": _FRAGMENTS,
        "use_editlist": "0",
        "video_track_timescale": str(film.time_base.denominator),
        "strict": "-1",
    }


def send_pieces(process: FfmpegProcess, film: Film, pieces: Sequence[Path], destination: Destination) -> None:
    """Write all pieces to the stdin of ffmpeg as one file, with the film's captions if their codec carries any.

    Raises:
        FfmpegFailed: the pieces do not belong together.
        BrokenPipeError: ffmpeg exited.
    """
    if film.captions and destination.family in CAPTIONED:
        with contextlib.closing(Captions(film, destination.family)) as captions:
            _send_packets(process, film, pieces, destination, captions)
    elif piece_muxer(destination.family, alpha=destination.alpha) == "matroska":
        _send_packets(process, film, pieces, destination, None)
    else:
        _send_fragments(process, pieces)


def _send_fragments(process: FfmpegProcess, pieces: Sequence[Path]) -> None:
    """Send the header of the first piece and the fragments of all pieces, which form one fragmented file."""
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


def _send_packets(
    process: FfmpegProcess, film: Film, pieces: Sequence[Path], destination: Destination, captions: Captions | None
) -> None:
    """Send the packets of all pieces in one new file."""
    muxer = piece_muxer(destination.family, alpha=destination.alpha)
    with av.open(pipe(process.stdin), "w", format=muxer, options=piece_options(film, muxer)) as whole:
        stream, header = None, None
        for piece in pieces:
            with opened(piece) as container:
                source = container.streams.video[0]
                stream = stream or whole.add_stream_from_template(source, opaque=True)
                header = header or source.codec_context.extradata
                if source.codec_context.extradata != header:
                    raise FfmpegFailed("its parts were encoded differently")
                for packet in container.demux(source):
                    if packet.size:
                        whole.mux(_captioned(packet, captions, stream))


def _captioned(packet: Any, captions: Captions | None, stream: Any) -> Any:
    """Return a packet for a stream of another file, with the captions of its frame."""
    if captions is not None:
        content = captions.added(bytes(packet), packet.pts * packet.time_base - TIME_OFFSET)
        timing = packet.pts, packet.dts, packet.duration, packet.time_base, packet.is_keyframe
        packet = av.Packet(content)
        packet.pts, packet.dts, packet.duration, packet.time_base, packet.is_keyframe = timing
    packet.stream = stream
    return packet
