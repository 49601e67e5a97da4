"""Joins encoded pieces of the video stream with copies of all other streams of the source."""

from __future__ import annotations

import contextlib
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import ffmpeg

from colorcli.files import replacing, temporary_beside, unwritable
from colorcli.media.films import CONTAINERS
from colorcli.media.films.chapters import set_chapter_languages
from colorcli.media.films.ffmpeg import FfmpegFailed, FfmpegProcess, command, opened, url
from colorcli.media.films.pieces import TIME_OFFSET, piece_muxer, send_pieces
from colorcli.media.films.provenance import MXF_TAG, TAG, append_box, stamp
from colorcli.media.films.recordings import continuous_copy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from colorcli.media.films.containers import Destination
    from colorcli.media.films.film import Film, Stream
    from colorcli.media.pictures.metadata import Provenance

_STALE = re.compile(
    r"(BPS|DURATION|NUMBER_OF_(FRAMES|BYTES)|_STATISTICS_\w+|ENCODER|ALPHA_MODE)(-\w+)?$", re.IGNORECASE
)
_WRITERS_TAGS = ("encoder", "major_brand", "minor_version", "compatible_brands")
_MOV_TAGS = {
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"),
    *("lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "location", "location-eng"),
    *("episode_sort", "season_number", "media_type", "hd_video", "gapless_playback", "compilation", "make", "model"),
    *("creation_time", "track", "disc", "rating", "author", "performers", *_WRITERS_TAGS),
}
"""The tags that ffmpeg writes to MP4 and MOV as players expect them; others need QuickTime keys."""

_IMAGE_TYPES = {"mjpeg": "jpeg", "png": "png", "bmp": "bmp", "gif": "gif", "tiff": "tiff", "webp": "webp"}
_MAX_SUBTITLE_SECONDS = 300
"""How long before a section a subtitle may begin that is still on screen there."""


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
        timing: timing of all frames in the pieces.

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
                with contextlib.suppress(BrokenPipeError):  # ffmpeg exited first, and tells why
                    send_pieces(process, film, pieces, destination)
                process.finish()
        except FfmpegFailed as error:
            raise unwritable(target, str(error)) from error
        if muxer in {"mp4", "mov"}:
            append_box(temporary, xmp)
        elif film.chapter_languages:
            set_chapter_languages(temporary, film.chapter_languages)


@contextlib.contextmanager
def _continuous(film: Film, destination: Destination, timing: PictureTiming) -> Iterator[Path | None]:
    """Yield a copy of the other streams if their timestamps jump; None if they can be copied from the source."""
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
        format=piece_muxer(destination.family, alpha=destination.alpha),
        itsoffset=f"{float(-TIME_OFFSET - destination.start):.6f}",
        copyts=None,
        **({"display_rotation": -upright} if upright or film.mirrored else {}),
        **({"display_hflip": None} if film.mirrored else {}),
    )
    copied = [each for each in destination.copied if not (attached and each.kind == "picture")]
    kept = [each for each in film.streams if each.index == film.index or each in copied]
    place = [each.index for each in kept].index(film.index)
    source, subtitles = _sources(film, destination, continuous)
    places = {each.index: number for number, each in enumerate(destination.copied)} if continuous else {}
    streams = [
        picture["v"]
        if each.index == film.index
        else (subtitles if each.kind == "subtitle" else source)[str(places.get(each.index, each.index))]
        for each in kept
    ]
    number = 0 if kept[0].index != film.index else 1  # number of the source among the inputs, in mapping order
    if continuous or not copied:
        number = len({each.node for each in streams})
        source = ffmpeg.input(url(film.path), **film.input_options, **_cut(film.start, destination.start))
        streams.append(source["t?"])  # no stream, but makes ffmpeg read the metadata and chapters
    options: dict[str, Any] = {
        "c": "copy",
        "map_metadata": number,
        "map_chapters": number,
        **{f"map_metadata:s:{index}": f"{number}:s:{each.index}" for index, each in enumerate(kept)},
        **{f"disposition:{index}": each.disposition for index, each in enumerate(kept)},
        f"bsf:{place}": _duration_filter(timing, destination, film),
        # Otherwise the time base of the filter, which would be the frame rate.
        f"time_base:{place}": str(film.time_base),
        f"color_range:{place}": destination.range,
        "fflags": "+bitexact",
        "strict": -1,
    }
    if not film.variable:
        options[f"r:{place}"] = str(film.frame_rate)  # metadata only
    if destination.start:
        options["copypriorss"] = 0  # drops what precedes the cut after seeking to a key frame
    is_cut = bool(destination.start) or destination.end is not None
    for index, each in enumerate(kept):
        if is_cut and each.kind == "subtitle":
            options |= {f"copypriorss:{index}": 1, f"bsf:{index}": _subtitle_filter(destination)}
    if destination.end is not None:
        options["t"] = f"{float(destination.end - destination.start):.6f}"
    if muxer in {"mp4", "mov"}:
        keys = {each.lower() for each in film.tags} - _MOV_TAGS
        flags = "+faststart+use_metadata_tags" if keys else "+faststart"
        options |= {"movflags": flags, "video_track_timescale": film.time_base.denominator}
        if destination.family == "hevc":
            options[f"tag:{place}"] = "hvc1"  # Apple players reject hev1
    output = ffmpeg.output(*streams, url(path), format=muxer, **options)
    arguments = command(output)
    at = arguments.index(f"file:{path}")  # ffmpeg-python cannot repeat an option
    tags = _tags(film, kept, destination, muxer, xmp)
    covers = _attaching(attached, sum(each.kind == "attachment" for each in kept))
    return [*arguments[:at], *tags, *covers, *arguments[at:]]


