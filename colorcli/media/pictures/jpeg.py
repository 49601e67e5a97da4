"""JPEG out. Not Pillow, which has no extended XMP, no IPTC and one comment; imagecodecs is also twice as fast."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, BinaryIO

import imagecodecs

from colorcli.media.pictures import iptc, profiles, xmp
from colorcli.media.pictures.containers import jpeg_segment, jpeg_segments
from colorcli.media.pictures.encoder_input import EncodeRequest, eight_bits, on_white

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT = 65_533  # bytes in a segment
_XMP, _EXTENSION = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"


def write_jpeg(stream: BinaryIO, request: EncodeRequest) -> None:
    """Write one picture at full chroma resolution; what is transparent becomes white."""
    frame = next(request.frames)
    pixels = on_white(eight_bits(frame.pixels), frame.alpha)
    coded = imagecodecs.jpeg8_encode(pixels, request.quality, subsampling="444")
    app0_end = 4 + int.from_bytes(coded[4:6], "big")
    stream.write(coded[:2])
    stream.writelines(_segments(request))
    stream.write(memoryview(coded)[app0_end:])


def _segments(request: EncodeRequest) -> Iterator[bytes]:
    kept = request.kept
    across, down = (min(65535, max(1, round(value))) for value in kept.dpi or (0, 0))
    density = struct.pack(">BHH", 1, across, down) if kept.dpi else struct.pack(">BHH", 0, 1, 1)
    yield jpeg_segment(0xE0, b"JFIF\0\1\1" + density + b"\0\0")
    if len(kept.exif) > _LIMIT - 6:
        request.lost.append(f"its EXIF data of {len(kept.exif):,} bytes (a JPEG allows {_LIMIT - 6:,})")
    elif kept.exif:
        yield jpeg_segment(0xE1, b"Exif\0\0" + kept.exif)
    if len(kept.xmp) <= _LIMIT - len(_XMP):
        yield jpeg_segment(0xE1, _XMP + kept.xmp)
    else:
        yield from _extended_xmp(request)
    if kept.iptc:
        resources = iptc.photoshop_of_iptc(kept.iptc)
        room = _LIMIT - len(iptc.PHOTOSHOP_HEADER)
        for at in range(0, len(resources), room):
            yield jpeg_segment(0xED, iptc.PHOTOSHOP_HEADER + resources[at : at + room])
    yield jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1" + profiles.srgb())
    for comment in kept.comments:
        if len(comment) <= _LIMIT:
            yield jpeg_segment(0xFE, comment)
        else:
            request.lost.append(f"a comment of {len(comment):,} bytes (a JPEG allows {_LIMIT:,})")


def _extended_xmp(request: EncodeRequest) -> Iterator[bytes]:
    """Write a packet that is too long for a segment as a short one that names the parts of the long one."""
    whole = request.kept.xmp
    digest = hashlib.md5(whole, usedforsecurity=False).hexdigest().upper()
    yield jpeg_segment(0xE1, _XMP + xmp.stamped_xmp(b"", request.provenance, digest))
    room = _LIMIT - len(_EXTENSION) - 40
    for at in range(0, len(whole), room):
        head = _EXTENSION + digest.encode() + struct.pack(">II", len(whole), at)
        yield jpeg_segment(0xE1, head + whole[at : at + room])


_STANDARD_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


DEFAULT_QUALITY, HIGHEST_QUALITY = 92, 98
"""Below the first, losses begin to show; above the second, files grow and pictures do not improve."""


def jpeg_quality(data: bytes) -> int:
    """Return the quality to write at: about that of a JPEG's quantization table, between the two bounds."""
    table = _luminance_table(data)
    if not table:
        return DEFAULT_QUALITY
    percent = 100 * sum(table) / sum(_STANDARD_LUMINANCE)
    quality = 5000 / percent if percent > 100 else (200 - percent) / 2
    return max(DEFAULT_QUALITY, min(HIGHEST_QUALITY, round(quality)))


def _luminance_table(data: bytes) -> list[int]:
    for marker, body in jpeg_segments(data):
        at = 0
        while marker == 0xDB and at < len(body):
            wide, number = body[at] >> 4, body[at] & 15
            values = body[at + 1 : at + 1 + (128 if wide else 64)]
            if number == 0:
                return [value for (value,) in struct.iter_unpack(">H", values)] if wide else list(values)
            at += 1 + len(values)
    return []
