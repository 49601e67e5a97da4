"""From the name of weights to a verified file on this machine."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import UsageError, WeightsCorrupt, WeightsError, WeightsNotFound, did_you_mean
from colorcli.weights import hub, licenses, pins
from colorcli.weights.guard import Guard
from colorcli.weights.manifest import FIRST_USE
from colorcli.weights.verification import discard, remember_refused, verify, was_refused

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
        weights = _known(f"{colorizer.name}.{tag}", find_tag(colorizer, tag), offline, None)
        return LocatedWeights(tag, weights, _file(f"{colorizer.name}.{tag}", weights, offline, progress, None), "")
    if not colorizer.weights:
        raise WeightsNotFound(f"The colorizer {colorizer.name} has no weights.")
    best = next(iter(colorizer.weights))
    bundled = next((tag for tag, weights in colorizer.weights.items() if weights.bundled and tag != best), None)
    if bundled is None:
        return locate(colorizer, best, offline=offline, progress=progress)
    name, guard = f"{colorizer.name}.{best}", Guard(hub.TIMEOUT)
    try:
        weights = _known(name, colorizer.weights[best], offline, guard)
        path = _file(name, weights, offline, progress, guard)
    except WeightsError as error:
        note = f"Using {colorizer.name}.{bundled}, because the better {name} is not available: {error}"
        located = locate(colorizer, bundled, offline=offline)
        return LocatedWeights(bundled, located.weights, located.path, note)
    return LocatedWeights(best, weights, path, "")


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
    weights = pins.recorded(weights)
    if weights.page or weights.sha256 == FIRST_USE:
        return None
    return hub.find_cached(hub.HubFile.of(weights))


def is_local(weights: Weights) -> bool:
    """Check whether the file is on this machine, bundled or cached; never uses the network."""
    return local_path(weights) is not None


def _known(name: str, weights: Weights, offline: bool, guard: Guard | None) -> Weights:
    """Return weights with their sha256; on their first use, it comes from the Hub."""
    weights = pins.recorded(weights)
    if weights.sha256 != FIRST_USE:
        return weights
    licenses.check(name, weights)
    _forbid_offline(hub.HubFile.of(weights), offline)
    return pins.record(name, weights, guard)


def _file(
    name: str, weights: Weights, offline: bool, progress: hub.ProgressCallback | None, guard: Guard | None
) -> Path:
    if weights.bundled:
        path = local_path(weights)
        if path is None:
            raise WeightsNotFound(f"Bundled weights not found: {weights.file}.", "Reinstall the plugin.")
        return verify(path, weights)
    if weights.page:
        raise WeightsNotFound(
            f"{name} is not on the Hub, and colorcli does not download it.",
            f"Download {weights.page}, then run `colorcli weights import {weights.file} --model {name}` and pass the "
            "result to --weights.",
        )
    licenses.check(name, weights)
    path = local_path(weights)
    if path is not None:
        try:
            verify(path, weights)
        except WeightsCorrupt as error:
            if offline or hub.is_offline():  # kept: nothing can replace it now
                raise
            _log.warning("%s Downloading it again.", error.message)
        else:
            licenses.show(name, weights)
            return path
    return _download(name, weights, path, offline, progress, guard)


def _download(
    name: str,
    weights: Weights,
    damaged: Path | None,
    offline: bool,
    progress: hub.ProgressCallback | None,
    guard: Guard | None,
) -> Path:
    location = hub.HubFile.of(weights)
    _forbid_offline(location, offline)
    remote = hub.look_up(location, guard)
    _check_remote(remote, weights)
    if damaged is not None:  # removed only now that the Hub has promised another
        discard(damaged)
    licenses.show(name, weights)
    path = hub.download(remote, progress, guard)
    try:
        return verify(path, weights)
    except WeightsCorrupt as error:
        remember_refused(weights, remote.etag)
        outcome = "It was not opened, and was removed." if discard(path) else f"It was not opened. Delete {path}."
        raise WeightsCorrupt(error.message, f"{outcome} Choose other weights with --weights.") from error


def _check_remote(remote: hub.RemoteFile, weights: Weights) -> None:
    """Refuse a file that is known to differ from the manifest, before it is downloaded."""
    if remote.size not in {None, weights.size}:
        difference = f"has {remote.size:,} bytes, expected {weights.size:,}"
    elif re.fullmatch("[0-9a-f]{64}", remote.etag) and remote.etag != weights.sha256:
        difference = f"has the sha256 {remote.etag}, expected {weights.sha256}"
    elif was_refused(weights, remote.etag):
        difference = "had other content than expected when it was downloaded, and has not changed since"
    else:
        return
    raise WeightsCorrupt(
        f"{remote.location} was replaced on the Hub: it {difference}. It was not downloaded.",
        "Choose other weights with --weights; `colorcli weights list` shows them.",
    )


def _forbid_offline(location: hub.HubFile, offline: bool) -> None:
    if offline:
        raise WeightsNotFound(
            f"{location} is not in the cache and --offline forbids downloads.", "Run once without --offline."
        )


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
    location = hub.HubFile.parse(uri)
    path = hub.find_cached(location)
    offline_now = offline or hub.is_offline()
    if path is not None and (location.pinned or offline_now):
        try:
            hub.check_etag(path, hub.etag_of(path))
        except WeightsCorrupt:
            if offline_now:  # kept: nothing can replace it now
                raise
            _log.warning("%s differs from the file on the Hub. Downloading it again.", path)
        else:
            return path
    try:
        _forbid_offline(location, offline)
        remote = hub.look_up(location)
    except WeightsNotFound as error:
        if path is None or location.pinned:
            raise
        _log.warning("Using the cached %s: %s", uri, error)
        hub.check_etag(path, hub.etag_of(path))
        return path
    _discard_damaged(path, remote)
    path = hub.download(remote)
    try:
        hub.check_etag(path, remote.etag)
    except WeightsCorrupt:
        discard(path)
        raise
    return path


def _discard_damaged(path: Path | None, remote: hub.RemoteFile) -> None:
    """Remove a damaged file from the cache: the client would take it for the one on the Hub."""
    if path is not None and hub.etag_of(path) == remote.etag:
        try:
            hub.check_etag(path, remote.etag)
        except WeightsCorrupt:
            discard(path)
