"""Weights whose manifest has no sha256: it is recorded on first use, and nothing else is accepted later.

A manifest writes `sha256 = "first-use"`. The first download records the commit, the size and the sha256 that the Hub
names, as a manifest in the user's data folder; from then on the record is the manifest.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from colorcli.documents import read_toml
from colorcli.errors import UnwritableMedia, WeightsNotFound
from colorcli.files import replacing, user_data
from colorcli.weights import hub
from colorcli.weights.manifest import FIRST_USE

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.colorizer import Weights
    from colorcli.weights.guard import Guard


_log = logging.getLogger("colorcli")


def recorded(weights: Weights) -> Weights:
    """Return weights with the commit, size and sha256 of their first use; others as they are."""
    if weights.sha256 != FIRST_USE:
        return weights
    with suppress(OSError, ValueError, KeyError, TypeError):
        pin = read_toml(_file())[_key(weights)]
        if re.fullmatch("[0-9a-f]{64}", pin["sha256"]) and re.fullmatch("[0-9a-f]{40}", pin["revision"]):
            return replace(weights, sha256=pin["sha256"], size=int(pin["size"]), revision=pin["revision"])
    return weights


def record(name: str, weights: Weights, guard: Guard | None = None) -> Weights:
    """Ask the Hub what weights are today, and record it.

    Raises:
        WeightsNotFound: the Hub cannot be reached, or does not name the size and sha256 of the file.
    """
    remote = hub.look_up(hub.HubFile.of(weights), guard)
    if remote.size is None or not re.fullmatch("[0-9a-f]{64}", remote.etag):
        raise WeightsNotFound(
            f"The Hub does not state the sha256 of {remote.location}, so {name} cannot be verified.",
            "Download the file in a browser and use --weights FILE.",
        )
    pinned = replace(weights, sha256=remote.etag, size=remote.size, revision=remote.commit)
    _log.warning("First use of %s: from now on, only its present version is accepted, sha256 %s.", name, remote.etag)
    with suppress(UnwritableMedia):  # a home that cannot be written to: the next process asks the Hub again
        _append(pinned, _key(weights))
    return pinned


def _append(pinned: Weights, key: str) -> None:
    import tomli_w

    tables = {}
    with suppress(OSError, ValueError):
        tables = dict(read_toml(_file()))
    tables[key] = {"sha256": pinned.sha256, "size": pinned.size, "revision": pinned.revision}
    with replacing(_file()) as temporary:
        temporary.write_text(tomli_w.dumps(tables), encoding="utf-8")


def _key(weights: Weights) -> str:
    return str(hub.HubFile.of(weights))


def _file() -> Path:
    return user_data("pins.toml")
