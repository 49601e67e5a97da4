"""The outermost structure of files: segments of a JPEG, chunks of a PNG or WebP, blocks of a GIF.

Only what lies between the pixels is looked at; nothing here decodes a picture.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


# JPEG ------------------------------------------------------------------------------------------------------------

MAX_SEGMENTS = 10_000
"""Segments of a JPEG before its pixels; cameras and editors write dozens."""
MAX_FRAMES = 50_000
"""Frames of a GIF, an hour at fifteen a second."""

_FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # start of frame, of all kinds of JPEG


# Not a stuffed byte of pixels, nor one of the markers without a body
_MARKER_WITH_BODY = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the body of each segment before the first scan, and after it until the data ends oddly.

    Raises:
        ValueError: there are more than `MAX_SEGMENTS`.
    """
    at, count = 2, 0
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes may stand before a marker
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        if marker in {0xD9, 0xDA}:
            return
        if (count := count + 1) > MAX_SEGMENTS:
            raise ValueError(f"it has more than {MAX_SEGMENTS:,} segments")
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + size]
        at += 2 + size


def jpeg_segment(marker: int, body: bytes) -> bytes:
    """Return a segment; its body has at most 65,533 bytes."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


@dataclass(frozen=True)
class JpegFrame:
    """What a JPEG states about its pixels: bits per sample, size, number of components, and the kind of coding."""

    bits: int
    width: int
    height: int
    components: int
    marker: int


def jpeg_frame(data: bytes) -> JpegFrame:
    """Find what a JPEG states about its pixels.

    Raises:
        ValueError: it states nothing.
    """
    for marker, body in jpeg_segments(data):
        if marker in _FRAME_MARKERS and len(body) >= 6:
            bits, height, width, components = struct.unpack_from(">BHHB", body)
            return JpegFrame(bits, width, height, components, marker)
    raise ValueError("it has no picture header")


def jpeg_end(data: bytes) -> int:
    """Return where the picture of a JPEG ends, behind its mark of the end; the length of the data if it has none."""
    at = 2 + sum(4 + len(body) for _, body in jpeg_segments(data))
    for _ in range(MAX_SEGMENTS):
        found = _MARKER_WITH_BODY.search(data, at)
        if found is None:
            break
        at = found.end()
        if data[at - 1] == 0xD9:
            return at
        at += int.from_bytes(data[at : at + 2], "big")
    return len(data)


def has_jpeg_scan(data: bytes) -> bool:
    """Return whether the segments of a JPEG lead to pixels, and are not only tables for pixels elsewhere."""
    at = 2 + sum(4 + len(body) for _, body in jpeg_segments(data))
    return data[at : at + 2] == b"\xff\xda"


def with_jpeg_bits(data: bytes, bits: int) -> bytes:
    """Return a JPEG that declares this number of bits per sample; its codes are the same at any depth."""
    at = 2
    for marker, body in jpeg_segments(data):
        start = data.index(body, at)
        if marker in _FRAME_MARKERS and body:
            return data[:start] + bytes([bits]) + data[start + 1 :]
        at = start + len(body)
    return data


# PNG -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PngChunk:
    """A chunk of a PNG: its name, its body, whether its checksum is right, and the bytes of the whole of it."""

    name: bytes
    body: bytes
    valid: bool
    whole: bytes


def png_chunks(data: bytes) -> Iterator[PngChunk]:
    """Yield the chunks of a PNG; one that is cut off ends them."""
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        named = data[at + 4 : end - 4]
        valid = zlib.crc32(named) == int.from_bytes(data[end - 4 : end], "big")
        yield PngChunk(named[:4], named[4:], valid, data[at:end])
        at = end


def png_chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


# WebP ------------------------------------------------------------------------------------------------------------


def riff_chunks(data: bytes, start: int = 12) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the body of each chunk of a WebP."""
    at = start
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def riff_chunk(name: bytes, body: bytes | memoryview) -> bytes:
    """Return a chunk."""
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def is_lossless_webp(data: bytes) -> bool:
    """Return whether the pixels of a WebP, or of its first frame, are coded without loss."""
    for name, body in riff_chunks(data):
        if name == b"ANMF":
            return any(inner == b"VP8L" for inner, _ in riff_chunks(body, 16))
        if name in {b"VP8L", b"VP8 "}:
            return name == b"VP8L"
    return False


# GIF -------------------------------------------------------------------------------------------------------------


def gif_extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the label and the data of each text (0x01), comment (0xFE) and application extension (0xFF) of a GIF.

    Raises:
        ValueError: there are more than `MAX_FRAMES` frames, or ten times as many extensions.
    """
    frames = extensions = 0
    at = 13 + (3 << (data[10] & 7) + 1 if len(data) > 10 and data[10] & 0x80 else 0)
    while at + 2 < len(data) and data[at] in {0x21, 0x2C}:
        frames, extensions = frames + (data[at] == 0x2C), extensions + (data[at] == 0x21)
        if frames > MAX_FRAMES or extensions > 10 * MAX_FRAMES:
            raise ValueError(f"it has more than {MAX_FRAMES:,} frames, or too many extensions")
        if data[at] == 0x2C:
            flags = data[at + 9] if at + 9 < len(data) else 0
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            at, _ = _sub_blocks(data, at)
            continue
        label = data[at + 1]
        start = at + 2
        at, body = _sub_blocks(data, start)
        if label == 0xFF and body.startswith(b"XMP DataXMP"):
            yield label, data[start + 1 : at].partition(b"\x01\xff\xfe\xfd")[0]  # never cut into sub-blocks
        elif label in {0x01, 0xFE, 0xFF}:
            yield label, body


def _sub_blocks(data: bytes, at: int) -> tuple[int, bytes]:
    """Join sub-blocks, and return where they end."""
    parts = []
    while at < len(data) and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return at + 1, b"".join(parts)
