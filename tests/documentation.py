"""The documentation as the tests read it: pages, and the blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
SETUP = "python3 -m venv"  # starts the two setup commands in README.md; .ci/run runs exactly these

_FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w/.]+\.\w+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str
    line: int  # number of its first line, from 1
    file: str  # the first file named in the paragraph before it; empty if none is


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str = "") -> list[Block]:
    """The blocks of a page, all or those in one language."""
    text = read(page)
    found = [_block(text, match) for match in _FENCED.finditer(text)]
    return [block for block in found if language in {"", block.language}]


def _block(text: str, match: re.Match[str]) -> Block:
    before = text[: match.start()]
    file = _FILE.search(before.rstrip().rpartition("\n\n")[2])
    return Block(match["language"], match["text"], before.count("\n") + 2, file[1] if file else "")


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCED.sub("", read(page))


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)


def first_cells(page: Path, header: str) -> set[str]:
    """The names in backticks in the first column of the table whose first heading is this."""
    table = read(page).partition(f"| {header} |")[2].partition("\n\n")[0]
    return {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
