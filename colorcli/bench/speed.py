"""What is measured, and what is found."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

STAGES = ("decode", "preprocess", "network", "join", "encode", "other", "wait")


@dataclass(frozen=True)
class Setting:
    """What is measured: a model, as the options of `colorcli run` make it."""

    name: str
    weights: str | None = None
    pairs: tuple[str, ...] = ()
    device: str = "auto"
    precision: str = "auto"
    engine: str = "torch"
    batch_size: int | None = None
    offline: bool = False


class Round(TypedDict):
    """What one round found, in seconds.

    Attributes:
        whole: from the first picture to the last.
        alone: the network alone, as often and in as many threads.
        stages: the time of all threads together, `wait` included, in a pass of its own.
        workers: how many threads those are.
        timed: from the first picture to the last in that pass.
        count: pictures, or frames.
    """

    whole: float
    alone: float
    stages: dict[str, float]
    workers: int
    timed: float
    count: int


class Facts(TypedDict):
    """What there is to know besides; memory in bytes, None where the system does not say."""

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
    """What was measured of one setting.

    Attributes:
        facts: of the model and the machine.
        rounds: as they were.
        cold_start: seconds from the start of the process to the first picture.
        note: a line for the user where the weights are not the best there are.
    """

    facts: Facts
    rounds: Sequence[Round]
    cold_start: float
    note: str

    @property
    def rates(self) -> list[float]:
        """Pictures a second, or frames, in each round."""
        return [each["count"] / each["whole"] for each in self.rounds]

    @property
    def rate(self) -> float:
        """Their median."""
        return statistics.median(self.rates)

    @property
    def stages(self) -> dict[str, float]:
        """Seconds of a thread that each stage takes for a picture: medians, of the stages that there are."""
        names = [name for name in STAGES if any(name in each["stages"] for each in self.rounds)]
        return {
            name: statistics.median(each["stages"].get(name, 0.0) / each["count"] for each in self.rounds)
            for name in names
        }

    @property
    def network_share(self) -> float:
        """The network's part of the time of all threads, 0 to 1."""
        return statistics.median(each["stages"]["network"] / (each["workers"] * each["timed"]) for each in self.rounds)

    @property
    def of_alone(self) -> float:
        """The speed as a part of that of the network alone; above 1 only where the machine was busy."""
        return statistics.median(each["alone"] / each["whole"] for each in self.rounds)

    def as_dict(self) -> dict[str, Any]:
        """Give all of it for JSON: the figures of the table, and the rounds that they are medians of."""
        return {
            **self.facts,
            "pictures_per_second": self.rate,
            "stage_seconds": self.stages,
            "stage_pictures_per_second": {name: 1 / seconds for name, seconds in self.stages.items() if seconds > 0},
            "network_share": self.network_share,
            "of_network_alone": self.of_alone,
            "cold_start": self.cold_start,
            "rounds": list(self.rounds),
        }
