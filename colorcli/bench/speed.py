"""Settings to measure, and the results."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

Way = Literal["colorcli", "demo", "floor"]
STAGES = ("decode", "preprocess", "network", "join", "encode", "other", "wait")


@dataclass(frozen=True)
class Setting:
    """A model with options as for `colorcli run`, and the way in which it is used; see `comparisons`."""

    name: str
    weights: str | None = None
    pairs: tuple[str, ...] = ()
    device: str = "auto"
    precision: str = "auto"
    engine: str = "torch"
    batch_size: int | None = None
    offline: bool = False
    way: Way = "colorcli"


class RoundTimings(TypedDict):
    """The result of one round; times in seconds.

    Attributes:
        whole: time from the first picture to the last.
        alone: the network alone, for as many pictures and in as many threads; 0 for a demo or a floor.
        stages: time of all threads by stage, including `wait`, measured in a separate pass; none for these.
        workers: number of threads.
        timed: time from the first picture to the last in that separate pass.
        count: number of pictures or frames.
    """

    whole: float
    alone: float
    stages: dict[str, float]
    workers: int
    timed: float
    count: int


class Facts(TypedDict):
    """Facts about the model and the machine; memory is in bytes, None if unknown."""

    model: str
    device: str
    batch_size: int
    size: int | None
    flops: int
    memory: int | None
    device_memory: int | None
    sizes: list[list[int]]
    threads: int
    cpu: str
    instructions: list[str]
    gpu: str | None
    versions: dict[str, str]


@dataclass(frozen=True)
class Speed:
    """The speed of one setting.

    Attributes:
        facts: facts about the model and the machine.
        rounds: all measurements.
        cold_start: seconds from the start of the process to the first picture.
        note: note for the user, if the weights are not the best ones.
        way: way in which the model was used.
    """

    facts: Facts
    rounds: Sequence[RoundTimings]
    cold_start: float
    note: str
    way: Way = "colorcli"

    @property
    def rates(self) -> list[float]:
        """Pictures or frames per second in each round."""
        return [each["count"] / each["whole"] for each in self.rounds]

    @property
    def rate(self) -> float:
        """The median rate."""
        return statistics.median(self.rates)

    @property
    def stages(self) -> dict[str, float]:
        """Thread seconds per picture for each stage that occurs; medians over the rounds."""
        names = [name for name in STAGES if any(name in each["stages"] for each in self.rounds)]
        return {
            name: statistics.median(each["stages"].get(name, 0.0) / each["count"] for each in self.rounds)
            for name in names
        }

    @property
    def network_share(self) -> float:
        """The network's share of the time of all threads, 0..1."""
        return statistics.median(each["stages"]["network"] / (each["workers"] * each["timed"]) for each in self.rounds)

    @property
    def of_alone(self) -> float:
        """The speed relative to the network alone; above 1 only if the machine was busy."""
        return statistics.median(each["alone"] / each["whole"] for each in self.rounds)

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON: the figures in the table, and the rounds behind them."""
        if self.way != "colorcli":
            return {"way": self.way, **self.facts, "pictures_per_second": self.rate, "rounds": list(self.rounds)}
        return {
            "way": self.way,
            **self.facts,
            "pictures_per_second": self.rate,
            "stage_seconds": self.stages,
            "stage_pictures_per_second": {name: 1 / seconds for name, seconds in self.stages.items() if seconds > 0},
            "network_share": self.network_share,
            "of_network_alone": self.of_alone,
            "cold_start": self.cold_start,
            "rounds": list(self.rounds),
        }
