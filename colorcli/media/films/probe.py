"""Examines a film: its video stream, color coding, timing, and all other streams."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from colorcli.errors import UnreadableMedia
from colorcli.media import formats, shown
from colorcli.media.films import is_film
from colorcli.media.films.ffmpeg import filters, url

if TYPE_CHECKING:
    from pathlib import Path

# The names are ffmpeg's, the numbers those of ITU-T H.273.
MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
RANGES = {1: "tv", 2: "pc"}
LUMA_MATRICES = {"bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc"}
"""The matrices that we support: Y, U and V are linear in R', G' and B'."""

HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_FIRST_FRAMES = 5
_FIRST_PACKETS = 300
_PICTURES = {"image2", "gif", "apng", "webp_anim"}


@dataclass(frozen=True)
class Stream:
    """One stream of a film.

    Attributes:
        index: its number in the file.
        kind: "video", "audio", "subtitle", "attachment", "data", "picture" for a cover, or "chapters" for a track with
            their titles, which is written anew instead of copied.
        codec: the name of its codec in ffmpeg; empty if unknown.
        language: three letters; empty if untagged.
        disposition: ffmpeg's dispositions joined by "+", such as "default"; "0" for none.
    """

    index: int
    kind: str
    codec: str
    language: str
    disposition: str


