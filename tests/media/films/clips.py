"""Short films made for the tests, each with a particular feature."""

from __future__ import annotations

import re
import struct
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from colorcli.media.films.ffmpeg import find_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

UNEVEN = "if(eq(mod(N\\,5)\\,0)\\,N*4\\,N*4+mod(N\\,3))"
"""Frame times in quarters of a frame: as uneven as a telephone's."""

SUBTITLES = "1\n00:00:00,000 --> 00:00:00,200\nOnce upon a time\n"
CHAPTERS = ";FFMETADATA1\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
    for start, end, title in [(0, 160, "Leaving"), (160, 400, "Arriving")]
)


def run_ffmpeg(*arguments: object, stdin: bytes = b"") -> None:
    """Run the ffmpeg that colorcli uses: the one on the PATH may be too old for our options."""
    command = [find_ffmpeg().path, "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def moving_pictures(frames: int, size: tuple[int, int], scenes: int = 1) -> NDArray[np.uint8]:
    """RGB (frames, H, W, 3): a colored disc that crosses a textured wall; another wall and disc in every scene."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    film = np.empty((frames, height, width, 3), np.uint8)
    for number in range(frames):
        scene = number * scenes // frames
        noise = np.random.default_rng(scene).integers(0, 24, (height, width, 1))
        wall = np.array([(60, 90, 60), (200, 180, 140), (40, 40, 90), (150, 90, 90)][scene % 4])
        disc = np.array([(200, 60, 40), (40, 60, 180), (230, 200, 60), (90, 200, 90)][scene % 4])
        center = (number % max(1, frames // scenes)) * width / max(1, frames // scenes)
        inside = (x - center) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2
        film[number] = np.where(inside[..., None], disc, wall) + noise
    return film


def make_clip(
    path: Path,
    frames: int = 10,
    size: tuple[int, int] = (64, 48),
    fps: str = "25",
    *,
    scenes: int = 1,
    pictures: NDArray[np.uint8] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    vfr: bool = False,
    audio: str | None = None,
    subtitles: str | None = None,
    attachment: bool = False,
    chapters: bool = False,
    metadata: Mapping[str, str] | None = None,
    rotation: int = 0,
    sample_aspect_ratio: str = "1",
    matrix: str | None = "bt709",
    transfer: str | None = None,
    full_range: bool = False,
    interlaced: bool = False,
    extra: Sequence[str] = (),
) -> Path:
    """Make a film of a moving disc.

    Args:
        path: its suffix decides the container.
        frames: how many.
        size: width and height.
        fps: frames in a second, such as "30000/1001".
        scenes: how many scenes, of the same length, with hard cuts between them.
        pictures: RGB (frames, H, W, 3) in place of the disc.
        codec: ffmpeg's name of the encoder of the picture.
        pix_fmt: ffmpeg's name of the pixel format.
        vfr: whether the frames are shown for uneven times.
        audio: the encoder of a tone as long as the picture, such as "aac"; None for silence.
        subtitles: the encoder of one subtitle in German, such as "srt" or "mov_text".
        attachment: whether a font goes with it (mkv).
        chapters: whether there are two chapters.
        metadata: tags of the film.
        rotation: degrees, counter-clockwise as ffmpeg's -display_rotation has it.
        sample_aspect_ratio: of a pixel, such as "16/15".
        matrix: the color matrix, and primaries, of which the stream is tagged; None for no tag.
        transfer: the transfer characteristic of which it is tagged; the matrix where not given.
        full_range: whether luma is 0..255 rather than 16..235.
        interlaced: whether frames are coded and tagged as two fields, top first.
        extra: further output options for ffmpeg.
    """
    if pictures is None:
        pictures = moving_pictures(frames, size, scenes)
    count, height, width = pictures.shape[:3]
    seconds = count / rate_of(fps)
    inputs = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", fps, "-i", "pipe:0"]
    outputs = ["-map", "0:v"]
    with tempfile.TemporaryDirectory() as folder:
        number = 1
        if audio:
            inputs += ["-f", "lavfi", "-t", f"{seconds:.6f}", "-i", "sine=440:sample_rate=48000"]
            outputs += ["-map", f"{number}:a", "-c:a", audio, "-metadata:s:a:0", "language=fra"]
            number += 1
        if subtitles:
            text = Path(folder, "text.srt")
            text.write_text(SUBTITLES, encoding="utf-8")
            inputs += ["-i", str(text)]
            outputs += ["-map", f"{number}:s", "-c:s", subtitles, "-metadata:s:s:0", "language=deu"]
            number += 1
        if chapters:
            marks = Path(folder, "chapters.txt")
            marks.write_text(CHAPTERS, encoding="utf-8")
            inputs += ["-f", "ffmetadata", "-i", str(marks)]
            outputs += ["-map_chapters", str(number)]
            number += 1
        if attachment:
            font = Path(folder, "font.ttf")
            font.write_bytes(b"\0\1\0\0 a font")
            outputs += ["-attach", str(font), "-metadata:s:t", "mimetype=application/x-truetype-font"]
        filters = _filters(vfr, pix_fmt, matrix, transfer, sample_aspect_ratio, full_range)
        if interlaced:
            filters.append("setfield=tff")
            outputs += ["-flags", "+ildct+ilme"]
        if vfr:
            outputs += ["-fps_mode", "passthrough", "-enc_time_base", "filter"]
        for key, value in (metadata or {}).items():
            outputs += ["-metadata", f"{key}={value}"]
        outputs += ["-vf", ",".join(filters), "-c:v", codec, "-pix_fmt", pix_fmt, *extra]
        whole = path if not rotation else Path(folder, f"upright{path.suffix}")
        run_ffmpeg(*inputs, *outputs, whole, stdin=pictures.tobytes())
        if rotation:
            run_ffmpeg("-display_rotation", rotation, "-i", whole, "-map", "0", "-c", "copy", path)
    return path


def _filters(
    vfr: bool, pix_fmt: str, matrix: str | None, transfer: str | None, aspect: str, full_range: bool
) -> list[str]:
    extent = "pc" if full_range else "tv"
    made = ["settb=expr=intb/4", f"setpts={UNEVEN}"] if vfr else []
    if not pix_fmt.startswith(("rgb", "gbr", "bgr", "pal", "gray")):
        made.append(f"scale=out_color_matrix={matrix or 'bt709'}:out_range={extent}")
    made += [f"format={pix_fmt}", f"setsar={aspect}"]
    tag = matrix or "unknown"
    primaries = "bt2020" if tag == "bt2020nc" else tag
    made.append(f"setparams=colorspace={tag}:color_primaries={primaries}:color_trc={transfer or tag}")
    if matrix:
        made.append(f"setparams=range={extent}")
    return made


def rate_of(fps: str) -> float:
    numerator, _, denominator = fps.partition("/")
    return int(numerator) / int(denominator or 1)


def add_captions(source: Path, target: Path) -> Path:
    """Add closed captions, two bytes of text a frame, to an MPEG-2 stream without reordered frames: "HELLO "."""
    text = [(0x14, 0x25), (0x14, 0x25), (0x14, 0x2D), (0x14, 0x2D), (0x48, 0x45), (0x4C, 0x4C), (0x4F, 0x20)]
    words = text + [(0, 0)] * 5
    stream, last, whole = source.read_bytes(), 0, b""
    for number, found in enumerate(re.finditer(rb"\0\0\x01\xb5[\x80-\x8f]", stream)):  # picture coding extensions
        end = stream.find(b"\0\0\x01", found.end())
        pair = bytes(each | 0x80 if each.bit_count() % 2 == 0 else each for each in words[number % len(words)])
        whole += stream[last:end] + b"\0\0\x01\xb2GA94\x03\x41\xff\xfc" + pair + b"\xff"
        last = end
    target.write_bytes(whole + stream[last:])
    return target


def add_clean_aperture(source: Path, target: Path, width: int, height: int) -> Path:
    """Declare in a QuickTime film, whose index comes last, that only its middle is shown."""
    film = bytearray(source.read_bytes())
    begin, end, parents = 0, len(film), []
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        while film[begin + 4 : begin + 8] != kind:
            begin += int.from_bytes(film[begin : begin + 4], "big")
        parents.append(begin)
        end = begin + int.from_bytes(film[begin : begin + 4], "big")
        begin += 8
    entry = parents[-1] + 16  # behind version and number of entries
    size = int.from_bytes(film[entry : entry + 4], "big")
    assert end >= entry + size
    film[entry + size : entry + size] = struct.pack(">I4s8I", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1)
    for each in (*parents, entry):
        film[each : each + 4] = (int.from_bytes(film[each : each + 4], "big") + 40).to_bytes(4, "big")
    target.write_bytes(film)
    return target


def truncated(source: Path, target: Path, keep: float = 0.6) -> Path:
    """Cut a film off after a part of its bytes."""
    whole = source.read_bytes()
    target.write_bytes(whole[: int(len(whole) * keep)])
    return target


def decoded(path: Path, index: int = 0) -> list[tuple[Fraction, NDArray[np.generic]]]:
    """Every frame's time in seconds, as the file has it, and its Y plane, (H, W), by PyAV."""
    with av.open(path) as container:
        stream = container.streams.video[index]
        return [(frame.pts * frame.time_base, plane(frame, 0)) for frame in container.decode(stream)]


def plane(frame: av.VideoFrame, index: int) -> NDArray[np.generic]:
    """One plane of a decoded frame, without the padding of its rows."""
    data = frame.planes[index]
    wide = np.frombuffer(data, np.uint8).reshape(-1, data.line_size)[: data.height]
    depth = frame.format.components[0].bits
    return wide[:, : data.width * (1 if depth == 8 else 2)].copy().view(np.uint8 if depth == 8 else np.uint16)


def intervals(times: Sequence[Fraction]) -> list[Fraction]:
    return [later - earlier for earlier, later in pairwise(times)]
