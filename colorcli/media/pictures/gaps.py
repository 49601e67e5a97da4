"""Runs of zeros in coded pixels: what a bad sector or a transfer that stopped leaves behind.

The decoders of WebP, AVIF, HEIC and JPEG 2000 make pixels of any bytes and report no damage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 256  # zero bytes in a row, half a sector; good codes look like noise
_ZEROS = bytes(_LONGEST)


def remark_on_gaps(data: bytes, *, apart_from: Iterable[bytes] = ()) -> str:
    """Describe a long run of zeros in coded pixels; empty if there is none.

    Args:
        data: a file, or a strip or tile.
        apart_from: parts of the file that are metadata, in which zeros are padding.
    """
    for part in apart_from:
        if part:
            data = data.replace(part, b"", 1)
    # Zeros at the very end are padding, too.
    if data.find(_ZEROS, 0, len(data.rstrip(b"\0"))) < 0:
        return ""
    return "a part of its data is zeros, so a part of the picture may be damaged"
