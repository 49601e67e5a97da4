"""Licenses of downloaded weights: shown before their first use; those that do not allow every use are accepted once.

Bundled weights allow every use. What was shown and accepted is kept in licenses.txt in the user's data folder, a line
for each.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import LicenseNotAccepted

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer, Weights

_log = logging.getLogger("colorcli")
_NO_COMMERCE = re.compile(r"\bNC\b|noncommercial|non-commercial", re.IGNORECASE)
_UNKNOWN = {"NOASSERTION", "NONE"}  # SPDX: nobody has said, or there is none
_this_process: set[str] = set()  # for a home that cannot be written to


def is_restricted(license: str) -> bool:  # noqa: A002  # the manifest's own word
    """Tell whether a license, an SPDX identifier, forbids commercial use, or is not there at all."""
    return license in _UNKNOWN or bool(_NO_COMMERCE.search(license))


def check(name: str, weights: Weights) -> None:
    """Let weights through whose license allows every use, or was accepted.

    Raises:
        LicenseNotAccepted: it was not.
    """
    if is_restricted(weights.license) and _line("accepted", name, weights) not in _known():
        raise LicenseNotAccepted(
            f"{name} is {_said(weights)}.",
            f"If that suits you, accept it once: colorcli weights pull {name} --accept-license",
        )


def _said(weights: Weights) -> str:
    if weights.license in _UNKNOWN:
        return f"published without a license ({weights.source})"
    limit = ", which forbids commercial use" if is_restricted(weights.license) else ""
    return f"under the license {weights.license}{limit} ({weights.source})"


def accept(colorizer: Colorizer, tag: str | None) -> None:
    """Remember that the user accepts the license of weights; None = the first."""
    tag = tag or next(iter(colorizer.weights), None)
    if tag is not None and tag in colorizer.weights and is_restricted(colorizer.weights[tag].license):
        _remember(_line("accepted", f"{colorizer.name}.{tag}", colorizer.weights[tag]))


def show(name: str, weights: Weights) -> None:
    """Say what the license is, once."""
    line = _line("shown", name, weights)
    if line not in _known():
        _log.warning("%s is %s.", name, _said(weights))
        _remember(line)


def _line(what: str, name: str, weights: Weights) -> str:
    return f"{what} {name} {weights.license}"


def _known() -> set[str]:
    with suppress(OSError, UnicodeDecodeError):
        return _this_process | set(_file().read_text(encoding="utf-8").splitlines())
    return _this_process


def _remember(line: str) -> None:
    _this_process.add(line)
    with suppress(OSError):  # it is asked again next time
        _file().parent.mkdir(parents=True, exist_ok=True)
        with _file().open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _file() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "colorcli" / "licenses.txt"
