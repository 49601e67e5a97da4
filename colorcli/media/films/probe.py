"""Examines a film: its video stream, color coding, timing, and all other streams."""

from __future__ import annotations

import contextlib
import io
import itertools
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import ffmpeg

from colorcli.errors import UnreadableMedia
from colorcli.media import formats, shown
from colorcli.media.films import is_film
from colorcli.media.films.captions import SIDE_DATA
from colorcli.media.films.chapters import chapter_languages
from colorcli.media.films.colors import color_tags, picture_colors
from colorcli.media.films.display import display, interlacing
from colorcli.media.films.ffmpeg import LONG_ANALYSIS, FfmpegFailed, command, opened, run, side_data, url
from colorcli.media.films.film import Film, Stream
from colorcli.media.films.recordings import Clock
from colorcli.media.films.sequences import ImageSequence, find_sequence, is_pattern
from colorcli.media.films.timing import frame_rate, last_duration, start_of

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.media.films.display import Deinterlace

_FIRST_FRAMES = 5
_FIRST_PACKETS = 300
_REORDERED = 4  # the last packets read, before which others may be shown
_SAMPLES, _SAMPLE_FRAMES = 8, 3
_PICTURES = {"image2", "gif", "apng", "webp_anim"}

_NEVER_INTERLACED = {"vp8", "vp9", "av1", "theora", "flv1", "gif"}
_TIMESTAMPS_MAY_JUMP = 0x200  # AVFMT_TS_DISCONT
_CROPPING_CONTAINERS = ("matroska", "mov")
_LIBVPX = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""The decoders of transparency that is stored apart from the colors."""


def probe(path: Path, deinterlace: Deinterlace = "auto", frame_rate: Fraction | None = None) -> Film:
    """Examine a film; some of its frames are decoded for that.

    Args:
        path: the film, or the pattern of a sequence of pictures.
        deinterlace: deinterlace interlaced frames ("auto"), all frames ("on") or none ("off").
        frame_rate: frame rate of a sequence; None for 24.

    Raises:
        UnreadableMedia: the file cannot be read, is not a film, has no video stream, or one that is encrypted, damaged
            from the start, or in an unsupported codec or color coding.
        FfmpegMissing: ffmpeg is not available.
    """
    sequence = find_sequence(path, frame_rate) if is_pattern(path) else None
    if sequence is None:
        _check_beginning(path)
    try:
        if sequence is not None:
            with opened(path, sequence.input_options) as container:
                return _probed(path, container, "off", sequence=sequence)
        with opened(path) as container:
            if not _needs_long_analysis(container):
                film = _probed(path, container, deinterlace)
                crops = container.format.name.startswith(_CROPPING_CONTAINERS)
                return _with_cropped_size(film) if crops else film
        with opened(path, LONG_ANALYSIS) as container:
            return _probed(path, container, deinterlace, long_analysis=True)
    except av.error.FFmpegError as error:
        raise UnreadableMedia(
            f"{shown(path)}: damaged, truncated or in a format that ffmpeg cannot read ({error.strerror}).",
            "Get the file again. If it was truncated, a tool such as untrunc may repair it.",
        ) from error


def _needs_long_analysis(container: Any) -> bool:
    """Decide whether streams may begin later than ffmpeg looks for them: those of DVDs appear without notice."""
    if container.format.name == "mpeg":
        return True
    return any(each.codec_context and not each.codec_context.sample_rate for each in container.streams.audio)


def _check_beginning(path: Path) -> None:
    """Reject files that are obviously not films, naming what they are."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise UnreadableMedia(f"{shown(path)}: {error.strerror or error}.") from error
    if not head:
        raise UnreadableMedia(f"{shown(path)}: the file is empty.")
    if is_film(path):
        return
    kind, found = formats.sniff(head)
    if kind is None and b"\0" not in head:
        found = "text"
    if kind is not None or found == "text":
        raise UnreadableMedia(f"{shown(path)}: expected a film, got {found}.")


