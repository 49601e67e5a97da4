"""Reads and writes the provenance of a film: XMP in its own box (MP4, MOV) or in a tag (Matroska, WebM)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import av

from colorcli.files import open_regular, replacing
from colorcli.media.films.ffmpeg import opened
from colorcli.media.films.mp4_boxes import boxes
from colorcli.media.pictures import xmp

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from colorcli.media.pictures.metadata import Provenance

TAG = "XMP"
MXF_TAG = "comment_XMP"  # how ffmpeg calls the comments of users in MXF
_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # the UUID of XMP in ISO media (XMP part 3)
_MAX_BYTES = 1 << 24


def stamp(source: Path, provenance: Provenance) -> bytes:
    """Return the XMP of a film with the provenance added."""
    return xmp.stamped_xmp(read_xmp(source), provenance)


def read_provenance(path: Path) -> Provenance | None:
    """Return what made the colors of a film; None if it has no provenance or cannot be read."""
    return xmp.provenance_in(read_xmp(path))


def read_xmp(path: Path) -> bytes:
    """Return the XMP packet of a film; empty if it has none."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            if head[4:] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}:
                return _in_box(file)
            if head[:4] not in {b"\x1a\x45\xdf\xa3", b"\x06\x0e\x2b\x34"}:
                return b""
        with opened(path) as container:
            return str(container.metadata.get(TAG) or container.metadata.get(MXF_TAG, "")).encode()
    except (OSError, av.error.FFmpegError):
        return b""


def write_record(path: Path, provenance: Provenance) -> None:
    """Write a provenance to a file of its own, beside numbered pictures.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(xmp.stamped_xmp(b"", provenance))


def read_record(path: Path) -> Provenance | None:
    """Return the provenance in a file of its own; None if it has none."""
    with open_regular(path) as file:
        return xmp.provenance_in(file.read(_MAX_BYTES))


def append_box(path: Path, xmp: bytes) -> None:
    """Append an XMP packet to an MP4 or MOV file."""
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 8 + len(_BOX) + len(xmp), b"uuid") + _BOX + xmp)


def _in_box(file: BinaryIO) -> bytes:
    for box in boxes(file):
        file.seek(box.content)
        if box.kind == b"uuid" and box.end - box.content < _MAX_BYTES and file.read(len(_BOX)) == _BOX:
            return file.read(box.end - box.content - len(_BOX))
    return b""
