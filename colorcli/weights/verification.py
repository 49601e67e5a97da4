"""Checking that a file is the one its manifest describes."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from colorcli.errors import WeightsCorrupt, WeightsNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from colorcli.colorizer import Weights

_REHASH = 7 * 24 * 3600.0  # seconds after which a file is hashed again even if it has not changed
_MAX_LINKS = 8  # the cache has one link for each file, or two
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
    if not S_ISREG(stat.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if stat.st_size != weights.size:
        raise _corrupt(path, f"has {stat.st_size:,} bytes, expected {weights.size:,}")
    record = _record_folder() / weights.sha256
    # The inode and ctime change even if a file is altered without changing its size and mtime.
    numbers = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev)
    text = "\n".join(map(str, (path.resolve(), *numbers))) + "\n"
    with suppress(OSError, UnicodeDecodeError):
        age = time.time() - record.stat().st_mtime
        if not reread and 0 <= age < _REHASH and record.read_text(encoding="utf-8") == text:
            return path
    found = sha256_of(path)
    if found != weights.sha256:
        raise _corrupt(path, f"has the sha256 {found}, expected {weights.sha256}")
    with suppress(OSError):  # in a read-only home the file is hashed again next time
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(text, encoding="utf-8")
    return path


def was_refused(weights: Weights, etag: str) -> bool:
    """Check whether a download of this version of a file differed from the manifest."""
    with suppress(OSError, UnicodeDecodeError):
        return _refused_path(weights).read_text(encoding="utf-8") == etag
    return False


def remember_refused(weights: Weights, etag: str) -> None:
    """Record that a download differed from the manifest, so that it is not repeated in every run."""
    with suppress(OSError):
        _refused_path(weights).parent.mkdir(parents=True, exist_ok=True)
        _refused_path(weights).write_text(etag, encoding="utf-8")


def _refused_path(weights: Weights) -> Path:
    return _record_folder().with_name("refused") / weights.sha256


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

    Other programs that need the file download it again. Nothing outside the cache is ever removed.

    Returns:
        Whether the file was removed.
    """
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE).resolve()
    with suppress(OSError):
        for _ in range(_MAX_LINKS):
            if not path.parent.resolve().is_relative_to(cache):
                return False
            target = path.parent / path.readlink() if path.is_symlink() else None
            path.unlink()
            if target is None:
                return True
            path = target
    return False


# Verification records: verified files are not hashed again in every run, and `prune` finds out what colorcli
# downloaded.


@dataclass(frozen=True)
class VerificationRecord:
    """A record that a file once matched its manifest."""

    sha256: str
    file: Path  # with all links resolved, at that time
    path: Path  # path of the record itself


def verification_records() -> Iterator[VerificationRecord]:
    """Read all records; unreadable ones are skipped."""
    with suppress(OSError):
        for path in sorted(_record_folder().iterdir()):
            with suppress(OSError, UnicodeDecodeError, IndexError):
                yield VerificationRecord(path.name, Path(path.read_text(encoding="utf-8").splitlines()[0]), path)


def _record_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "colorcli" / "verified"
