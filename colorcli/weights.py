"""Weights in, a verified local file out: bundled, from the Hugging Face cache, or from the Hub.

Nothing opens a file before its size and sha256 are known to be those of the manifest, and nothing in it is ever run.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from colorcli.colorizer import Colorizer, Weights

HUB_PATIENCE = 3.0  # seconds that the Hub has for its first answer
_HEADER_KEY = "colorcli"
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Located:
    """A file whose content is the one that the manifest promises."""

    tag: str
    weights: Weights
    path: Path
    note: str  # a line for the user where it is not the best there is, or empty


def locate(colorizer: Colorizer, tag: str | None = None, *, offline: bool = False) -> Located:
    """Find the weights of a colorizer, download them if need be, and verify them.

    Args:
        colorizer: whose weights.
        tag: which of them, and no other; None = the best that can be had: the first tag, or, where that cannot be
            had, the first bundled one, with a note that says so.
        offline: never touch the network; HF_HUB_OFFLINE=1 says the same.

    Raises:
        UsageError: there is no such tag.
        WeightsNotFound: the weights are neither here nor to be had.
        WeightsCorrupt: the file is not the one that the manifest promises. It is left where it is.
    """
    if tag is not None:
        weights = _tagged(colorizer, tag)
        return Located(tag, weights, _verified(_fetched(weights, offline), weights), "")
    if not colorizer.weights:
        raise WeightsNotFound(f"The colorizer {colorizer.name} has no weights.")
    best = next(iter(colorizer.weights))
    try:
        return locate(colorizer, best, offline=offline)
    except WeightsNotFound as error:
        bundled = next((tag for tag, weights in colorizer.weights.items() if weights.bundled and tag != best), None)
        if bundled is None:
            raise
        note = f"Using {colorizer.name}.{bundled}, not the better {colorizer.name}.{best}: {error}"
        located = locate(colorizer, bundled, offline=offline)
        return Located(bundled, located.weights, located.path, note)


def is_here(weights: Weights) -> bool:
    """Whether the file is on this machine, bundled or in the Hugging Face cache; the network is not asked."""
    if weights.bundled:
        return Path(weights.file).is_file()
    return _cached(weights) is not None


def _tagged(colorizer: Colorizer, tag: str) -> Weights:
    if tag in colorizer.weights:
        return colorizer.weights[tag]
    raise UsageError(
        f"The colorizer {colorizer.name} has no weights {tag!r}.",
        f"{did_you_mean(tag, colorizer.weights)} A file is given as --weights FILE.",
    )


def _fetched(weights: Weights, offline: bool) -> Path:
    if weights.bundled:
        path = Path(weights.file)
        if not path.is_file():
            raise WeightsNotFound(f"The bundled weights {path} are missing.", "Install the plugin again.")
        return path
    return _cached(weights) or _downloaded(weights, offline)


# The Hub


def _cached(weights: Weights) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(
        weights.repo, weights.file, revision=weights.revision or None, repo_type=weights.repo_type
    )
    return Path(path) if isinstance(path, str) else None


def _downloaded(weights: Weights, offline: bool) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    where = f"{weights.repo}/{weights.file}"
    if offline:
        raise WeightsNotFound(f"{where} is not here and --offline forbids a download.", "Run once without --offline.")
    revision = weights.revision or None
    url = hf_hub_url(weights.repo, weights.file, revision=revision, repo_type=weights.repo_type)
    try:
        # Asked first, because hf_hub_download tries for minutes where there is no network.
        metadata = _within(2 * HUB_PATIENCE, lambda: get_hf_file_metadata(url, timeout=HUB_PATIENCE))
        if metadata.size in {None, weights.size}:
            return Path(hf_hub_download(weights.repo, weights.file, revision=revision, repo_type=weights.repo_type))
    except Exception as error:  # the client's own, its HTTP library's, and the disk's: all say why it is not here
        raise _not_found(where, error) from error
    raise WeightsCorrupt(
        f"{where} on the Hub has {metadata.size:,} bytes, where {weights.size:,} were expected: not downloaded.",
        "Choose other weights with --weights; `colorcli models` lists them.",
    )


def _within(seconds: float, ask: Callable[[], _Answer]) -> _Answer:
    """Wait no longer than this: looking up a host's name knows no timeout and can take half a minute."""
    answers: list[_Answer] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:  # raised again below, where somebody hears it
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    return answers[0]


def _not_found(where: str, error: Exception) -> WeightsNotFound:
    from huggingface_hub import errors

    login = "Ask for access on the repository's page if need be, then log in with `hf auth login` or set HF_TOKEN."
    later = "Try again when the Hub can be reached; HF_ENDPOINT names a mirror."
    match error:
        case errors.OfflineModeIsEnabled():
            what, hint = "is not here and HF_HUB_OFFLINE forbids a download", "Run once without it."
        case errors.GatedRepoError():
            what, hint = "is shown by the Hub only to some", login
        case errors.RepositoryNotFoundError():
            what, hint = "is in a repository that the Hub does not have, or does not show to you", login
        case errors.RemoteEntryNotFoundError() | errors.RevisionNotFoundError():
            what, hint = "is no longer on the Hub", "A newer colorcli may know where it went."
        case errors.HfHubHTTPError():
            what, hint = f"cannot be had: the Hub answered with status {error.response.status_code}", later
        case OSError(filename=str()):
            what, hint = f"cannot be stored: {error}", "HF_HOME says where downloads are kept."
        case _:
            reason = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".: ")
            what, hint = f"cannot be had: the Hub cannot be reached ({reason})", later
    return WeightsNotFound(f"{where} {what}.", hint)


# Verifying


def _verified(path: Path, weights: Weights) -> Path:
    """Compare size and sha256; what was verified once and has not changed since is not read again."""
    size = path.stat().st_size
    if size != weights.size:
        raise _corrupt(path, f"has {size:,} bytes, where {weights.size:,} were expected")
    stamp = _cache_folder() / "verified" / weights.sha256
    seal = f"{path.resolve()}\n{size}\n{path.stat().st_mtime_ns}\n"
    with suppress(OSError, UnicodeDecodeError):
        if stamp.read_text(encoding="utf-8") == seal:
            return path
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != weights.sha256:
        raise _corrupt(path, f"has the sha256 {found}, where {weights.sha256} was expected")
    with suppress(OSError):  # a home that cannot be written to only costs the time to read the file again
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(seal, encoding="utf-8")
    return path


def _corrupt(path: Path, what: str) -> WeightsCorrupt:
    return WeightsCorrupt(
        f"{path} {what}.",
        "It was not opened. Delete it to have it fetched again, or choose other weights with --weights.",
    )


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "colorcli"


# Opening


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
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsCorrupt(f"{path} cannot be opened as {format} weights: {reason}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsCorrupt(f"{path} holds something else than tensors by name.")
    return dict(state)


def write_state(path: Path, state: Mapping[str, Tensor], header: Header) -> None:
    """Write a safetensors file that `open_file` opens: tensors and what the network needs to be built again."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_file(tensors, path, metadata={_HEADER_KEY: json.dumps(asdict(header))})


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


def _is_safetensors(path: Path) -> bool:
    """By its first bytes, whatever its name: the length of a JSON object, and its opening brace."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size
