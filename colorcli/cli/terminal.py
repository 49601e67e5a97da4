"""Output that a terminal shows instead of obeying: control characters from files and servers become visible."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# C0 but tab and newline, DEL, C1, and the characters that change the direction of text
_CODES = (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_VISIBLE = {code: repr(chr(code))[1:-1] for code in _CODES}


def printable(text: str) -> str:
    """Replace control characters other than tab and newline by escapes that show their codes."""
    return text.translate(_VISIBLE)


class PrintableStream:
    """A text stream that writes printable text only; everything else is the stream's own."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write text, with control characters made visible."""
        return int(self.raw.write(printable(text)))

    def writelines(self, lines: Any) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


@contextlib.contextmanager
def printable_output() -> Iterator[None]:
    """Make standard error printable, and standard output if it is a terminal; programs read it as it is."""
    before = sys.stdout, sys.stderr
    sys.stderr = PrintableStream(sys.stderr)
    if sys.stdout is not None and sys.stdout.isatty():
        sys.stdout = PrintableStream(sys.stdout)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def raw_stderr() -> Any:
    """Return standard error for what draws on the terminal: it must pass its texts through `printable`."""
    return sys.stderr.raw if isinstance(sys.stderr, PrintableStream) else sys.stderr
