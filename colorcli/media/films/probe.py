"""What a film is: its picture, its colors' code, its clock, and everything else that must survive."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from colorcli.errors import UnreadableMedia
from colorcli.media import formats, shown
from colorcli.media.films import is_film
from colorcli.media.films.ffmpeg import filters, url

if TYPE_CHECKING:
    from collections.abc import Mapping
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
"""The matrices whose Y, U and V are sums of R', G' and B': those that colors are predicted in."""

HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_FIRST_FRAMES = 5
_FIRST_PACKETS = 300
_PICTURES = {"image2", "gif", "apng", "webp_anim"}


@dataclass(frozen=True)
class Stream:
    """One stream of a film.

    Attributes:
        index: its number in the file.
        kind: "video", "audio", "subtitle", "attachment", "data", "picture" for a cover, or "chapters" for a track that
            names them, which is made anew and not copied.
        codec: ffmpeg's name of its codec; empty where ffmpeg knows none.
        language: three letters, empty where nothing says.
        disposition: what it is for, in ffmpeg's words with "+" between them, such as "default"; "0" for nothing.
    """

    index: int
    kind: str
    codec: str
    language: str
    disposition: str


@dataclass(frozen=True)
class Film:
    """A film as `source.frames` gives it. What had to be assumed or changed to get there is in `notes`.

    Attributes:
        path: the file.
        container: ffmpeg's name of its format.
        index: which stream is the picture.
        codec: ffmpeg's name of that stream's codec.
        width: of the frames as they are stored, before rotation.
        height: likewise.
        sample_aspect_ratio: how wide a pixel is shown for its height.
        rotation: degrees by which a frame is turned clockwise to be shown: 0, 90, 180 or 270.
        mirrored: whether left and right are exchanged after that.
        frame_rate: frames in a second, on average where the rate varies.
        variable: whether the frames are shown for different times.
        time_base: the tick in seconds, of which all times are multiples.
        start: where the file's clock starts; times are counted from there.
        clocked: whether the file has a clock by which it can be sought; a raw stream has none.
        pixel_format: ffmpeg's name of how pixels are stored.
        depth: 8 or 10 bits of the luma that `frames` gives.
        matrix: how Y, U and V follow from R', G' and B'; one of `LUMA_MATRICES`.
        range: "tv" for luma of 16..235 (64..940), "pc" for the whole range.
        transfer: the transfer characteristic.
        primaries: the color primaries.
        interlaced: whether frames are coded as two fields, and deinterlaced by `frames`.
        hdr: "PQ" or "HLG" where `frames` maps the tones of such a film to those of standard range, else empty.
        duration: in seconds; None where nothing says.
        frames: how many there are; None where nothing says.
        streams: all of them, the picture's too.
        chapters: how many.
        metadata: the tags of the whole.
        notes: sentences for the user.
    """

    path: Path
    container: str
    index: int
    codec: str
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
    chapters: int
    metadata: Mapping[str, str] = field(hash=False)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What to call the film in messages."""
        return shown(self.path)


def probe(path: Path) -> Film:
    """Read what a film is; its first frames are decoded for that.

    Raises:
        UnreadableMedia: it cannot be read, is no film, holds no picture, or one that is encrypted, damaged from the
            start, or in a codec or colors that cannot be decoded.
        FfmpegMissing: there is no ffmpeg.
    """
    _check_beginning(path)
    try:
        with av.open(url(path)) as container:
            return _probed(path, container)
    except av.error.FFmpegError as error:
        raise UnreadableMedia(
            f"{shown(path)}: this film is damaged, cut off or in a format that ffmpeg cannot read ({error.strerror}).",
            "Get the file again. If it was cut off, a tool such as untrunc may repair it.",
        ) from error


def _check_beginning(path: Path) -> None:
    """Refuse what needs no ffmpeg to be refused, in words that say what it is."""
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
        raise UnreadableMedia(f"{shown(path)}: this is {found}, and a film was expected.")


def _probed(path: Path, container: Any) -> Film:
    stream = _picture_stream(path, container)
    decoder = stream.codec_context
    frames, times = _beginning(path, container, stream)
    if not frames:
        raise UnreadableMedia(
            f"{shown(path)}: not one frame of its {decoder.name} picture can be decoded.",
            "It may be encrypted (copy-protected), or damaged from the start.",
        )
    first = frames[0]
    said = _Notes()
    hdr = HDR.get(TRANSFERS.get(int(first.color_trc), ""), "")
    _refuse_unknown_colors(path, first, hdr)
    colors = _colors(first, decoder.name, said)
    if hdr:
        said.add(f"its {hdr} tones are mapped to those of standard range, in bt709 with 10 bits")
        colors = ("bt709", "tv", "bt709", "bt709")
    interlaced = any(frame.interlaced_frame for frame in frames)
    if interlaced:
        said.add("it is interlaced, and is deinterlaced")
    bits = first.format.components[0].bits
    depth = 10 if hdr or bits > 8 else 8
    if bits not in {8, 10} and not hdr:
        said.add(f"its {bits} bits become {depth}")
    rotation, mirrored = _display(first)
    rate, variable = _rate(stream, times)
    others = [each for each in container.streams.video if each.index != stream.index and not _is_cover(each)]
    if others:
        said.add(f"of its {len(others) + 1} pictures, stream {stream.index} is colorized and the others are copied")
    duration = container.duration and Fraction(container.duration, av.time_base)
    return Film(
        path=path,
        container=container.format.name,
        index=stream.index,
        codec=decoder.codec.canonical_name,
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
        chapters=len(container.chapters() or ()),
        metadata=dict(container.metadata),
        notes=said.sentences,
    )


class _Notes:
    """What the user should know, in sentences."""

    def __init__(self) -> None:
        self.sentences: tuple[str, ...] = ()

    def add(self, sentence: str) -> None:
        self.sentences += (sentence,)


def _picture_stream(path: Path, container: Any) -> Any:
    films = [each for each in container.streams.video if not _is_cover(each)]
    if not films or container.format.name in _PICTURES or container.format.name.endswith("_pipe"):
        kinds = ", ".join(dict.fromkeys(each.type for each in container.streams)) or "nothing"
        raise UnreadableMedia(f"{shown(path)}: there is no film in it, only {kinds}.")
    best = container.streams.best("video")
    stream = best if best is not None and not _is_cover(best) else films[0]
    context = stream.codec_context
    if context is None:
        raise UnreadableMedia(
            f"{shown(path)}: its picture is in a codec that ffmpeg does not know.",
            "Convert the film with a tool that knows it, such as the one that made it.",
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
    """Decode a few frames, passing over damaged ones, and find when many more are shown, in order."""
    frames: list[Any] = []
    times: list[Fraction] = []
    with contextlib.suppress(av.error.FFmpegError):  # cut off: what came before it must do
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
    return UnreadableMedia(f"{shown(path)}: it is encrypted.", "Decrypt it first, if you may.")


def _start(container: Any, stream: Any) -> Fraction:
    """Return where the clock of the file starts, on a tick of the picture's own clock."""
    seconds = Fraction(container.start_time or 0, av.time_base)
    tick = Fraction(stream.time_base)
    return round(seconds / tick) * tick


