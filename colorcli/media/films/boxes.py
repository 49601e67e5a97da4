"""The outermost boxes of MP4 and MOV files: four bytes of size, four of kind, and what is in them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


class Box(NamedTuple):
    """Where a box is.

    Attributes:
        kind: such as b"moov".
        start: where its header begins in the file.
        content: where the header has ended.
        end: where the next one begins.
    """

    kind: bytes
    start: int
    content: int
    end: int


def boxes(file: BinaryIO) -> Iterator[Box]:
    """Walk the outermost boxes of a file up to its end, or to where it makes no sense any more.

    Between two of them the file may be read at will.
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
