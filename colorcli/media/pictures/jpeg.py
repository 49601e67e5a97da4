"""JPEG out: imagecodecs codes the pixels, twice as fast as Pillow; the segments around them are laid here."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

import imagecodecs

from colorcli.media.pictures import metadata, profiles
from colorcli.media.pictures.encoder_input import Order, eight_bits, on_white

if TYPE_CHECKING:
    from collections.abc import Iterator

    from colorcli.media.pictures.metadata import Metadata

_JPEG_SEGMENT_LIMIT = 65533


def write_jpeg(stream: BinaryIO, order: Order) -> None:
    """Write one picture at full chroma resolution; what is transparent becomes white."""
    pixels, alpha, _ = next(order.frames)
    coded = imagecodecs.jpeg8_encode(on_white(eight_bits(pixels), alpha), order.quality, subsampling="444")
    app0_end = 4 + int.from_bytes(coded[4:6], "big")
    stream.write(coded[:2])
    for segment in _jpeg_segments(order.kept):
        stream.write(segment)
    stream.write(memoryview(coded)[app0_end:])


def _jpeg_segments(kept: Metadata) -> Iterator[bytes]:
    across, down = (min(65535, max(1, round(value))) for value in kept.dpi or (0, 0))
    density = struct.pack(">BHH", 1, across, down) if kept.dpi else struct.pack(">BHH", 0, 1, 1)
    yield _jpeg_segment(0xE0, b"JFIF\0\1\1" + density + b"\0\0")
    if kept.exif:
        yield _jpeg_segment(0xE1, b"Exif\0\0" + kept.exif)
    yield _jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + kept.xmp)
    if kept.iptc:
        yield _jpeg_segment(0xED, metadata.PHOTOSHOP_HEADER + metadata.photoshop_of_iptc(kept.iptc))
    yield _jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1" + profiles.srgb())
    if kept.comment:
        yield _jpeg_segment(0xFE, kept.comment)


def _jpeg_segment(marker: int, body: bytes) -> bytes:
    if len(body) > _JPEG_SEGMENT_LIMIT:
        return b""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


_STANDARD_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


DEFAULT_QUALITY, HIGHEST_QUALITY = 92, 98
"""Below the first, losses begin to show; above the second, files grow and pictures do not improve."""


def jpeg_quality(tables: dict[int, list[int]]) -> int:
    """Return the quality to write at: about what quantization tables stand for, between the two bounds."""
    if 0 not in tables:
        return DEFAULT_QUALITY
    percent = 100 * sum(tables[0]) / sum(_STANDARD_LUMINANCE)
    quality = 5000 / percent if percent > 100 else (200 - percent) / 2
    return max(DEFAULT_QUALITY, min(HIGHEST_QUALITY, round(quality)))
