"""Licences of downloaded weights: shown before their first use; those that forbid commercial use are accepted once.

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
    from colorcli.colorizer import Weights

_log = logging.getLogger("colorcli")
_RESTRICTED = re.compile(r"\bNC\b|noncommercial|non-commercial", re.IGNORECASE)
_this_process: set[str] = set()  # for a home that cannot be written to


def is_restricted(license: str) -> bool:  # noqa: A002  # the manifest's own word
    """Tell whether a licence, an SPDX identifier, forbids commercial use."""
    return bool(_RESTRICTED.search(license))


def check(name: str, weights: Weights) -> None:
    """Let weights through whose licence allows every use, or was accepted.

    Raises:
        LicenseNotAccepted: it was not.
    """
    if is_restricted(weights.license) and _line("accepted", name, weights) not in _known():
        raise LicenseNotAccepted(
            f"{name} is under {weights.license}, which forbids commercial use ({weights.source}).",
            f"If that suits you, accept it once: colorcli weights pull {name} --accept-license",
        )


def accept(name: str, weights: Weights) -> None:
    """Remember that the user accepts the licence."""
    if is_restricted(weights.license):
        _remember(_line("accepted", name, weights))


def show(name: str, weights: Weights) -> None:
    """Say what the licence is, once."""
    line = _line("shown", name, weights)
    if line not in _known():
        _log.warning("%s is under the licence %s (%s).", name, weights.license, weights.source)
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
