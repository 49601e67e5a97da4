"""Joins encoded pieces of the video stream with copies of all other streams of the source.

A piece is a fragmented MP4 or MOV file, which stores exact decoding and presentation times for every frame. Times in
pieces are offset so that even the earliest decoding time is not negative.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import ffmpeg

from colorcli.files import replacing, temporary_beside, unwritable
from colorcli.media.films import CONTAINERS
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, command, opened, url
from colorcli.media.films.mp4_boxes import boxes
from colorcli.media.films.provenance import TAG, append_box, stamp
from colorcli.media.films.recordings import continuous_copy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from colorcli.media.films.containers import Destination
    from colorcli.media.films.probe import Film
    from colorcli.media.pictures.metadata import Provenance

TIME_OFFSET = 3600
"""Seconds added to all times in pieces."""

_STALE = re.compile(r"(BPS|DURATION|NUMBER_OF_(FRAMES|BYTES)|_STATISTICS_\w+|ENCODER)(-\w+)?$", re.IGNORECASE)
_WRITERS_TAGS = ("encoder", "major_brand", "minor_version", "compatible_brands")
_MOV_TAGS = {
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"),
    *("lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "location", "location-eng"),
    *("episode_sort", "season_number", "media_type", "hd_video", "gapless_playback", "compilation", "make", "model"),
    *("creation_time", "track", "disc", "rating", "author", "performers", *_WRITERS_TAGS),
}
"""The tags that ffmpeg writes to MP4 and MOV as players expect them; others need QuickTime keys."""

_IMAGE_TYPES = {"mjpeg": "jpeg", "png": "png", "bmp": "bmp", "gif": "gif", "tiff": "tiff", "webp": "webp"}
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


class PictureTiming(NamedTuple):
    """The timing of the encoded video.

    Attributes:
        frames: how many there are.
        last: the time of the last frame, in seconds since the start of the film.
        last_duration: how long the last one is shown, in seconds.
        jumps: what was added to timestamps after each jump in a recording, in seconds; see `recordings.Clock`.
    """

    last: Fraction
    frames: int
    last_duration: Fraction
    jumps: tuple[Fraction, ...] = ()


def join(
    film: Film, pieces: Sequence[Path], destination: Destination, provenance: Provenance, timing: PictureTiming
) -> None:
    """Write the output atomically: the pieces, joined seamlessly, and copies of all other streams.

    Args:
        film: the source.
        pieces: the files written by `FilmEncoder`, in order.
        destination: the output.
        provenance: what made the colors.
        timing: that of all frames in the pieces.

    Raises:
        UnwritableMedia: the disk is full or not writable, or a piece is damaged.
        FfmpegMissing: ffmpeg is not available.
    """
    target = destination.path
    muxer = CONTAINERS[target.suffix.lower()]
    xmp = stamp(film.path, provenance)
    with (
        replacing(target) as temporary,
        _attachments(film, destination, muxer) as attached,
        _continuous(film, destination, timing) as copied,
    ):
        arguments = _arguments(film, temporary, muxer, destination, xmp, timing, attached, copied)
        try:
            with FfmpegProcess(arguments, writes=True) as process:
                with contextlib.suppress(BrokenPipeError):  # it exited first, and tells why
                    _feed(process, pieces)
                process.finish()
        except FfmpegFailed as error:
            raise unwritable(target, str(error)) from error
        if muxer in {"mp4", "mov"}:
            append_box(temporary, xmp)


@contextlib.contextmanager
def _continuous(film: Film, destination: Destination, timing: PictureTiming) -> Iterator[Path | None]:
    """Give a copy of the other streams if their timestamps jump; None if they can be copied from the source."""
    if not timing.jumps or not destination.copied:
        yield None
        return
    with continuous_copy(film, destination.copied, timing.jumps, destination.path) as path:
        yield path


class _Attachment(NamedTuple):
    """A cover that becomes an attachment.

    Attributes:
        path: the picture.
        name: its name in the film.
        mime_type: such as "image/jpeg".
    """

    path: Path
    name: str
    mime_type: str


@contextlib.contextmanager
def _attachments(film: Film, destination: Destination, muxer: str) -> Iterator[list[_Attachment]]:
    """Extract the covers that Matroska holds as attachments, not as streams; they are removed at the end."""
    covers = [each for each in destination.copied if each.kind == "picture"] if muxer == "matroska" else []
    found: list[_Attachment] = []
    try:
        for cover in covers:
            with opened(film.path, film.input_options) as container:
                stream = container.streams[cover.index]
                kind = _IMAGE_TYPES.get(cover.codec, cover.codec)
                packet = next(each for each in container.demux(stream) if each.size)
                path = temporary_beside(destination.path)
                name = stream.metadata.get("filename") or f"cover.{'jpg' if kind == 'jpeg' else kind}"
                found.append(_Attachment(path, name, stream.metadata.get("mimetype") or f"image/{kind}"))
                path.write_bytes(bytes(packet))
        yield found
    finally:
        for each in found:
            each.path.unlink(missing_ok=True)


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


def _arguments(
    film: Film,
    path: Path,
    muxer: str,
    destination: Destination,
    xmp: bytes,
    timing: PictureTiming,
    attached: Sequence[_Attachment],
    continuous: Path | None,
) -> list[str]:
    """Return the arguments of an ffmpeg that reads the pieces from stdin."""
    upright = film.rotation + film.tilt
    picture = ffmpeg.input(
        "pipe:0",
        format="mov",
        itsoffset=f"{float(-TIME_OFFSET - destination.start):.6f}",
        copyts=None,
        **({"display_rotation": -upright} if upright or film.mirrored else {}),
        **({"display_hflip": None} if film.mirrored else {}),
    )
    source = ffmpeg.input(url(film.path), **film.input_options, **_cut(film.start, destination.start))
    copy = ffmpeg.input(url(continuous), **_cut(Fraction(0), destination.start)) if continuous else None
    copied = [each for each in destination.copied if not (attached and each.kind == "picture")]
    kept = [each for each in film.streams if each.index == film.index or each in copied]
    place = [each.index for each in kept].index(film.index)
    number = 0 if kept[0].index != film.index else 1  # of the source among the inputs, in mapping order
    if copy is None:
        streams = [picture["v"] if each.index == film.index else source[str(each.index)] for each in kept]
    else:
        places = {each.index: str(number) for number, each in enumerate(destination.copied)}
        streams = [picture["v"] if each.index == film.index else copy[places[each.index]] for each in kept]
        number = 2
    if copy is not None or not copied:
        streams.append(source["t?"])  # no stream, but makes ffmpeg read the metadata and chapters
    options: dict[str, Any] = {
        "c": "copy",
        "map_metadata": number,
        "map_chapters": number,
        **{f"map_metadata:s:{index}": f"{number}:s:{each.index}" for index, each in enumerate(kept)},
        **{f"disposition:{index}": each.disposition for index, each in enumerate(kept)},
        f"bsf:{place}": _duration_filter(timing, destination, film),
        f"time_base:{place}": str(film.time_base),  # that of the filter, which would be the frame rate
        f"color_range:{place}": destination.range,
        "fflags": "+bitexact",
        "strict": -1,
    }
    if not film.variable:
        options[f"r:{place}"] = str(film.frame_rate)  # metadata only
    if destination.start:
        options["copypriorss"] = 0  # drops what precedes the cut after seeking to a key frame
    if destination.end is not None:
        options["t"] = f"{float(destination.end - destination.start):.6f}"
    if muxer in {"mp4", "mov"}:
        keys = {each.lower() for each in film.tags} - _MOV_TAGS
        flags = "+faststart+use_metadata_tags" if keys else "+faststart"
        options |= {"movflags": flags, "video_track_timescale": film.time_base.denominator}
        if destination.family == "hevc":
            options[f"tag:{place}"] = "hvc1"  # Apple players reject hev1
    repeated = [("-metadata", f"{tag}=") for tag in _WRITERS_TAGS]
    is_cut = bool(destination.start) or destination.end is not None
    for index, each in enumerate(kept):
        if is_cut or each.index == film.index:
            repeated += [(f"-metadata:s:{index}", f"{tag}=") for tag in each.tags if _STALE.match(tag)]
    if muxer not in {"mp4", "mov"}:
        repeated.append(("-metadata", f"{TAG}={xmp.decode()}"))
    for index, cover in enumerate(attached, sum(each.kind == "attachment" for each in kept)):
        repeated += [
            ("-attach", str(cover.path)),
            (f"-metadata:s:t:{index}", f"filename={cover.name}"),
            (f"-metadata:s:t:{index}", f"mimetype={cover.mime_type}"),
        ]
    output = ffmpeg.output(*streams, url(path), format=muxer, **options)
    arguments = command(output)
    at = arguments.index(f"file:{path}")  # ffmpeg-python cannot repeat an option
    return [*arguments[:at], *itertools.chain(*repeated), *arguments[at:]]


def _cut(begins: Fraction, start: Fraction) -> dict[str, str | int]:
    """Return the options of an input whose timestamps begin at one time, for an output that starts later within it."""
    offset: dict[str, str | int] = {"itsoffset": f"{float(-begins - start):.6f}"}
    return offset | {"ss": f"{float(begins + start):.6f}", "seek_timestamp": 1} if start else offset


def _duration_filter(timing: PictureTiming, destination: Destination, film: Film) -> str:
    """Return a bitstream filter that makes the last frame shown, and the last one decoded, last until the end.

    Other frames of a variable rate get hardly any duration, which would only be a guess: they last until the next.
    """
    last = float(timing.last - destination.start - film.time_base / 2)
    end = float(timing.last - destination.start + timing.last_duration)
    other = "max(1,0.001/TB)" if film.variable else "DURATION"
    return f"setts=pts=PTS:dts=DTS:duration='if(eq(N,{timing.frames - 1})+gt(PTS*TB,{last}),{end}/TB-PTS,{other})'"
