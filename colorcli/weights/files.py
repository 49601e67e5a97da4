"""Reading and writing weights files. Nothing in a file is ever executed."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from colorcli.documents import parse_json
from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound, did_you_mean
from colorcli.files import open_regular
from colorcli.isolation.guard import guard
from colorcli.validation import find_problems
from colorcli.weights.archives import check_archive
from colorcli.weights.manifest import InputSize  # noqa: TC001  # msgspec reads the annotations

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from colorcli.colorizer import Colorizer

MAX_HEADER_LENGTH = 64 * 1024  # characters of JSON
_HEADER_KEY = "colorcli"
_MAX_VALUES = 1000  # hyperparameters: a network is built from them before its weights can be compared
_MAX_NUMBER = 65_536


class _HeaderTable(msgspec.Struct):
    """The fields of a header, with their bounds."""

    colorizer: Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9_-]{0,63})?\Z", description="a colorizer's name")] = ""
    tag: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}\Z", description="0 to 64 letters, digits, - and _")] = ""
    network: dict[str, Any] = {}
    input_size: InputSize = None
    options: dict[str, bool | int | float | str] = {}


@dataclass(frozen=True)
class Header:
    """The description in a safetensors file that colorcli wrote, under the metadata key `colorcli`."""

    colorizer: str = ""
    tag: str = ""
    network: Mapping[str, Any] = field(default_factory=dict)  # hyperparameters for Colorizer.build
    input_size: int | None = None  # side in pixels of the square it was trained for
    options: Mapping[str, Any] = field(default_factory=dict)  # defaults for these weights


def read_state(path: Path, format: str) -> dict[str, Tensor]:  # noqa: A002  # the manifest's own word
    """Read the tensors of a weights file, on the CPU; nothing in it is executed.

    Args:
        path: the file.
        format: `safetensors`, `torch` or `torch7`.

    Raises:
        WeightsCorrupt: the file has another format, is damaged or compressed, or has other values than named tensors.
    """
    import torch
    from safetensors.torch import load_file

    from colorcli.weights.torch7 import read_torch7

    try:
        if format == "safetensors":
            return load_file(path)
        with open_regular(path) as file:
            if format == "torch7":
                return read_torch7(file)
            check_archive(path, file)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except WeightsCorrupt:
        raise
    except Exception as error:  # each format raises errors of its own, pickle's among them
        raise WeightsCorrupt(f"Cannot open {path} as {format} weights: {_reason(error)}.") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsCorrupt(f"{path} must be a state dict: tensors by name, and nothing else.")
    return dict(state)


def _reason(error: Exception) -> str:
    """Return why a file was not opened, without PyTorch's advice to open it anyway."""
    from safetensors import SafetensorError

    text = str(error).strip()
    if function := re.search(r"GLOBAL (\S+)", text):
        return f"it would call {function[1]}, which does not make a tensor; nothing was executed"
    # Other errors of pickle are not meant for users: a text file causes a KeyError(97).
    is_readable = (
        isinstance(error, (OSError, RuntimeError, ValueError, SafetensorError)) and "weights_only" not in text
    )
    return text.splitlines()[0].rstrip(".") if text and is_readable else "it is not a state dict"


def write_state(path: Path, state: Mapping[str, Tensor], header: Header) -> None:
    """Write a safetensors file that `open_file` opens: tensors, and what is needed to build the network again."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    # safetensors' own save_file makes files that only their owner can read.
    path.write_bytes(save(tensors, metadata={_HEADER_KEY: json.dumps(asdict(header))}))


def open_file(path: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """Open a weights file that no manifest describes (`--weights FILE`).

    Returns:
        Tensors by name, and the hyperparameters of the network in the file's header; none without a header.

    Raises:
        WeightsNotFound: the file was not found.
        WeightsCorrupt: the file has no weights, or would execute code.
    """
    header = read_header(path)
    if is_torch7_file(path):
        raise WeightsCorrupt(
            f"{path} is a Torch7 file.", "Import it first: colorcli weights import FILE --model COLORIZER"
        )
    return read_state(path, "safetensors" if _is_safetensors(path) else "torch"), header.network


def read_header(path: Path) -> Header:
    """Read the header of a weights file; a file without one has an empty header.

    Raises:
        WeightsNotFound: the file was not found.
        WeightsCorrupt: the header is damaged.
    """
    if not path.is_file():
        problem = "Not a regular file" if path.exists() else "Weights file not found"
        raise WeightsNotFound(f"{problem}: {path}.")
    if not _is_safetensors(path):
        return Header()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER_KEY, "{}")
        if len(text) > MAX_HEADER_LENGTH:
            raise ValueError(f"it must be at most {MAX_HEADER_LENGTH:,} characters")
        table = parse_json(text)
    except (SafetensorError, ValueError, OSError) as error:
        raise WeightsCorrupt(f"{path} has a damaged header: {error}.") from error
    problems = find_problems(table, _HeaderTable, "")
    if not problems and not _is_modest(table.get("network", {})):
        problems = [f"network must be at most {_MAX_VALUES} values, with numbers up to {_MAX_NUMBER}"]
    if problems:
        raise WeightsCorrupt(f"{path} has a damaged header: {'; '.join(problems)}.")
    return Header(**table)


def _is_modest(network: object) -> bool:
    values = [network]
    for count, value in enumerate(values):
        if count > _MAX_VALUES or (isinstance(value, (int, float)) and not abs(value) <= _MAX_NUMBER):
            return False
        if isinstance(value, (dict, list)):
            values += value.values() if isinstance(value, dict) else value
    return True


def describe(path: Path, state: Mapping[str, Tensor], colorizer: Colorizer, tag: str | None = None) -> Header:
    """Find the network that a weights file without a manifest is for.

    Args:
        path: the file.
        state: its tensors.
        colorizer: the colorizer that the weights are meant for.
        tag: weights in the manifest that have the same network; if None, the file's header decides, or, without one
            (published files have none), what the colorizer recognizes, or the first tag.

    Raises:
        WeightsNotFound: the file was not found.
        WeightsCorrupt: the header is damaged, or names another colorizer.
    """
    header = read_header(path)
    if header.colorizer not in {"", colorizer.name}:
        raise WeightsCorrupt(f"{path} has weights for {header.colorizer}, not for {colorizer.name}.")
    _check_options(path, header, colorizer)
    if header != Header():
        return replace(header, network=colorizer.weights[tag].network) if tag else header
    with guard(colorizer, "recognize"):
        network = colorizer.recognize(state) if tag is None else None
    if network is not None:
        return replace(header, network=network)
    if not colorizer.weights:
        return header
    published = colorizer.weights[tag] if tag else next(iter(colorizer.weights.values()))
    return replace(header, network=published.network, input_size=published.input_size, options=published.options)


def _check_options(path: Path, header: Header, colorizer: Colorizer) -> None:
    known = {option.name: option for option in colorizer.options}
    for name, value in header.options.items():
        try:
            if name not in known:
                raise UsageError(f"{colorizer.name} has no option {name!r}.", did_you_mean(name, known))
            known[name].check(value)
        except UsageError as error:
            raise WeightsCorrupt(f"{path} has a damaged header: {error.message}") from None


def is_torch7_file(path: Path) -> bool:
    """Return whether a file is, by its first bytes, a Torch7 file, which only `colorcli weights import` reads."""
    from colorcli.weights.torch7 import is_torch7

    with path.open("rb") as file:
        return is_torch7(file.read(8))


def _is_safetensors(path: Path) -> bool:
    """Look at the first bytes: the length of a JSON object, and its opening brace."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size
