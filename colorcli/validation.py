"""Checks of tables read from TOML and JSON files: every wrong field is reported, with its path."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from colorcli.errors import did_you_mean

_WORDS = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "empty",
}
MAX_PROBLEMS = 20
"""Problems that are listed of one table."""


def find_problems(table: object, kind: type[msgspec.Struct], path: str) -> list[str]:
    """Check a table against a Struct, field by field.

    msgspec stops at the first wrong field; people who write a file by hand want to see them all.

    Args:
        table: table that was read from the file.
        kind: the fields, with their types and bounds. The description of a field's `msgspec.Meta`, such as "a positive
            integer", is what the message says the value must be. Nested Structs are checked field by field, too.
        path: path of the table inside the file, such as `eccv16`; empty for the whole file.

    Returns:
        A line for each problem, such as `eccv16.size must be a positive integer, got 0`, at most `MAX_PROBLEMS` of a
        table; empty when all is well.
    """
    if not isinstance(table, dict):
        return [f"{path or 'the file'} must be a table, got {_shown(table)}"]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems: list[str] = []
    for key, value in table.items():
        if len(problems) >= MAX_PROBLEMS:  # each suggestion takes time, too
            return [*problems, "and more"]
        place = f"{path}.{key}" if path else str(key)
        if key not in fields:
            problems.append(f"{place} is not a known field. {did_you_mean(str(key), fields)}")
        elif isinstance(fields[key].type, type) and issubclass(fields[key].type, msgspec.Struct):
            problems += find_problems(value, fields[key].type, place)
        else:
            problems += _field_problem(value, fields[key].type, place)
    missing = (name for name, field in fields.items() if field.required and name not in table)
    return problems + [f"{path}.{name} is missing".removeprefix(".") for name in missing]


def _field_problem(value: object, kind: Any, place: str) -> list[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, inside = str(error).partition(" - at `$")
        expected = reason.removeprefix("Expected ").partition(", got ")[0]
        if inside:  # inside a list or table, such as `widths[1]`
            return [f"{place}{inside.rstrip('`')} must be {_in_words(expected)}"]
        return [f"{place} must be {_description(kind) or _in_words(expected)}, got {_shown(value)}"]
    return []


def _in_words(expected: str) -> str:
    return re.sub(r"`(\w+)`", lambda match: _WORDS.get(match[1], match[1]), expected)


def _description(kind: Any) -> str:
    for meta in getattr(kind, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.description:
            return meta.description
    return ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
