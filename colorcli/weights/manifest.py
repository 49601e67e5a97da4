"""Manifests, `weights/<name>.toml`, in and out: a table for every tag, the best first.

Colorizers read theirs while they are imported, so this must stay quick.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from colorcli.colorizer import Weights
from colorcli.errors import PluginError, did_you_mean

# In a wheel the manifests lie inside the package; in a checkout or an editable install, beside it.
_HOMES = (Path(__file__).parents[1] / "_weights", Path(__file__).parents[2] / "weights")
_TYPES = {"str": str, "int": int, "int | None": int, "Mapping[str, Any]": dict}
_WORDS = {str: "text", int: "a whole number", dict: "a table"}
_FIELDS = {field.name: field for field in fields(Weights)}
_REQUIRED = {name for name, field in _FIELDS.items() if field.default is MISSING and field.default_factory is MISSING}
_TAG = re.compile(r"[A-Za-z0-9_-]+")


def read_manifest(name: str, folder: Path | None = None) -> Mapping[str, Weights]:
    """Read the weights of a colorizer, by tag, the best first.

    Args:
        name: of the colorizer; the file is `<name>.toml`.
        folder: where the file is; colorcli's own manifests where None. A plugin with a manifest of its own beside
            its module writes `read_manifest("sunset", Path(__file__).parent)`.

    Returns:
        Weights by tag; the `file` of bundled ones is a whole path.

    Raises:
        PluginError: there is no such file, it is not TOML, or a field is missing, unknown or wrong; the message names
            file, table and field.
    """
    import tomllib

    path = _find(name, folder)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PluginError(f"{path} cannot be read: {error}.") from error
    if not tables:
        raise PluginError(f"{path} has no table: write one for each tag, as in [eccv16].")
    return {tag: _weights(path, tag, table) for tag, table in tables.items()}


def _find(name: str, folder: Path | None) -> Path:
    homes = _HOMES if folder is None else (folder,)
    paths = [home / f"{name}.toml" for home in homes]
    for path in paths:
        if path.is_file():
            return path
    raise PluginError(f"The colorizer {name} has no manifest: {' nor '.join(map(str, paths))} is there.")


def _weights(path: Path, tag: str, table: object) -> Weights:
    where = f"{path}, [{tag}]"
    if not isinstance(table, dict):
        raise PluginError(f"{path}: {tag} stands outside of a table; every table is a tag, as in [eccv16].")
    if not _TAG.fullmatch(tag):
        raise PluginError(f"{where}: a tag has letters, digits, - and _ only.")
    for key, value in table.items():
        _check_field(where, key, value)
    for key in sorted(_REQUIRED - table.keys()):
        raise PluginError(f"{where}: the field {key} is missing.")
    weights = Weights(**table)
    for problem in weights.problems():
        raise PluginError(f"{where}: {problem}.")
    return replace(weights, file=str(path.parent / weights.file)) if weights.bundled else weights


def _check_field(where: str, key: str, value: object) -> None:
    if key not in _FIELDS:
        raise PluginError(f"{where}: there is no field {key}.", did_you_mean(key, _FIELDS))
    expected = _TYPES[str(_FIELDS[key].type)]
    if type(value) is not expected:
        raise PluginError(f"{where}: {key} is {value!r}, where {_WORDS[expected]} was expected.")


def format_table(tag: str, weights: Weights) -> str:
    """Write one table of a manifest as TOML text, fields with their default values left out."""
    lines = [f"[{tag}]"]
    tables = []
    for name, field in _FIELDS.items():
        value = getattr(weights, name)
        if isinstance(value, Mapping):
            tables += ["", f"[{tag}.{name}]", *_pairs(value)] if value else []
        elif value != field.default:
            lines.append(f"{name} = {_toml(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_toml(value)}" for key, value in table.items()]


def _key(key: str) -> str:
    return key if _TAG.fullmatch(key) else _toml(key)


def _toml(value: object) -> str:
    import json

    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{ " + ", ".join(_pairs(value)) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
    raise TypeError(f"{value!r} has no place in a manifest")
