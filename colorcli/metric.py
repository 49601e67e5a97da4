"""The base class of metrics, which measure how close predicted colors are to the true ones.

This module does not import torch, so that plugins can register metrics quickly.
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
        rgb: (3, H, W) float32 sRGB in 0..1, the picture as displayed: joined with the lightness, in gamut.
        ab: (2, H, W) float32 CIE ab, the output of the network scaled to the size of the picture.
        category: category of the photograph; empty if it has none.
    """

    rgb: Tensor
    ab: Tensor
    category: str = ""
    _kept: dict[object, Any] = field(default_factory=dict, repr=False)

    def once(self, compute: Callable[[Colors], Result]) -> Result:
        """Return a result that is computed once for these colors, and cached.

        The true colors of a photograph are the same object in every row of a table.
        """
        if compute not in self._kept:
            self._kept[compute] = compute(self)
        found: Result = self._kept[compute]
        return found


class Metric(ABC):
    """A column in the tables of `colorcli evaluate`.

    Measurements of single pictures are averaged over a set, and the figure of the set is computed from the means.
    Confidence intervals and paired comparisons follow from that, by resampling the pictures.

    Attributes:
        name: the name on the command line, for `--metrics`: lowercase letters, digits, - and _.
        heading: heading of the column.
        decimals: number of decimals shown.
        better: "higher" or "lower"; empty if neither is better, and models are not compared.
        definition: a sentence for the notes under the table.
        alone: whether a picture can be measured without a true one; if so, the originals have a row, too.
        additive: whether the figure of a set follows from the means over its pictures. If not, `of_set` computes it,
            and there are no intervals.
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
        """Measure one picture: return a number, or a tensor of the same shape for every picture, without NaN."""

    def figure(self, means: Tensor) -> Tensor:
        """Compute figures from means over pictures: (..., *shape of a measurement) to (...)."""
        return means

    def of_set(self, measured: Tensor) -> float:
        """Compute the figure of a set from all measurements: (N, *shape of a measurement), N from 1."""
        return float(self.figure(measured.double().mean(0)))
