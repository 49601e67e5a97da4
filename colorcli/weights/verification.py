"""Checking that a file is the one its manifest describes."""

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


def verify(path: Path, weights: Weights, *, reread: bool = False) -> Path:
    """Compare the size and sha256 of a file with the manifest.

    Args:
        path: the file.
        weights: the manifest's description.
        reread: hash the file even if it was verified before and has not changed since.

    Returns:
        The path.

    Raises:
        WeightsCorrupt: the file differs; it is left in place.
        WeightsNotFound: the file cannot be read.
    """
    try:
        return _verify(path, weights, reread)
    except OSError as error:
        raise WeightsNotFound(f"Cannot read {path}: {error.strerror or error}.") from error


def _verify(path: Path, weights: Weights, reread: bool) -> Path:
    stat = path.stat()
    if stat.st_size != weights.size:
        raise _corrupt(path, f"has {stat.st_size:,} bytes, expected {weights.size:,}")
    record = _record_folder() / weights.sha256
    text = f"{path.resolve()}\n{stat.st_size}\n{stat.st_mtime_ns}\n"
    with suppress(OSError, UnicodeDecodeError):
        if not reread and record.read_text(encoding="utf-8") == text:
            return path
    found = sha256_of(path)
    if found != weights.sha256:
        raise _corrupt(path, f"has the sha256 {found}, expected {weights.sha256}")
    with suppress(OSError):  # in a read-only home the file is hashed again next time
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(text, encoding="utf-8")
    return path


def sha256_of(path: Path) -> str:
    """Compute the sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _corrupt(path: Path, problem: str) -> WeightsCorrupt:
    page = " It is a web page, perhaps of a proxy or of a network login." if _is_html(path) else ""
    return WeightsCorrupt(f"{path} {problem}.{page}", "It was not opened. Choose other weights with --weights.")


def _is_html(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(100).lstrip().lower().startswith(_HTML)


def discard(path: Path) -> bool:
    """Remove a file from the Hugging Face cache: the link in the snapshot and the blob it points to.

    Other programs that need the file download it again.

    Returns:
        Whether the file was removed.
    """
    with suppress(OSError):
        while path.is_symlink():
            target = path.parent / path.readlink()
            path.unlink()
            path = target
        path.unlink()
        return True
    return False


# Verification records: verified files are not hashed again in every run, and `prune` knows what colorcli downloaded.


@dataclass(frozen=True)
class VerificationRecord:
    """A record that a file once matched its manifest."""

    sha256: str
    file: Path  # with all links resolved, at that time
    path: Path  # of the record itself


def verification_records() -> Iterator[VerificationRecord]:
    """Read all records; unreadable ones are skipped."""
    with suppress(OSError):
        for path in sorted(_record_folder().iterdir()):
            with suppress(OSError, UnicodeDecodeError, IndexError):
                yield VerificationRecord(path.name, Path(path.read_text(encoding="utf-8").splitlines()[0]), path)


def _record_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "colorcli" / "verified"