def _probed(
    path: Path,
    container: Any,
    deinterlace: Deinterlace,
    *,
    long_analysis: bool = False,
    sequence: ImageSequence | None = None,
) -> Film:
    stream = _picture_stream(path, container, pictures=sequence is not None)
    decoder = stream.codec_context
    jumps = bool(container.format.flags & _TIMESTAMPS_MAY_JUMP)
    frames, times = _beginning(path, container, stream, jumps=jumps)
    if not frames:
        raise UnreadableMedia(
            f"{shown(path)}: no frame of its {decoder.name} video can be decoded.",
            "It may be encrypted (copy-protected), or damaged from the start.",
        )
    first = frames[0]
    notes: list[str] = []
    colors = picture_colors(first, notes) if sequence else color_tags(path, first, decoder.name, notes)
    # ffmpeg's own decoder of VP8 and VP9 skips transparency
    modes = [value for key, value in stream.metadata.items() if key.lower() == "alpha_mode"]
    apart = decoder.name in _LIBVPX and "1" in modes
    bits = max(8, first.format.components[0].bits)
    alpha = apart or any(component.is_alpha for component in first.format.components)
    if alpha and sequence is not None:
        alpha = False
        notes.append("the transparency of its pictures is left out")
    depth = 10 if colors.hdr else min(10 if alpha else 12, bits + bits % 2)  # ffmpeg has no 4:2:0 of 12 with alpha
    if bits > depth and not colors.hdr:
        notes.append(f"its {bits} bits are reduced to {depth}")
    rate, variable = frame_rate(stream, times)
    clocked = container.start_time is not None
    last = last_duration(container, stream, 1 / rate, clocked and not jumps)
    if clocked and decoder.name not in _NEVER_INTERLACED:
        frames += _samples(container, stream)
    field_order, interlaced = interlacing(container, stream, frames, deinterlace, notes)
    rotation, tilt, mirrored = display(first)
    if tilt:
        notes.append(f"displayed at an angle of {(rotation + tilt) % 360:g} degrees, which is kept")
    others = [each for each in container.streams.video if each.index != stream.index and not _is_cover(each)]
    if others:
        notes.append(
            f"of its {len(others) + 1} video streams, stream {stream.index} is colorized, the others are copied"
        )
    duration = container.duration and Fraction(container.duration, av.time_base)
    return Film(
        path=path,
        index=stream.index,
        width=first.width,
        height=first.height,
        sample_aspect_ratio=Fraction(stream.sample_aspect_ratio or 1),
        rotation=rotation,
        tilt=tilt,
        mirrored=mirrored,
        frame_rate=rate,
        variable=variable,
        time_base=stream.time_base,
        start=start_of(container, stream),
        last_duration=last,
        seekable=clocked and not jumps,
        jumps=jumps,
        long_analysis=long_analysis,
        decoder=_LIBVPX[decoder.name] if apart else "",
        pixel_format="yuva420p" if apart else first.format.name,
        depth=depth,
        matrix=colors.matrix,
        range=colors.range,
        transfer=colors.transfer,
        primaries=colors.primaries,
        hdr=colors.hdr,
        rgb=colors.rgb,
        alpha=alpha,
        captions=any(side_data(frame, SIDE_DATA) for frame in frames),
        deinterlace=deinterlace,
        field_order=field_order,
        interlaced=interlaced,
        duration=duration or None,
        frames=stream.frames or None,
        streams=tuple(_described(each) for each in container.streams),
        chapter_languages=_chapter_languages(path, container, notes),
        tags=tuple(container.metadata),
        notes=tuple(notes),
        sequence=sequence,
    )


def _samples(container: Any, stream: Any) -> list[Any]:
    """Decode a few frames at regular distances, for what may change within a film."""
    frames: list[Any] = []
    for number in range(1, _SAMPLES) if container.duration else ():
        target = (container.start_time or 0) + container.duration * number // _SAMPLES
        with contextlib.suppress(av.error.FFmpegError):
            container.seek(target)
            frames += itertools.islice(container.decode(stream), _SAMPLE_FRAMES)
    return frames