@dataclass(frozen=True)
class Film:
    """A film as `read_frames` returns it. `notes` tells what had to be assumed or changed for that.

    Attributes:
        path: the file.
        index: the number of the video stream that is colorized.
        width: of the frames as stored, before rotation.
        height: likewise.
        sample_aspect_ratio: width of a pixel divided by its height.
        rotation: degrees clockwise by which frames are rotated for display: 0, 90, 180 or 270.
        mirrored: whether they are mirrored horizontally after that.
        frame_rate: frames per second, on average if the rate is variable.
        variable: whether the duration of frames varies.
        time_base: the tick, in seconds; all times are multiples of it.
        start: the first timestamp of the file, in seconds; times of frames are relative to it.
        clocked: whether the file has timestamps and can be sought; raw streams have none.
        pixel_format: the name of the stored pixel format in ffmpeg.
        depth: 8 or 10 bits, of the luma that `read_frames` returns.
        matrix: the matrix from R', G' and B' to Y, U and V; one of `LUMA_MATRICES`.
        range: "tv" for luma of 16..235 (64..940), "pc" for full range.
        transfer: the transfer characteristic.
        primaries: the color primaries.
        interlaced: whether frames consist of two fields, and are deinterlaced by `read_frames`.
        hdr: "PQ" or "HLG" if `read_frames` tone-maps the film to standard range; empty otherwise.
        duration: in seconds; None if unknown.
        frames: the number of frames; None if unknown.
        streams: all streams, including the video.
        notes: sentences for the user.
    """

    path: Path
    index: int
    width: int
    height: int
    sample_aspect_ratio: Fraction
    rotation: int
    mirrored: bool
    frame_rate: Fraction
    variable: bool
    time_base: Fraction
    start: Fraction
    clocked: bool
    pixel_format: str
    depth: int
    matrix: str
    range: str
    transfer: str
    primaries: str
    interlaced: bool
    hdr: str
    duration: Fraction | None
    frames: int | None
    streams: tuple[Stream, ...]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the film in messages."""
        return shown(self.path)


def probe(path: Path) -> Film:
    """Examine a film; its first frames are decoded for that.

    Raises:
        UnreadableMedia: the file cannot be read, is not a film, has no video stream, or one that is encrypted, damaged
            from the start, or in an unsupported codec or color coding.
        FfmpegMissing: ffmpeg is not available.
    """
    _check_beginning(path)
    try:
        with av.open(url(path)) as container:
            return _probed(path, container)
    except av.error.FFmpegError as error:
        raise UnreadableMedia(
            f"{shown(path)}: damaged, truncated or in a format that ffmpeg cannot read ({error.strerror}).",
            "Get the file again. If it was truncated, a tool such as untrunc may repair it.",
        ) from error


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


def _probed(path: Path, container: Any) -> Film:
    stream = _picture_stream(path, container)
    decoder = stream.codec_context
    frames, times = _beginning(path, container, stream)
    if not frames:
        raise UnreadableMedia(
            f"{shown(path)}: no frame of its {decoder.name} video can be decoded.",
            "It may be encrypted (copy-protected), or damaged from the start.",
        )
    first = frames[0]
    notes: list[str] = []
    hdr = HDR.get(TRANSFERS.get(int(first.color_trc), ""), "")
    _reject_unknown_colors(path, first, hdr)
    colors = _colors(first, decoder.name, notes)
    if hdr:
        notes.append(f"{hdr} high dynamic range is tone-mapped to standard range, in bt709 with 10 bits")
        colors = ("bt709", "tv", "bt709", "bt709")
    interlaced = any(frame.interlaced_frame for frame in frames)
    if interlaced:
        notes.append("interlaced, so it is deinterlaced")
    bits = first.format.components[0].bits
    depth = 10 if hdr or bits > 8 else 8
    if bits not in {8, 10} and not hdr:
        notes.append(f"its {bits} bits are reduced to {depth}")
    rotation, mirrored = _display(first)
    rate, variable = _rate(stream, times)
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
        mirrored=mirrored,
        frame_rate=rate,
        variable=variable,
        time_base=stream.time_base,
        start=_start(container, stream),
        clocked=container.start_time is not None,
        pixel_format=first.format.name,
        depth=depth,
        matrix=colors[0],
        range=colors[1],
        transfer=colors[2],
        primaries=colors[3],
        interlaced=interlaced,
        hdr=hdr,
        duration=duration or None,
        frames=stream.frames or None,
        streams=tuple(_described(each) for each in container.streams),
        notes=tuple(notes),
    )


def _picture_stream(path: Path, container: Any) -> Any:
    films = [each for each in container.streams.video if not _is_cover(each)]
    if not films or container.format.name in _PICTURES or container.format.name.endswith("_pipe"):
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
    )


def _beginning(path: Path, container: Any, stream: Any) -> tuple[list[Any], list[Fraction]]:
    """Decode a few frames, skipping damaged ones, and return them with the sorted times of many more."""
    frames: list[Any] = []
    times: list[Fraction] = []
    with contextlib.suppress(av.error.FFmpegError):  # truncated: use what came before
        for number, packet in enumerate(container.demux(stream)):
            if packet.has_sidedata("encryption_info"):
                raise _encrypted(path)
            if packet.pts is not None:
                times.append(packet.pts * stream.time_base)
            if len(frames) < _FIRST_FRAMES:
                with contextlib.suppress(av.error.FFmpegError):
                    frames += packet.decode()
            elif number > _FIRST_PACKETS:
                break
    return frames, sorted(times)


def _encrypted(path: Path) -> UnreadableMedia:
    return UnreadableMedia(f"{shown(path)}: the film is encrypted.", "Decrypt it first, if you are allowed to.")


def _start(container: Any, stream: Any) -> Fraction:
    """Return the first timestamp of the file, rounded to the time base of the video."""
    seconds = Fraction(container.start_time or 0, av.time_base)
    tick = Fraction(stream.time_base)
    return round(seconds / tick) * tick


def _display(frame: Any) -> tuple[int, bool]:
    """Return the clockwise rotation for display in degrees, and whether the frame is then mirrored."""
    rotation = round(-frame.rotation / 90) * 90 % 360
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return rotation, False
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].astype(float)
    mirrored = bool(a * d < b * c)
    if mirrored and rotation in {0, 180}:  # the angle refers to the first row, which mirroring reverses
        rotation = 180 - rotation
    return rotation, mirrored


def _rate(stream: Any, times: list[Fraction]) -> tuple[Fraction, bool]:
    """Return the frame rate, and whether frame durations differ by more than rounding to the time base explains."""
    rate = Fraction(stream.average_rate or stream.guessed_rate or stream.base_rate or 25)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times[:-4])]  # the last may be out of order
    if not gaps:
        return rate, False
    usual = sorted(gaps)[len(gaps) // 2]
    return rate, any(abs(gap - usual) > max(stream.time_base * 2, usual / 20) for gap in gaps)


def _reject_unknown_colors(path: Path, frame: Any, hdr: str) -> None:
    matrix = MATRICES.get(int(frame.colorspace), "")
    if not _is_rgb(frame.format) and matrix in {"ycgco", "bt2020c", "ictcp"}:
        raise UnreadableMedia(f"{shown(path)}: the color matrix {matrix} is not supported.", _CONVERT)
    if hdr and "zscale" not in filters():
        raise UnreadableMedia(
            f"{shown(path)}: high dynamic range ({hdr}) needs an ffmpeg with the zscale filter, which this one lacks.",
            "Use an ffmpeg with zscale, or convert the film to standard range first.",
        )


_CONVERT = "Convert it first: ffmpeg -i FILM -vf scale=out_color_matrix=bt709 -crf 12 CONVERTED.mkv"


def _is_rgb(form: Any) -> bool:
    return bool(form.is_rgb or form.has_palette)


def _colors(frame: Any, codec: str, notes: list[str]) -> tuple[str, str, str, str]:
    """Return matrix, range, transfer and primaries of the frames that `read_frames` returns."""
    if _is_rgb(frame.format):
        notes.append("its RGB is converted to YUV in bt709")
        return "bt709", "tv", "bt709", "bt709"
    usual = "bt709" if frame.height >= 720 else "smpte170m"
    matrix = MATRICES.get(int(frame.colorspace), "")
    if matrix not in LUMA_MATRICES:
        notes.append(f"the color matrix is not tagged, so {usual} is assumed")
        matrix = usual
    pairs = {"bt709": "bt709", "bt2020nc": "bt2020", "bt470bg": "bt470bg", "smpte240m": "smpte240m"}
    primaries = PRIMARIES.get(int(frame.color_primaries), pairs.get(matrix, "smpte170m"))
    transfer = TRANSFERS.get(int(frame.color_trc), "smpte240m" if matrix == "smpte240m" else "bt709")
    full = frame.format.name.startswith("yuvj") or (frame.format.name.startswith("gray") and codec in _FULL_GRAY)
    return matrix, RANGES.get(int(frame.color_range), "pc" if full else "tv"), transfer, primaries


_FULL_GRAY = {"ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "mjpeg", "png", "jpeg2000", "jpegls", "dpx", "tiff"}
