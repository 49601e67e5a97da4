"""From the name of weights to a verified file on this machine."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import LicenseNotAccepted, UsageError, WeightsCorrupt, WeightsNotFound, did_you_mean
from colorcli.weights import hub, licenses
from colorcli.weights.verification import discard, verified

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer, Weights

_log = logging.getLogger("colorcli")


@dataclass(frozen=True)
class Located:
    """A file whose content is the one that the manifest promises."""

    tag: str
    weights: Weights
    path: Path
    note: str  # a line for the user where it is not the best there is, or empty


def locate(
    colorizer: Colorizer, tag: str | None = None, *, offline: bool = False, watch: hub.Watch | None = None
) -> Located:
    """Find the weights of a colorizer, download them if need be, and verify them.

    Args:
        colorizer: whose weights.
        tag: which of them, and no other; None = the best that can be had: the first tag, or, where that cannot be
            had, the first bundled one, with a note that says so.
        offline: never touch the network; HF_HUB_OFFLINE=1 says the same.
        watch: told how many more bytes of a download have arrived.

    Raises:
        UsageError: there is no such tag.
        LicenseNotAccepted: their license does not allow every use, and the user has not accepted it.
        WeightsNotFound: the weights are neither here nor to be had.
        WeightsCorrupt: the file is not the one that the manifest promises. One from the Hub is removed.
    """
    if tag is not None:
        weights = tagged(colorizer, tag)
        return Located(tag, weights, _file(f"{colorizer.name}.{tag}", weights, offline, watch), "")
    if not colorizer.weights:
        raise WeightsNotFound(f"The colorizer {colorizer.name} has no weights.")
    best = next(iter(colorizer.weights))
    try:
        return locate(colorizer, best, offline=offline, watch=watch)
    except (WeightsNotFound, LicenseNotAccepted) as error:
        bundled = next((tag for tag, weights in colorizer.weights.items() if weights.bundled and tag != best), None)
        if bundled is None:
            raise
        note = f"Using {colorizer.name}.{bundled}, not the better {colorizer.name}.{best}: {error}"
        located = locate(colorizer, bundled, offline=offline)
        return Located(bundled, located.weights, located.path, note)


def tagged(colorizer: Colorizer, tag: str) -> Weights:
    """Give what the manifest says of a tag.

    Raises:
        UsageError: there is no such tag.
    """
    if tag in colorizer.weights:
        return colorizer.weights[tag]
    raise UsageError(
        f"The colorizer {colorizer.name} has no weights {tag!r}.",
        f"{did_you_mean(tag, colorizer.weights)} A file is given as --weights FILE.",
    )


def path_of(weights: Weights) -> Path | None:
    """Give the file where it is on this machine, bundled or in the cache, unverified; the network is not asked."""
    if weights.bundled:
        return Path(weights.file) if Path(weights.file).is_file() else None
    return hub.cached(hub.Place.of(weights))


def is_here(weights: Weights) -> bool:
    """Whether the file is on this machine, bundled or in the Hugging Face cache; the network is not asked."""
    return path_of(weights) is not None


def _file(name: str, weights: Weights, offline: bool, watch: hub.Watch | None) -> Path:
    if weights.bundled:
        path = path_of(weights)
        if path is None:
            raise WeightsNotFound(f"The bundled weights {weights.file} are missing.", "Install the plugin again.")
        return verified(path, weights)
    licenses.check(name, weights)
    path = path_of(weights)
    if path is not None:
        try:
            _verified_or_removed(path, weights)
        except WeightsCorrupt as error:
            if offline:
                raise
            _log.warning("%s Downloading it again.", error.message)
        else:
            licenses.show(name, weights)
            return path
    return _downloaded(name, weights, offline, watch)


def _downloaded(name: str, weights: Weights, offline: bool, watch: hub.Watch | None) -> Path:
    found = hub.ask(_asked(hub.Place.of(weights), offline))
    if found.size not in {None, weights.size}:
        raise WeightsCorrupt(
            f"{found.place} on the Hub has {found.size:,} bytes, where {weights.size:,} were expected: "
            "not downloaded.",
            "Choose other weights with --weights; `colorcli weights list` shows them.",
        )
    licenses.show(name, weights)
    path = hub.download(found, watch)
    _verified_or_removed(path, weights)
    return path


def _asked(place: hub.Place, offline: bool) -> hub.Place:
    if offline:
        raise WeightsNotFound(f"{place} is not here and --offline forbids a download.", "Run once without --offline.")
    return place


def _verified_or_removed(path: Path, weights: Weights) -> None:
    try:
        verified(path, weights)
    except WeightsCorrupt as error:
        gone = "It was not opened, and is removed." if discard(path) else f"It was not opened. Delete {path}."
        raise WeightsCorrupt(
            error.message, f"{gone} The next run fetches it again; --weights takes others."
        ) from error


def is_on_the_hub(weights: object) -> bool:
    """Tell whether what was given for weights is a file on the Hub, `hf://owner/name/file`."""
    return isinstance(weights, str) and weights.startswith("hf://")


def fetch(uri: str, *, offline: bool = False) -> Path:
    """Fetch a weights file that no manifest describes, `hf://owner/name/file@revision`, or find it in the cache.

    Raises:
        UsageError: that is no file on the Hub.
        WeightsNotFound: it is neither here nor to be had.
        WeightsCorrupt: it did not arrive as it is on the Hub.
    """
    from huggingface_hub import constants

    place = hub.Place.parse(uri)
    path = hub.cached(place)
    etag = hub.etag_of(path) if path else ""
    if path is None or not (place.pinned or offline or constants.HF_HUB_OFFLINE):
        try:
            found = hub.ask(_asked(place, offline))
            path, etag = hub.download(found), found.etag
        except WeightsNotFound as error:
            if path is None:
                raise
            _log.warning("Using %s as it was when it was downloaded: %s", uri, error)
    try:
        hub.check_etag(path, etag)
    except WeightsCorrupt:
        discard(path)
        raise
    return path
