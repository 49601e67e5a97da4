"""PNG out. Not Pillow, which has no color of 16 bits and holds all frames of an animation in memory.

Pixels are filtered here and compressed by libdeflate, which takes a third of libpng's time for files of that size.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

import imagecodecs
import numpy as np

from colorcli.media.pictures import iptc, profiles
from colorcli.media.pictures.containers import PNG_SIGNATURE, png_chunk
from colorcli.media.pictures.encoder_input import EncodeRequest, to_pillow, with_alpha

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from colorcli.media.pictures.metadata import Metadata

_LEVEL = 3  # level 1 saves a third of the time, for files that are a tenth larger
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by number of channels
_LEFT, _ABOVE = 1, 2  # filters: what is coded is the difference to the pixel there
_SAMPLE = 16  # rows, of which one shows which filter is better
_MAX_CHUNK_BYTES = 2**30  # bytes
_MAX_DURATION = 65535  # units of time that a frame is shown
_MAX_KEYWORD_BYTES = 79  # bytes


def write_png(stream: BinaryIO, request: EncodeRequest) -> None:
    """Write a PNG of 8 or 16 bits, or an animated one frame by frame."""
    sequence = 0
    for index, (pixels, alpha, seconds, _) in enumerate(request.frames):
        channels = with_alpha(pixels, alpha)
        if request.count > 1:  # all frames of an animation are of one kind
            channels = np.asarray(to_pillow(pixels, alpha).convert("RGBA"))
        if index == 0:
            stream.write(PNG_SIGNATURE + png_chunk(b"IHDR", _header(channels)))
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
        filtered: Any = _filtered(channels)
        coded = bytes(imagecodecs.deflate_encode(filtered, _LEVEL))
        for at in range(0, len(coded), _MAX_CHUNK_BYTES):
            body = coded[at : at + _MAX_CHUNK_BYTES]
            if index == 0:
                stream.write(png_chunk(b"IDAT", body))
            else:
                stream.write(png_chunk(b"fdAT", struct.pack(">I", sequence) + body))
                sequence += 1
    stream.write(png_chunk(b"IEND", b""))


def _header(pixels: NDArray[Any]) -> bytes:
    height, width, channels = pixels.shape
    return struct.pack(">II5B", width, height, 8 * pixels.dtype.itemsize, _COLOR_TYPES[channels], 0, 0, 0)


def _filtered(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Replace pixels (H, W, C) by differences, which compress better: (H, 1 + bytes of a row)."""
    rows = pixels.astype(pixels.dtype.newbyteorder(">"), copy=False).view(np.uint8).reshape(len(pixels), -1)
    step = pixels.shape[2] * pixels.dtype.itemsize
    filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    if _is_smoother_across(rows, step):
        filtered[:, 0] = _LEFT
        filtered[:, 1 : 1 + step] = rows[:, :step]
        np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, 1 + step :])
    else:
        filtered[:, 0] = _ABOVE
        filtered[0, 1:] = rows[0]
        np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def _is_smoother_across(rows: NDArray[np.uint8], step: int) -> bool:
    """Return whether bytes differ less from those one pixel to the left than from those above."""
    if len(rows) < 2 or rows.shape[1] <= step:
        return False
    sampled, above = rows[1::_SAMPLE], rows[:-1:_SAMPLE]
    across, down = sampled[:, step:] - sampled[:, :-step], sampled - above
    mean_across, mean_down = (float(np.abs(each.view(np.int8).astype(np.int16)).mean()) for each in (across, down))
    return mean_across < mean_down


def _duration(seconds: float, lost: list[str]) -> tuple[int, int]:
    """Return how long a frame is shown as a fraction of two 16-bit numbers, in the finest unit that is possible."""
    for unit in (1000, 100, 10, 1):
        if round(seconds * unit) <= _MAX_DURATION:
            return round(seconds * unit), unit
    lost.append(f"a frame's duration of {seconds:.0f} s (a PNG allows {_MAX_DURATION:,})")
    return _MAX_DURATION, 1


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
            key.encode("latin-1", "replace")[:_MAX_KEYWORD_BYTES] + b"\0\1\0\0\0" + zlib.compress(value.encode()),
        )
