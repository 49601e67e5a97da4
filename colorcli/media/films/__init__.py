"""Reading and writing films: containers, streams, frames and timing. Import is light: folder scans use `is_film`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from colorcli.files import open_regular
from colorcli.media import formats

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = frozenset({
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".h264", ".hevc", ".m1v", ".m2ts", ".m2v"),
    *(".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb"),
    *(".ts", ".vob", ".webm", ".wmv", ".y4m"),
})  # fmt: skip
"""The suffixes of films, in lower case. `.ts` may also be TypeScript; see `is_film`."""

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".mxf": "mxf"}
"""The suffixes of outputs and their ffmpeg muxers. Films with any other suffix are written as `.mkv`."""

_BEGINNINGS = re.compile(
    rb"....(?:ftyp|moov|mdat|wide|free|skip|pnot)"  # MP4, MOV
    rb"|\x1a\x45\xdf\xa3"  # Matroska, WebM
    rb"|RIFF....AVI |FLV\x01|OggS|\.RMF|YUV4MPEG2|nut/multimedia container"
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11"  # ASF, WMV
    rb"|\x06\x0e\x2b\x34\x02\x05\x01\x01"  # MXF
    rb"|\x00\x00\x01[\xb3\xba]|\x00\x00(?:\x00)?\x01[\x09\x67\x40\x27]"  # MPEG, H.264, HEVC
    rb"|\x1f\x07\x00"  # DV
    rb"|\x47.{187}\x47.{187}\x47|....\x47.{191}\x47",  # MPEG transport streams, and those of camcorders
    re.DOTALL,
)


def is_film(path: Path) -> bool:
    """Decide from the first bytes of a file whether it is a film; its content is examined by `probe`.

    False for pictures (an AVIF begins like an MP4), text, and files that cannot be read.
    """
    try:
        with open_regular(path) as file:
            head = file.read(4096)
    except OSError:
        return False
    return bool(_BEGINNINGS.match(head)) and formats.sniff(head)[0] is None