def _tags(film: Film, kept: Sequence[Stream], destination: Destination, muxer: str, xmp: bytes) -> Iterator[str]:
    """Return the options that set tags, and that remove those which no longer apply."""
    for tag in _WRITERS_TAGS:
        yield from ("-metadata", f"{tag}=")
    is_cut = bool(destination.start) or destination.end is not None
    for index, each in enumerate(kept):
        if is_cut or each.index == film.index:
            for tag in filter(_STALE.match, each.tags):
                yield from (f"-metadata:s:{index}", f"{tag}=")
        if each.index == film.index and destination.family == "vp9" and destination.alpha:
            yield from (f"-metadata:s:{index}", "alpha_mode=1")
    if muxer == "mxf":
        yield from ("-metadata", f"{MXF_TAG}={xmp.decode()}")
    elif muxer not in {"mp4", "mov"}:
        yield from ("-metadata", f"{TAG}={xmp.decode()}")


def _attaching(covers: Sequence[_Attachment], first: int) -> Iterator[str]:
    """Return the options that attach covers, the first of which is the attachment of that number."""
    for index, cover in enumerate(covers, first):
        yield from ("-attach", str(cover.path))
        yield from (f"-metadata:s:t:{index}", f"filename={cover.name}")
        yield from (f"-metadata:s:t:{index}", f"mimetype={cover.mime_type}")


def _sources(film: Film, destination: Destination, continuous: Path | None) -> tuple[Any, Any]:
    """Return the input that streams are copied from, and that of subtitles: those on screen at a cut began before."""
    path, options = (continuous, {}) if continuous else (film.path, film.input_options)
    begins = Fraction(0) if continuous else film.start
    usual, earlier = (
        ffmpeg.input(url(path), **options, **_cut(begins, destination.start, lead))
        for lead in (0, _MAX_SUBTITLE_SECONDS)
    )
    return usual, earlier if destination.start else usual


def _cut(begins: Fraction, start: Fraction, lead: int = 0) -> dict[str, str | int]:
    """Return the options of an input for an output that starts later within it.

    Args:
        begins: its first timestamp, in seconds.
        start: where the output starts, in seconds after that.
        lead: how many seconds before the start are read, too.
    """
    offset: dict[str, str | int] = {"itsoffset": f"{float(-begins - start):.6f}"}
    if start <= lead:
        return offset
    return offset | {"ss": f"{float(begins + start - lead):.6f}", "seek_timestamp": 1}


def _subtitle_filter(destination: Destination) -> str:
    """Return bitstream filters that cut subtitles which are on screen where a section starts or ends."""
    over = "PTS+DURATION"
    if destination.end is not None:
        over = f"min({over},{float(destination.end - destination.start):.6f}/TB)"
    shown = f"setts=pts='max(PTS,0)':dts='max(DTS,0)':duration='max(0,{over}-max(PTS,0))'"
    return f"noise=drop='lte((pts+duration)*tb,0)',{shown}" if destination.start else shown


def _duration_filter(timing: PictureTiming, destination: Destination, film: Film) -> str:
    """Return a bitstream filter that makes the last frame shown, and the last one decoded, last until the end.

    Other frames of a variable rate get hardly any duration, which would only be a guess: they last until the next.
    """
    last = float(timing.last - destination.start - film.time_base / 2)
    end = float(timing.last - destination.start + timing.last_duration)
    other = "max(1,0.001/TB)" if film.variable else "DURATION"
    return f"setts=pts=PTS:dts=DTS:duration='if(eq(N,{timing.frames - 1})+gt(PTS*TB,{last}),{end}/TB-PTS,{other})'"
