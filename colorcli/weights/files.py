"""Reading and writing weights files. Nothing in a file is ever executed."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from colorcli.documents import parse_json
from colorcli.errors import WeightsCorrupt, WeightsNotFound
from colorcli.isolation.guard import guard

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from colorcli.colorizer import Colorizer

_HEADER_KEY = "colorcli"


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
        format: `safetensors` or `torch`.

    Raises:
        WeightsCorrupt: the file has another format, is damaged, or has values that are not named tensors.
    """
    import torch
    from safetensors.torch import load_file

    try:
        if format == "safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format raises errors of its own, pickle's among them
        raise WeightsCorrupt(f"Cannot open {path} as {format} weights: {_reason(error)}.") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsCorrupt(f"{path} must be a state dict: tensors by name, and nothing else.")
    return dict(state)


def _reason(error: Exception) -> str:
    """Say why a file was not opened, without PyTorch's advice to open it all the same."""
    from safetensors import SafetensorError

    text = str(error).strip()
    if function := re.search(r"GLOBAL (\S+)", text):
        return f"it would call {function[1]}, which does not make a tensor; nothing was executed"
    # Other errors of pickle are not meant for people: a text file ends as KeyError(97).
    is_readable = isinstance(error, (OSError, RuntimeError, SafetensorError)) and "weights_only" not in text
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
    return read_state(path, "safetensors" if _is_safetensors(path) else "torch"), header.network


def read_header(path: Path) -> Header:
    """Read the header of a weights file; a file without one has an empty header.

    Raises:
        WeightsNotFound: the file was not found.
        WeightsCorrupt: the header is damaged.
    """
    if not path.is_file():
        raise WeightsNotFound(f"Weights file not found: {path}.")
    if not _is_safetensors(path):
        return Header()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER_KEY, "{}")
        return Header(**parse_json(text))
    except (SafetensorError, ValueError, TypeError) as error:
        raise WeightsCorrupt(f"{path} has a damaged header: {error}.") from error


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


def _is_safetensors(path: Path) -> bool:
    """Look at the first bytes: the length of a JSON object, and its opening brace."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size
