"""A lock between processes, which the system releases however a process ends."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Lock a file, which is created for that and removed at the end; False if another process holds the lock.

    Raises:
        OSError: the file cannot be created.
    """
    with path.open("w") as file:
        owned = _lock(file.fileno()) and _is_current(file.fileno(), path)
        try:
            yield owned
        finally:
            if owned:
                with contextlib.suppress(OSError):  # already gone, or open on Windows
                    path.unlink()


def _lock(file: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_current(file: int, path: Path) -> bool:
    """Make sure that the previous owner did not remove the file between our opening and our locking it."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False
