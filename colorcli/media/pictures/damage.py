"""Damage that decoders do not report: those of WebP, AVIF, HEIC and JPEG 2000 make pixels of any bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_ZEROS = 256  # zero bytes in a row, half a sector; good codes look like noise
_ZEROS = bytes(_MAX_ZEROS)
_STRICT = {"strict": "1"}  # dav1d: at the end of a tile, its arithmetic decoder must be at the padding


def remark_on_gaps(data: bytes, *, apart_from: Iterable[bytes] = ()) -> str:
    """Describe a long run of zeros in coded pixels, as a bad sector leaves; empty if there is none.

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


def remark_on_av1(data: bytes, max_pixels: int) -> str:
    """Describe damage in the coded pixels of an AVIF; empty if there is none, or if it cannot be checked.

    Args:
        data: the file.
        max_pixels: the most that a frame may have, to bound the memory: its data may state another size than the file.
    """
    limit = {"max_pixels": str(max_pixels)}
    if _decodes(data, limit | _STRICT) or not _decodes(data, limit):  # a file that ffmpeg cannot read says nothing
        return ""
    return "its data break the rules of AV1, so a part of the picture may be damaged"


def _decodes(data: bytes, options: dict[str, str]) -> bool:
    import av

    container: Any
    try:
        with av.open(io.BytesIO(data), metadata_errors="replace") as container:
            for stream in container.streams.video:
                stream.codec_context.options = dict(options)
                stream.codec_context.thread_count = 1  # others lose the errors of the last frames
            for packet in container.demux(video=list(range(len(container.streams.video)))):
                packet.decode()
    except (av.error.FFmpegError, IndexError, ValueError):
        return False
    return True