def _with_cropped_size(film: Film) -> Film:
    """Find out to which size ffmpeg crops the frames, as Matroska and QuickTime containers can declare."""
    output = ffmpeg.input(url(film.path), noautorotate=None)[str(film.index)].output(
        "pipe:1", format="nut", vcodec="rawvideo", **{"frames:v": 1}
    )
    try:
        with av.open(io.BytesIO(run(command(output))), metadata_errors="replace") as container:
            frame = container.streams.video[0]
            width, height = frame.width, frame.height
    except (FfmpegFailed, av.error.FFmpegError, IndexError):  # damaged from the start, which reading will tell
        return film
    if (width, height) == (film.width, film.height):
        return film
    note = f"cropped from {film.width} x {film.height} to {width} x {height}, as the file declares"
    return replace(film, width=width, height=height, notes=(*film.notes, note))


def _picture_stream(path: Path, container: Any, *, pictures: bool) -> Any:
    films = [each for each in container.streams.video if not _is_cover(each)]
    still = container.format.name in _PICTURES or container.format.name.endswith("_pipe")
    if not films or (still and not pictures):
        kinds = ", ".join(dict.fromkeys(each.type for each in container.streams)) or "nothing"
        raise UnreadableMedia(f"{shown(path)}: no video stream found, only {kinds}.")
    best = container.streams.best("video")
    stream = best if best is not None and not _is_cover(best) else films[0]
    context = stream.codec_context
    if context is None:
        raise UnreadableMedia(
            f"{shown(path)}: its video codec is not supported by ffmpeg.",
            "Convert the film with a program that supports it, such as the one that made it.",
        )
    if context.codec_tag in {"encv", "drmi"}:
        raise _encrypted(path)
    return stream


def _is_cover(stream: Any) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _described(stream: Any) -> Stream:
    context = stream.codec_context
    kind = stream.type or "data"
    if kind == "video" and _is_cover(stream):
        kind = "picture"
    elif kind == "data" and stream.discard.name == "all":  # as ffmpeg marks it
        kind = "chapters"
    return Stream(
        index=stream.index,
        kind=kind,
        codec=context.codec.canonical_name if context else "",
        language=stream.metadata.get("language", ""),
        disposition="+".join(each.name for each in stream.disposition) or "0",
        timecode=kind == "data" and "timecode" in stream.metadata,
        tags=tuple(stream.metadata),
    )


def _chapter_languages(path: Path, container: Any, notes: list[str]) -> dict[str, str]:
    """Return the language of each title of a chapter that ffmpeg reads."""
    if container.format.name.startswith("matroska"):
        chapters = [each for each in chapter_languages(path) if each]
        kept = dict(list(each.items())[-1] for each in chapters)
        if any(len(each) > 1 for each in chapters):
            named = ", ".join(dict.fromkeys(kept.values()))
            notes.append(f"its chapters have several titles each, of which one is kept ({named})")
        return kept
    spoken = next((each.language for each in map(_described, container.streams) if each.kind == "chapters"), "")
    titles = [each["metadata"].get("title", "") for each in container.chapters()]
    return dict.fromkeys(titles, spoken) if spoken else {}


def _beginning(path: Path, container: Any, stream: Any, *, jumps: bool) -> tuple[list[Any], list[Fraction]]:
    """Decode a few frames, skipping damaged ones, and return them with the sorted times of many more."""
    frames: list[Any] = []
    times: list[Fraction] = []
    clock = Clock(Fraction(0))
    with contextlib.suppress(av.error.FFmpegError):  # truncated: use what came before
        for number, packet in enumerate(container.demux(stream)):
            if packet.has_sidedata("encryption_info"):
                raise _encrypted(path)
            if jumps and packet.dts is not None and not clock.jumps:
                clock.continuous(packet.dts * stream.time_base)
            if packet.pts is not None and not clock.jumps:  # times after a jump cannot be compared
                times.append(packet.pts * stream.time_base)
            if len(frames) < _FIRST_FRAMES:
                with contextlib.suppress(av.error.FFmpegError):
                    frames += packet.decode()
            elif number > _FIRST_PACKETS:
                return frames, sorted(times)[:-_REORDERED]
    return frames, sorted(times)


def _encrypted(path: Path) -> UnreadableMedia:
    return UnreadableMedia(f"{shown(path)}: the film is encrypted.", "Decrypt it first, if you are allowed to.")
