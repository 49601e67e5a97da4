"""Measurements from another machine, or from an earlier day, as `colorcli bench --json` wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from colorcli.documents import read_json
from colorcli.errors import UnreadableMedia, UsageError
from colorcli.files import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from colorcli.bench.speed import Speed


class OtherSpeed(msgspec.Struct):
    """A row of the other measurements."""

    model: str
    device: str
    pictures_per_second: Annotated[float, msgspec.Meta(gt=0)]
    cpu: str = ""
    gpu: str | None = None
    batch_size: int = 1
    way: str = "colorcli"


class OtherMeasurements(msgspec.Struct):
    """Measurements of another machine.

    Attributes:
        source: a description of its pictures.
        speeds: its rows.
        name: name of the file.
    """

    source: str
    speeds: list[OtherSpeed]
    name: str = ""

    @property
    def machine(self) -> str:
        """The processors of the other machine."""
        return ", ".join(dict.fromkeys(name for each in self.speeds for name in (each.cpu, each.gpu) if name))

    def match(self, speed: Speed) -> OtherSpeed | None:
        """Return the row of the same model used in the same way, on the same kind of device if there are several."""
        rows = [each for each in self.speeds if (each.model, each.way) == (speed.facts["model"], speed.way)]
        alike = [each for each in rows if each.device == speed.facts["device"]]
        same = [each for each in alike if each.batch_size == speed.facts["batch_size"]]
        return next(iter(same or alike or (rows if len(rows) == 1 else [])), None)


def read_others(path: Path) -> OtherMeasurements:
    """Read what `colorcli bench --json` wrote.

    Raises:
        UnreadableMedia: the file cannot be read.
        UsageError: it is something else.
    """
    try:
        others = msgspec.convert(read_json(path), OtherMeasurements)
    except OSError as error:
        raise UnreadableMedia(f"{shown(path)}: {error.strerror or error}.") from error
    except ValueError as error:
        raise UsageError(
            f"{shown(path)} must contain measurements from `colorcli bench --json`: {error}.",
            "Measure on the other machine: colorcli bench MODEL --json > other.json",
        ) from error
    if not others.speeds:
        raise UsageError(f"{shown(path)} must contain measurements from `colorcli bench --json`, got none.")
    others.name = path.name
    return others


def relative(speed: Speed, speeds: Sequence[Speed], others: OtherMeasurements | None) -> dict[str, str]:
    """Compare a row with the demo, the floor, and the other machine, as far as they were measured.

    Returns:
        Cells by the headings of their columns.
    """
    cells: dict[str, str] = {}
    for way, heading in (("floor", "of the floor"), ("demo", "times the demo")):
        rows = [each for each in speeds if each.way == way]
        if rows:
            rate = next((each.rate for each in rows if _is_alike(each, speed)), rows[0].rate)
            cells[heading] = f"{speed.rate / rate:.0%}" if way == "floor" else f"{speed.rate / rate:.1f}"
    if others:
        other = others.match(speed)
        cells[f"times {others.name}"] = f"{speed.rate / other.pictures_per_second:.2f}" if other else "not measured"
    return cells


def _is_alike(one: Speed, other: Speed) -> bool:
    return all(one.facts[key] == other.facts[key] for key in ("model", "device", "batch_size"))
