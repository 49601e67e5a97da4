"""Whether a file is the one that a manifest promises."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import WeightsCorrupt, WeightsNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from colorcli.colorizer import Weights

_HTML = (b"<!doctype html", b"<html")


def verified(path: Path, weights: Weights, *, afresh: bool = False) -> Path:
    """Compare size and sha256 with those of the manifest.

    Args:
        path: of the file.
        weights: what it should be.
        afresh: read it even if it was verified before and has not changed since.

    Raises:
        WeightsCorrupt: it is another file; it is left where it is.
        WeightsNotFound: it cannot be read.
    """
    try:
        return _verified(path, weights, afresh)
    except OSError as error:
        raise WeightsNotFound(f"{path} cannot be read: {error.strerror or error}.") from error


def _verified(path: Path, weights: Weights, afresh: bool) -> Path:
    stat = path.stat()
    if stat.st_size != weights.size:
        raise _corrupt(path, f"has {stat.st_size:,} bytes, where {weights.size:,} were expected")
    seal = _seals() / weights.sha256
    text = f"{path.resolve()}\n{stat.st_size}\n{stat.st_mtime_ns}\n"
    with suppress(OSError, UnicodeDecodeError):
        if not afresh and seal.read_text(encoding="utf-8") == text:
            return path
    found = sha256_of(path)
    if found != weights.sha256:
        raise _corrupt(path, f"has the sha256 {found}, where {weights.sha256} was expected")
    with suppress(OSError):  # a home that cannot be written to only costs the time to read the file again
        seal.parent.mkdir(parents=True, exist_ok=True)
        seal.write_text(text, encoding="utf-8")
    return path


def sha256_of(path: Path) -> str:
    """Give the sha256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _corrupt(path: Path, what: str) -> WeightsCorrupt:
    page = " It is a web page: of a proxy, perhaps, or of a network that wants a login." if _is_html(path) else ""
    return WeightsCorrupt(f"{path} {what}.{page}", "It was not opened. Choose other weights with --weights.")


def _is_html(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(100).lstrip().lower().startswith(_HTML)


def discard(path: Path) -> bool:
    """Remove a file from the Hugging Face cache: the link in the snapshot, and what it leads to; tell whether it went.

    Whoever else needs it has the client fetch it again: that is what a cache is for.
    """
    with suppress(OSError):
        while path.is_symlink():
            target = path.parent / path.readlink()
            path.unlink()
            path = target
        path.unlink()
        return True
    return False


# Seals: notes of what was verified, so that it is not read again in every run, and of what colorcli has fetched


@dataclass(frozen=True)
class Seal:
    """A note that a file was once found to be what a manifest promised."""

    sha256: str
    file: Path  # as it was then, with all links followed
    note: Path


def seals() -> Iterator[Seal]:
    """Give all seals; one that cannot be read is left out."""
    with suppress(OSError):
        for note in sorted(_seals().iterdir()):
            with suppress(OSError, UnicodeDecodeError, IndexError):
                yield Seal(note.name, Path(note.read_text(encoding="utf-8").splitlines()[0]), note)


def _seals() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "colorcli" / "verified"
