"""The page of `colorcli bench`: the speeds as bars, the time of each stage, and how they were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.bench.against import relative
from colorcli.bench.speed import STAGES
from colorcli.bench.table import protocol, title, unit_of
from colorcli.pages import asset, page, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.bench.against import OtherMeasurements
    from colorcli.bench.speed import Speed


@dataclass(frozen=True)
class Bar:
    """A bar of the page.

    Attributes:
        label: text beside the bar.
        rate: pictures or frames a second.
        share: length in percent of the longest bar.
        kind: "colorcli", "demo", "floor" or "other", for its color.
        remarks: comparisons with other measurements.
    """

    label: str
    rate: float
    share: float
    kind: str
    remarks: Sequence[str]


@dataclass(frozen=True)
class Part:
    """A stage within the bar of a row: where it begins and how long it is, in percent of the bar."""

    name: str
    milliseconds: float
    begins: float
    share: float
    number: int


def to_html(speeds: Sequence[Speed], source: str, command: str, others: OtherMeasurements | None = None) -> str:
    """Write speeds as a page; see `table.markdown`."""
    values = {
        "unit": unit_of(speeds),
        "bars": _bars(speeds, others),
        "stages": [(title(speed), _parts(speed)) for speed in speeds if speed.stages],
        "protocol": protocol(speeds, source, command, others),
    }
    heading = f"The speed of {', '.join(dict.fromkeys(speed.facts['model'] for speed in speeds))}"
    return page(heading, render("bench.html", values), style=asset("bench.css"))


def _bars(speeds: Sequence[Speed], others: OtherMeasurements | None) -> list[Bar]:
    found: list[tuple[str, float, str, list[str]]] = [
        (title(each), each.rate, each.way, [f"{cell} {name}" for name, cell in relative(each, speeds, others).items()])
        for each in speeds
    ]
    if others:
        for other in others.speeds:
            prefix = "" if other.way == "colorcli" else f"the {other.way}: "
            label = f"{prefix}{other.model}, {other.device}"
            found.append((label, other.pictures_per_second, "other", [others.name]))
    longest = max(rate for _, rate, _, _ in found)
    return [Bar(label, rate, 100 * rate / longest, kind, remarks) for label, rate, kind, remarks in found]


def _parts(speed: Speed) -> list[Part]:
    whole, begins, parts = sum(speed.stages.values()), 0.0, []
    for name, seconds in speed.stages.items():
        share = 100 * seconds / whole
        parts.append(Part(name, 1000 * seconds, begins, share, STAGES.index(name)))
        begins += share
    return parts
