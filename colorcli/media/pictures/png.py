"""PNG out. Not Pillow, which has no color of 16 bits and holds all frames of an animation in memory."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

import imagecodecs
import numpy as np

from colorcli.media.pictures import iptc, profiles
from colorcli.media.pictures.containers import PNG_SIGNATURE, png_chunk, png_chunks
from colorcli.media.pictures.encoder_input import EncodeRequest, to_pillow, with_alpha

if TYPE_CHECKING:
    from collections.abc import Iterator

    from colorcli.media.pictures.metadata import Metadata

# Level 6 takes 2.6 times as long and saves a tenth.
_LEVEL = 3
_LONGEST = 65535  # units of time that a frame is shown
_LONGEST_KEYWORD = 79  # bytes


def write_png(stream: BinaryIO, request: EncodeRequest) -> None:
    """Write a PNG of 8 or 16 bits, or an animated one frame by frame."""
    sequence = 0
    for index, (pixels, alpha, seconds, _) in enumerate(request.frames):
        channels = with_alpha(pixels, alpha)
        if request.count > 1:  # all frames of an animation are of one kind
            channels = np.asarray(to_pillow(pixels, alpha).convert("RGBA"))
        chunks = list(png_chunks(bytes(imagecodecs.png_encode(channels, _LEVEL))))
        if index == 0:
            stream.write(PNG_SIGNATURE + chunks[0].whole)
            for name, body in _metadata(request.kept):
                stream.write(png_chunk(name, body))
            if request.count > 1:
                # Without a number of loops a file plays once.
                plays = 1 if request.kept.loop is None else request.kept.loop
                stream.write(png_chunk(b"acTL", struct.pack(">II", request.count, plays)))
        if request.count > 1:
            height, width = pixels.shape[:2]
            control = struct.pack(">5I2H2B", sequence, width, height, 0, 0, *_duration(seconds, request.lost), 0, 0)
            stream.write(png_chunk(b"fcTL", control))
            sequence += 1
        for chunk in chunks:
            if chunk.name != b"IDAT":
                continue
            if index == 0:
                stream.write(chunk.whole)
            else:
                stream.write(png_chunk(b"fdAT", struct.pack(">I", sequence) + chunk.body))
                sequence += 1
    stream.write(png_chunk(b"IEND", b""))


def _duration(seconds: float, lost: list[str]) -> tuple[int, int]:
    """Return how long a frame is shown as a fraction of two 16-bit numbers, in the finest unit that is possible."""
    for unit in (1000, 100, 10, 1):
        if round(seconds * unit) <= _LONGEST:
            return round(seconds * unit), unit
    lost.append(f"a frame's duration of {seconds:.0f} s, of which a PNG holds {_LONGEST:,}")
    return _LONGEST, 1


def _metadata(kept: Metadata) -> Iterator[tuple[bytes, bytes]]:
    yield b"iCCP", b"sRGB\0\0" + zlib.compress(profiles.srgb())
    if kept.dpi:
        across, down = (min(2**31 - 1, round(value / 0.0254)) for value in kept.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    if kept.exif:
        yield b"eXIf", kept.exif
    yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + kept.xmp
    if kept.iptc:
        records = iptc.photoshop_of_iptc(kept.iptc)
        profile = f"\niptc\n{len(records):8d}\n{records.hex()}\n".encode()
        yield b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(profile)
    for key, value in kept.text.items():
        yield (
            b"iTXt",
            key.encode("latin-1", "replace")[:_LONGEST_KEYWORD] + b"\0\1\0\0\0" + zlib.compress(value.encode()),
        )
