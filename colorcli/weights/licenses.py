"""Licenses of downloaded weights: shown before their first use; restricted ones must be accepted once.

Bundled weights may be used for any purpose. The licenses shown and accepted are recorded, one per line, in
licenses.txt in the user's data folder.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from colorcli.errors import LicenseNotAccepted
from colorcli.files import user_data

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.colorizer import Colorizer, Weights

_log = logging.getLogger("colorcli")
_NONCOMMERCIAL = re.compile(r"\bNC\b|noncommercial|non-commercial", re.IGNORECASE)
_UNKNOWN = {"NOASSERTION", "NONE"}  # SPDX: not stated, or none
_this_process: set[str] = set()  # for homes that cannot be written to


def is_restricted(license: str) -> bool:  # noqa: A002  # the manifest's own word
    """Check whether a license, an SPDX identifier, forbids commercial use or is missing."""
    return license in _UNKNOWN or bool(_NONCOMMERCIAL.search(license))


def check(name: str, weights: Weights) -> None:
    """Check that the license of weights allows every use, or was accepted.

    Raises:
        LicenseNotAccepted: the license is restricted and was not accepted.
    """
    if is_restricted(weights.license) and _line("accepted", name, weights) not in _recorded():
        raise LicenseNotAccepted(
            f"{name} is {_terms(weights)}.",
            f"To accept this, once: colorcli weights pull {name} --accept-license",
        )


def _terms(weights: Weights) -> str:
    if weights.license in _UNKNOWN:
        return f"published without a license ({weights.source})"
    limit = ", which forbids commercial use" if is_restricted(weights.license) else ""
    return f"licensed under {weights.license}{limit} ({weights.source})"


def accept(colorizer: Colorizer, tag: str | None) -> None:
    """Record that the user accepts the license of weights; the first tag if None."""
    tag = tag or next(iter(colorizer.weights), None)
    if tag is not None and tag in colorizer.weights and is_restricted(colorizer.weights[tag].license):
        _record(_line("accepted", f"{colorizer.name}.{tag}", colorizer.weights[tag]))


def show(name: str, weights: Weights) -> None:
    """Log the license of weights, once."""
    line = _line("shown", name, weights)
    if line not in _recorded():
        _log.warning("%s is %s.", name, _terms(weights))
        _record(line)


def _line(event: str, name: str, weights: Weights) -> str:
    return f"{event} {name} {weights.license}"


def _recorded() -> set[str]:
    with suppress(OSError):
        return _this_process | set(_file().read_text(encoding="utf-8", errors="replace").splitlines())
    return _this_process


def _record(line: str) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        with _file().open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError:  # the user is asked again next time
        _this_process.add(line)


def _file() -> Path:
    return user_data("licenses.txt")
