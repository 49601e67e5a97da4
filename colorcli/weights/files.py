"""Weights files in and out; nothing in them is ever run."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from colorcli.errors import WeightsCorrupt, WeightsNotFound

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from colorcli.colorizer import Colorizer

_HEADER_KEY = "colorcli"


@dataclass(frozen=True)
class Header:
    """What a safetensors file that colorcli exports says of itself, under the metadata key `colorcli`."""

    colorizer: str = ""
    tag: str = ""
    network: Mapping[str, Any] = field(default_factory=dict)  # hyperparameters for Colorizer.build
    input_size: int | None = None  # the square it was trained for
    options: Mapping[str, Any] = field(default_factory=dict)  # defaults that suit these weights


def read_state(path: Path, format: str) -> dict[str, Tensor]:  # noqa: A002  # the manifest's own word
    """Read the tensors of a weights file, on the CPU; nothing in it is executed.

    Args:
        path: the file.
        format: `safetensors` or `torch`.

    Raises:
        WeightsCorrupt: the file is no such file, is damaged, or holds anything but tensors by name.
    """
    import torch
    from safetensors.torch import load_file

    try:
        if format == "safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format has errors of its own, pickle's among them
        raise WeightsCorrupt(f"{path} cannot be opened as {format} weights: {_reason(error)}.") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsCorrupt(f"{path} holds something else than tensors by name.")
    return dict(state)


def _reason(error: Exception) -> str:
    """Say why a file was not opened, in words of our own: PyTorch's recommend to open it all the same."""
    from safetensors import SafetensorError

    text = str(error).strip()
    if stranger := re.search(r"GLOBAL (\S+)", text):
        return f"it wants {stranger[1]} to be called, which is no tensor. Nothing in it was run"
    # Whatever else pickle raises was meant for nobody: a text ends as KeyError(97).
    is_said = isinstance(error, (OSError, RuntimeError, SafetensorError)) and "weights_only" not in text
    return text.splitlines()[0] if text and is_said else "it is no state dict"


def write_state(path: Path, state: Mapping[str, Tensor], header: Header) -> None:
    """Write a safetensors file that `open_file` opens: tensors and what the network needs to be built again."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    # What its own save_file writes is for its owner alone to read.
    path.write_bytes(save(tensors, metadata={_HEADER_KEY: json.dumps(asdict(header))}))


def open_file(path: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """Open a weights file of the user's own (`--weights FILE`), whose sha256 nobody knows.

    Returns:
        The tensors by name, and the hyperparameters of the network: those in the file's header, none without one.

    Raises:
        WeightsNotFound: there is no such file.
        WeightsCorrupt: the file holds no weights, or would run code.
    """
    header = read_header(path)
    return read_state(path, "safetensors" if _is_safetensors(path) else "torch"), header.network


def read_header(path: Path) -> Header:
    """Read what a weights file says of itself; a file that says nothing has an empty header.

    Raises:
        WeightsNotFound: there is no such file.
        WeightsCorrupt: the header is damaged.
    """
    if not path.is_file():
        raise WeightsNotFound(f"There is no weights file {path}.")
    if not _is_safetensors(path):
        return Header()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER_KEY, "{}")
        return Header(**json.loads(text))
    except (SafetensorError, ValueError, TypeError) as error:
        raise WeightsCorrupt(f"{path} has a damaged header: {error}.") from error


def describe(path: Path, state: Mapping[str, Tensor], colorizer: Colorizer, tag: str | None = None) -> Header:
    """Say what network the weights in a file of the user's own are for.

    Args:
        path: the file.
        state: what it holds.
        colorizer: whose weights they are meant to be.
        tag: of the weights in the manifest whose network it is; None = what the file says, or, of one that says
            nothing, as published ones do not, what the colorizer recognizes, or else the first.

    Raises:
        WeightsNotFound: there is no such file.
        WeightsCorrupt: the header is damaged, or says that they are for another colorizer.
    """
    header = read_header(path)
    if header.colorizer not in {"", colorizer.name}:
        raise WeightsCorrupt(f"{path} holds weights for {header.colorizer}, not for {colorizer.name}.")
    if header != Header():
        return replace(header, network=colorizer.weights[tag].network) if tag else header
    if tag is None and (network := colorizer.recognize(state)) is not None:
        return replace(header, network=network)
    if not colorizer.weights:
        return header
    published = colorizer.weights[tag] if tag else next(iter(colorizer.weights.values()))
    return replace(header, network=published.network, input_size=published.input_size, options=published.options)


def _is_safetensors(path: Path) -> bool:
    """By its first bytes, whatever its name: the length of a JSON object, and its opening brace."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size