def _display(frame: Any) -> tuple[int, bool]:
    """Return by how many degrees a frame is turned clockwise, and whether it is then mirrored, to be shown."""
    rotation = round(-frame.rotation / 90) * 90 % 360
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return rotation, False
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].astype(float)
    mirrored = bool(a * d < b * c)
    if mirrored and rotation in {0, 180}:  # the angle is that of the first row, which mirroring reverses
        rotation = 180 - rotation
    return rotation, mirrored


def _rate(stream: Any, times: list[Fraction]) -> tuple[Fraction, bool]:
    """Return the frame rate, and whether frames are shown for times that differ by more than the clock's tick."""
    rate = Fraction(stream.average_rate or stream.guessed_rate or stream.base_rate or 25)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times[:-4])]  # the last may be out of order
    if not gaps:
        return rate, False
    usual = sorted(gaps)[len(gaps) // 2]
    return rate, any(abs(gap - usual) > max(stream.time_base * 2, usual / 20) for gap in gaps)


def _refuse_unknown_colors(path: Path, frame: Any, hdr: str) -> None:
    matrix = MATRICES.get(int(frame.colorspace), "")
    if not _is_rgb(frame.format) and matrix in {"ycgco", "bt2020c", "ictcp"}:
        raise UnreadableMedia(f"{shown(path)}: its colors are coded in {matrix}, which is not supported.", _CONVERT)
    if hdr and "zscale" not in filters():
        raise UnreadableMedia(
            f"{shown(path)}: it is in high dynamic range ({hdr}), and this ffmpeg cannot map its tones.",
            "Use an ffmpeg with zscale, or convert the film to standard range first.",
        )


_CONVERT = "Convert it first: ffmpeg -i FILM -vf scale=out_color_matrix=bt709 -crf 12 CONVERTED.mkv"


def _is_rgb(form: Any) -> bool:
    return bool(form.is_rgb or form.has_palette)


def _colors(frame: Any, codec: str, said: _Notes) -> tuple[str, str, str, str]:
    """Return matrix, range, transfer and primaries of the frames that we give."""
    if _is_rgb(frame.format):
        said.add("its RGB becomes Y, U and V in bt709")
        return "bt709", "tv", "bt709", "bt709"
    usual = "bt709" if frame.height >= 720 else "smpte170m"
    matrix = MATRICES.get(int(frame.colorspace), "")
    if matrix not in LUMA_MATRICES:
        said.add(f"nothing says in which matrix its colors are, so {usual} is taken")
        matrix = usual
    pairs = {"bt709": "bt709", "bt2020nc": "bt2020", "bt470bg": "bt470bg", "smpte240m": "smpte240m"}
    primaries = PRIMARIES.get(int(frame.color_primaries), pairs.get(matrix, "smpte170m"))
    transfer = TRANSFERS.get(int(frame.color_trc), "smpte240m" if matrix == "smpte240m" else "bt709")
    full = frame.format.name.startswith("yuvj") or (frame.format.name.startswith("gray") and codec in _FULL_GRAY)
    return matrix, RANGES.get(int(frame.color_range), "pc" if full else "tv"), transfer, primaries


_FULL_GRAY = {"ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "mjpeg", "png", "jpeg2000", "jpegls", "dpx", "tiff"}
