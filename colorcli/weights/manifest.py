"""Reading and writing manifests: `weights/<colorizer>.toml`, one table for each tag, the best first.

Colorizers read their manifests while they are imported, so this module must stay fast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from colorcli.colorizer import Weights
from colorcli.documents import read_toml
from colorcli.errors import PluginError
from colorcli.validation import find_problems
from colorcli.weights.names import is_inner_path, is_page, is_repo, is_revision, is_tag

# In a wheel the manifests are inside the package; in a checkout or an editable install, beside it.
_FOLDERS = (Path(__file__).parents[1] / "_weights", Path(__file__).parents[2] / "weights")

FIRST_USE = "first-use"  # a sha256 that is recorded when the weights are first used
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # terminals obey these characters instead of showing them
_MAX_LENGTH = 2000  # characters of a text

_Text = Annotated[
    str,
    Meta(
        pattern=rf"^(?!.*{_CONTROL.pattern}).+\Z",
        max_length=_MAX_LENGTH,
        description=f"1 to {_MAX_LENGTH} characters on one line",
    ),
]
_Count = Annotated[int, Meta(ge=0, description="an integer of at least 0")]
_Table = dict[str, Any]
InputSize = Annotated[
    Annotated[int, Meta(ge=1, le=8192)] | None, Meta(description="a number of pixels from 1 to 8192, or null")
]


class _Entry(msgspec.Struct):
    """The fields of a table, as `colorcli.colorizer.Weights` documents them, with their bounds."""

    file: _Text
    sha256: Annotated[
        str,
        Meta(pattern=r"^([0-9a-f]{64}|first-use)\Z", description="64 lowercase hexadecimal digits, or first-use"),
    ]
    size: Annotated[int, Meta(ge=1, description="a number of bytes, at least 1")]
    license: _Text
    source: _Text
    trained_on: _Text
    repo: str = ""
    repo_type: Literal["model", "space"] = "model"
    page: str = ""
    revision: str = ""
    format: Literal["safetensors", "torch"] = "safetensors"
    parameters: _Count = 0
    input_size: InputSize = None
    network: _Table = {}
    options: _Table = {}
    metrics: _Table = {}


_PATHS = {
    "repo": (is_repo, "owner/name"),
    "file": (is_inner_path, "a path inside the repository or beside the manifest"),
    "revision": (is_revision, "a branch, a tag or a commit"),
    "page": (is_page, "an https:// URL"),
}


def read_manifest(name: str, folder: Path | None = None) -> Mapping[str, Weights]:
    """Read the weights of a colorizer, by tag, the best first.

    Args:
        name: the colorizer's name; the file is `<name>.toml`.
        folder: the folder of the file; colorcli's own manifests if None. A plugin with a manifest beside its module
            writes `read_manifest("sunset", Path(__file__).parent)`.

    Returns:
        Weights by tag; the `file` of bundled ones is an absolute path. None if a plugin has no manifest yet: it has
        no weights before it is trained.

    Raises:
        PluginError: colorcli's own manifest was not found, the file is not valid TOML, or fields are missing, unknown
            or wrong; the message has a line for each of them.
    """
    path = _find(name, folder)
    if path is None:
        return {}
    try:
        tables = read_toml(path)
    except (OSError, ValueError) as error:
        raise PluginError(f"Cannot read {path}: {error}.") from error
    problems = [problem for tag, table in tables.items() for problem in _table_problems(tag, table)]
    if not tables:
        problems = ["the file must have a table for each tag, such as [eccv16]"]
    if problems:
        raise PluginError(f"Invalid manifest {path}:\n" + "\n".join(f"  {problem}" for problem in problems))
    return {tag: _weights(path, table) for tag, table in tables.items()}


def _find(name: str, folder: Path | None) -> Path | None:
    folders = _FOLDERS if folder is None else (folder,)
    paths = [folder / f"{name}.toml" for folder in folders]
    for path in paths:
        if path.exists():
            return path
    if folder is not None:
        return None
    raise PluginError(f"The colorizer {name} has no manifest; looked for {' and '.join(map(str, paths))}.")


def _table_problems(tag: str, table: object) -> list[str]:
    if not isinstance(table, dict):
        return [f"{tag} must be inside a table; each table is a tag, such as [eccv16]"]
    if not is_tag(tag):
        return [f"the tag {tag!r} must have 1 to 64 letters, digits, - and _"]
    return find_problems(table, _Entry, tag) + _path_problems(table, f"{tag}.")


def _path_problems(table: Mapping[str, Any], prefix: str) -> list[str]:
    if table.get("sha256") == FIRST_USE and not table.get("repo"):
        return [f"{prefix}sha256 must be that of the file: first-use is for files on the Hub"]
    return [
        f"{prefix}{key} must be {expected}, got {value!r}"
        for key, (is_fine, expected) in _PATHS.items()
        if isinstance(value := table.get(key), str) and value and not is_fine(value)
    ]


def _weights(path: Path, table: Mapping[str, Any]) -> Weights:
    weights = Weights(**table)
    return replace(weights, file=str(path.parent / weights.file)) if weights.bundled else weights


def weights_problems(weights: Weights) -> list[str]:
    """Check the values of weights that were made in code; a phrase for each wrong one, none when all is well."""
    table = {field.name: getattr(weights, field.name) for field in fields(weights)}
    table |= {name: dict(value) for name, value in table.items() if isinstance(value, Mapping)}
    if weights.bundled and isinstance(weights.file, str):  # by now an absolute path
        table["file"] = Path(weights.file).name
    return find_problems(table, _Entry, "") + _path_problems(table, "")


def format_table(tag: str, weights: Weights) -> str:
    """Write one table of a manifest as TOML, without the fields that have their default values.

    Texts become single lines: a source may be a command with any file name in it.
    """
    import tomli_w

    table = {}
    for field in fields(Weights):
        value = getattr(weights, field.name)
        if value not in (field.default, {}):
            table[field.name] = _CONTROL.sub(" ", value)[:_MAX_LENGTH] if isinstance(value, str) else value
    return tomli_w.dumps({tag: table})
