"""The record of how the colors of a picture were made, as an earlier run left it in the file or beside it."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from colorcli.media.pictures import xmp
from colorcli.storage import RemotePath

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.media.pictures.metadata import Provenance

_BEGINNING = 1 << 17  # bytes of an object that a first request reads


def read_provenance(path: Path) -> Provenance | None:
    """Return what made the colors of a file, from within it or from `NAME.xmp` beside it; None if neither says so.

    Nothing is decoded: XMP packets are found by their text, in any format.
    """
    if not path.is_file():
        return None
    if isinstance(path, RemotePath):
        return _read_remote_provenance(path)
    for candidate in (path, sidecar(path)):
        try:
            with candidate.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if found := xmp.provenance_in(data):
                    return found
        except (OSError, ValueError):  # missing, or empty
            continue
    return None


def _read_remote_provenance(path: RemotePath) -> Provenance | None:
    """Look at the beginning of an object first, where XMP usually is."""
    if found := xmp.provenance_in(path.read_beginning(_BEGINNING)):
        return found
    if found := xmp.provenance_in(path.read_bytes()):
        return found
    try:
        return xmp.provenance_in(sidecar(path).read_bytes())
    except FileNotFoundError:
        return None


def sidecar(path: Path) -> Path:
    """Return the path of the XMP beside a picture whose format has none."""
    return path.with_name(path.name + ".xmp")
