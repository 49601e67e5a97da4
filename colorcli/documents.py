"""Reading TOML and JSON files from untrusted sources, bounded in size, depth and time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from colorcli.files import open_regular

if TYPE_CHECKING:
    from pathlib import Path

MAX_TOML_BYTES = 256 * 1024  # bytes; tomllib needs up to two seconds for as much
MAX_JSON_BYTES = 64 * 1024 * 1024  # bytes
_MAX_KEY_PARTS = 32  # parts of a dotted key; tomllib's time grows with their square
_KEY_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![\w-]){_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{{_MAX_KEY_PARTS},}}")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        OSError: the file cannot be read, or is not a regular file.
        ValueError: it is larger than MAX_TOML_BYTES, is nested too deeply, or is not valid TOML.
    """
    import tomllib

    text = read_text(path, MAX_TOML_BYTES)
    if _LONG_KEY.search(text):
        raise ValueError(f"a key has more than {_MAX_KEY_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: the file cannot be read, or is not a regular file.
        ValueError: it is larger than MAX_JSON_BYTES, or is not valid JSON.
    """
    return parse_json(read_text(path, MAX_JSON_BYTES))


def parse_json(text: str) -> Any:
    """Parse JSON text.

    Raises:
        ValueError: it is not valid JSON, or is nested too deeply.
    """
    import json

    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_text(path: Path, limit: int) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Raises:
        OSError: the file cannot be read, or is not a regular file.
        ValueError: it is larger than `limit` bytes, or is not UTF-8.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"it must be at most {limit:,} bytes")
    return content.decode("utf-8-sig")
