"""Pictures and films in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def shown(path: Path | str) -> str:
    """Return a path for messages: on one line and printable, whatever is in the name."""
    text = str(path)
    return text if text.isprintable() else repr(text)
