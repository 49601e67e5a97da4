"""The size of a picture as the strips and tiles of a TIFF state it themselves, in JPEG, JPEG 2000, WebP or PNG."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, BinaryIO

from colorcli.media.pictures import containers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tifffile

_CODED_HEAD = 65_536  # bytes of a coded part that are searched for its size


def coded_sizes(stream: BinaryIO, page: tifffile.TiffPage) -> Iterator[tuple[int, int]]:
    """Yield the width and height that each strip or tile states itself, where its coding has a header of its own.

    A decoder makes a picture of that size, however small the page is.
    """
    parse = _SIZE_PARSERS.get(int(page.compression))
    if parse is None:
        return
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        stream.seek(offset)
        yield parse(stream.read(min(count, _CODED_HEAD)))


def _jpeg_size(data: bytes) -> tuple[int, int]:
    with contextlib.suppress(ValueError):
        frame = containers.jpeg_frame(data)
        return frame.width, frame.height
    return 0, 0


def _jpeg2000_size(data: bytes) -> tuple[int, int]:
    at = data.find(b"\xff\x4f\xff\x51")  # the start of the codestream, and of its size
    if at < 0 or len(data) < at + 24:
        return 0, 0
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 8)
    return max(0, right - left), max(0, bottom - top)


def _webp_size(data: bytes) -> tuple[int, int]:
    for name, body in containers.riff_chunks(data):
        if name == b"VP8X" and len(body) >= 10:
            return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
        if name == b"VP8L" and len(body) >= 5:
            bits = int.from_bytes(body[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if name == b"VP8 " and len(body) >= 10:
            return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return 0, 0


def _png_size(data: bytes) -> tuple[int, int]:
    return (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) if len(data) >= 24 else (0, 0)


# By TIFF's number of the compression: JPEG, JPEG 2000 (of Aperio and others), WebP, PNG
_SIZE_PARSERS = {
    7: _jpeg_size,
    33003: _jpeg2000_size,
    33004: _jpeg2000_size,
    33005: _jpeg2000_size,
    34712: _jpeg2000_size,
    50001: _webp_size,
    34927: _webp_size,
    34933: _png_size,
}
