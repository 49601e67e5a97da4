"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from colorcli.errors import UnwritableMedia

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HINT = "Check the disk, or try another --codec."


def shown(path: Path | str) -> str:
    """Return a path for messages: on one line and printable, whatever is in the name."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def unfinished(target: Path) -> Path:
    """Return a name beside a file, for what may become it; no two runs ever give the same."""
    return target.with_name(f".colorcli-{os.getpid()}-{secrets.token_hex(4)}.part")


@contextlib.contextmanager
def replacing(target: Path, hint: str = _HINT) -> Iterator[Path]:
    """Give a name for a file that takes the target's when all went well, and is gone when anything did not.

    Args:
        target: the file.
        hint: what to do where the disk refuses for another reason than its room.

    Raises:
        UnwritableMedia: the disk refuses.
    """
    temporary = unfinished(target)
    with explained(target, hint):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _settle(temporary)
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


@contextlib.contextmanager
def explained(target: Path, hint: str = _HINT) -> Iterator[None]:
    """Turn what the disk has against a file into an error that names it.

    Raises:
        UnwritableMedia: the disk refuses.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(target, error.strerror or str(error), hint) from error


def unwritable(target: Path, reason: str, hint: str = _HINT) -> UnwritableMedia:
    """Make the error of a file that cannot be written, from what the disk or ffmpeg said."""
    if any(words in reason for words in ("No space left", "not enough space", "File too large", "quota exceeded")):
        again = "Make room and give the same command again: it goes on from there."
        return UnwritableMedia(f"{shown(target)}: there is no room left on the disk.", again)
    return UnwritableMedia(f"{shown(target)}: it cannot be written ({reason}).", hint)


def _settle(path: Path) -> None:
    """Wait until the disk has all of a file, so that its name never stands for less after a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
