"""Plain text in columns, readable by people and by grep."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def align(rows: Iterable[Sequence[str]], indent: str = "") -> list[str]:
    """Pad the cells so that columns line up, two spaces apart; the last column is left as it is."""
    table = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    widths[-1:] = [0]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
