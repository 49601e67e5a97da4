"""From the name of weights to a verified file on this machine."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import LicenseNotAccepted, UsageError, WeightsCorrupt, WeightsNotFound, did_you_mean
from colorcli.weights import hub, licenses
from colorcli.weights.verification import discard, verify

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer, Weights

_log = logging.getLogger("colorcli")


@dataclass(frozen=True)
class LocatedWeights:
    """A file that matches the manifest."""

    tag: str
    weights: Weights
    path: Path
    note: str  # a line for the user if these are not the best weights; otherwise empty


def locate(
    colorizer: Colorizer,
    tag: str | None = None,
    *,
    offline: bool = False,
    progress: hub.ProgressCallback | None = None,
) -> LocatedWeights:
    """Find the weights of a colorizer, download them if necessary, and verify them.

    Args:
        colorizer: the colorizer.
        tag: exactly these weights; if None, the first tag, or, if that is not available, the first bundled one, with
            a note that says so.
        offline: never use the network; so does HF_HUB_OFFLINE=1.
        progress: called with the number of bytes that arrived.

    Raises:
        UsageError: the tag does not exist.
        LicenseNotAccepted: the license is restricted and the user has not accepted it.
        WeightsNotFound: the weights are not on this machine and cannot be downloaded.
        WeightsCorrupt: the file differs from its manifest. A downloaded one is removed.
    """
    if tag is not None:
        weights = find_tag(colorizer, tag)
        return LocatedWeights(tag, weights, _file(f"{colorizer.name}.{tag}", weights, offline, progress), "")
    if not colorizer.weights:
        raise WeightsNotFound(f"The colorizer {colorizer.name} has no weights.")
    best = next(iter(colorizer.weights))
    try:
        return locate(colorizer, best, offline=offline, progress=progress)
    except (WeightsNotFound, LicenseNotAccepted) as error:
        bundled = next((tag for tag, weights in colorizer.weights.items() if weights.bundled and tag != best), None)
        if bundled is None:
            raise
        note = f"Using {colorizer.name}.{bundled} instead of {colorizer.name}.{best}, which is better: {error}"
        located = locate(colorizer, bundled, offline=offline)
        return LocatedWeights(bundled, located.weights, located.path, note)


def find_tag(colorizer: Colorizer, tag: str) -> Weights:
    """Return the manifest's description of a tag.

    Raises:
        UsageError: the tag does not exist.
    """
    if tag in colorizer.weights:
        return colorizer.weights[tag]
    raise UsageError(
        f"The colorizer {colorizer.name} has no weights {tag!r}.",
        f"{did_you_mean(tag, colorizer.weights)} For a file, use --weights FILE.",
    )


def local_path(weights: Weights) -> Path | None:
    """Return the file if it is bundled or cached, unverified; never uses the network."""
    if weights.bundled:
        return Path(weights.file) if Path(weights.file).is_file() else None
    return hub.find_cached(hub.HubFile.of(weights))


def is_local(weights: Weights) -> bool:
    """Check whether the file is on this machine, bundled or cached; never uses the network."""
    return local_path(weights) is not None


def _file(name: str, weights: Weights, offline: bool, progress: hub.ProgressCallback | None) -> Path:
    if weights.bundled:
        path = local_path(weights)
        if path is None:
            raise WeightsNotFound(f"Bundled weights not found: {weights.file}.", "Reinstall the plugin.")
        return verify(path, weights)
    licenses.check(name, weights)
    path = local_path(weights)
    if path is not None:
        try:
            _verify_or_remove(path, weights)
        except WeightsCorrupt as error:
            if offline:
                raise
            _log.warning("%s Downloading it again.", error.message)
        else:
            licenses.show(name, weights)
            return path
    return _download(name, weights, offline, progress)


def _download(name: str, weights: Weights, offline: bool, progress: hub.ProgressCallback | None) -> Path:
    location = hub.HubFile.of(weights)
    _forbid_offline(location, offline)
    remote = hub.look_up(location)
    if remote.size not in {None, weights.size}:
        raise WeightsCorrupt(
            f"{location} has {remote.size:,} bytes on the Hub, expected {weights.size:,}: not downloaded.",
            "Choose other weights with --weights; `colorcli weights list` shows them.",
        )
    licenses.show(name, weights)
    path = hub.download(remote, progress)
    _verify_or_remove(path, weights)
    return path


def _forbid_offline(location: hub.HubFile, offline: bool) -> None:
    if offline:
        raise WeightsNotFound(
            f"{location} is not in the cache and --offline forbids downloads.", "Run once without --offline."
        )


def _verify_or_remove(path: Path, weights: Weights) -> None:
    try:
        verify(path, weights)
    except WeightsCorrupt as error:
        outcome = "It was not opened, and was removed." if discard(path) else f"It was not opened. Delete {path}."
        raise WeightsCorrupt(
            error.message, f"{outcome} The next run downloads it again; --weights selects others."
        ) from error


def is_hub_uri(weights: object) -> bool:
    """Check whether a value for `weights` is a file on the Hub, `hf://owner/name/file`."""
    return isinstance(weights, str) and weights.startswith("hf://")


def fetch(uri: str, *, offline: bool = False) -> Path:
    """Download a weights file that no manifest describes, `hf://owner/name/file@revision`, or find it in the cache.

    Raises:
        UsageError: the URI has another form.
        WeightsNotFound: the file is not in the cache and cannot be downloaded.
        WeightsCorrupt: the file differs from the one on the Hub.
    """
    from huggingface_hub import constants

    location = hub.HubFile.parse(uri)
    path = hub.find_cached(location)
    etag = hub.etag_of(path) if path else ""
    if path is None or not (location.pinned or offline or constants.HF_HUB_OFFLINE):
        try:
            _forbid_offline(location, offline)
            remote = hub.look_up(location)
            path, etag = hub.download(remote), remote.etag
        except WeightsNotFound as error:
            if path is None:
                raise
            _log.warning("Using the cached %s: %s", uri, error)
    try:
        hub.check_etag(path, etag)
    except WeightsCorrupt:
        discard(path)
        raise
    return path
