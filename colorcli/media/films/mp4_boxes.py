"""The top-level boxes of MP4 and MOV files: four bytes of size, four of type, and the content."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


class Box(NamedTuple):
    """The position of a box.

    Attributes:
        kind: its type, such as b"moov".
        start: the offset of its header in the file.
        content: the offset of its content.
        end: the offset of the next box.
    """

    kind: bytes
    start: int
    content: int
    end: int


def boxes(file: BinaryIO) -> Iterator[Box]:
    """Yield the top-level boxes of a file, up to its end or the first invalid box.

    The caller may seek in the file between two boxes.
    """
    at = 0
    while True:
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return
        size, kind = struct.unpack(">I4s", header[:8])
        length = 8
        if size == 1:
            size, length = int.from_bytes(header[8:], "big"), 16
        if size < length:
            return
        yield Box(kind, at, at + length, at + size)
        at += size
