"""What the author of a metric writes: how near the colors of a picture are to the true ones.

Importing this is quick, so that plugins register metrics without torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Result = TypeVar("Result")

Better = Literal["higher", "lower", ""]


@dataclass(frozen=True, eq=False)
class Colors:
    """The colors of one picture, predicted or true, on the CPU.

    Attributes:
        rgb: (3, H, W) float32 sRGB in 0..1, the picture as it is shown: joined, in gamut.
        ab: (2, H, W) float32 CIE ab as the network gave it, scaled to the picture.
        category: of the photograph; empty where it has none.
    """

    rgb: Tensor
    ab: Tensor
    category: str = ""
    _kept: dict[object, Any] = field(default_factory=dict, repr=False)

    def once(self, compute: Callable[[Colors], Result]) -> Result:
        """Compute something of these colors the first time it is asked for, and give it again from then on.

        The true colors of a photograph are the same object for every row of a table.
        """
        if compute not in self._kept:
            self._kept[compute] = compute(self)
        found: Result = self._kept[compute]
        return found


class Metric(ABC):
    """A column of the table of `colorcli evaluate`.

    What is measured of single pictures is averaged over a set, and the set's figure follows from these means. So
    intervals and comparisons come by themselves, by drawing pictures anew.

    Attributes:
        name: what people type after `--metrics`; small letters, digits, - and _.
        heading: of the column.
        decimals: that are shown.
        better: "higher", "lower", or empty where neither is, and models are not compared.
        definition: a sentence for the foot of the table.
        alone: whether a picture has a figure by itself: then the photographs themselves have a row for it.
        additive: whether a set's figure follows from the means over its pictures; else `of_set` gives it, and
            there are no intervals.
    """

    name: ClassVar[str]
    heading: str
    decimals: int = 1
    better: Better = ""
    definition: str = ""
    alone: bool = False
    additive: bool = True

    @abstractmethod
    def measure(self, predicted: Colors, true: Colors) -> Tensor | float:
        """Measure one picture: a number, or a tensor that has the same shape for every picture; not NaN."""

    def figure(self, means: Tensor) -> Tensor:
        """Give the figure of means over pictures: (..., *shape of a measurement) to (...)."""
        return means

    def of_set(self, measured: Tensor) -> float:
        """Give the figure of all pictures: (N, *shape of a measurement), N from 1."""
        return float(self.figure(measured.double().mean(0)))
