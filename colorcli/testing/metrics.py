"""The promises that every metric keeps, as a test class to inherit from.

class TestRedness(MetricSuite):
    metric = Redness()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from colorcli.plugin.validation import problems_of_metric
from colorcli.testing.assertions import reason, seeded

if TYPE_CHECKING:
    from torch import Tensor

    from colorcli.metric import Colors, Metric


class MetricSuite:
    """Inherit, set `metric`, and let pytest collect it."""

    metric: ClassVar[Metric]
    categories: ClassVar[tuple[str, ...]] = ("city", "people", "")  # categories of the pictures that it is tried on

    def test_every_field_of_the_metric_is_valid(self) -> None:
        """Name, heading, decimals, better, definition, alone and additive."""
        problems = problems_of_metric(self.metric)
        assert not problems, "; ".join(problems)

    def test_every_picture_has_a_finite_measurement_of_one_shape(self) -> None:
        """Pictures of any size, gray ones, and predictions that are exactly right."""
        shapes = {}
        for what, (predicted, true) in self._pairs().items():
            measured = self._measured(predicted, true, what)
            assert measured.isfinite().all(), f"measure returned infinities or NaN for {what}"
            shapes[what] = tuple(measured.shape)
        assert len(set(shapes.values())) == 1, f"measure must return one shape for every picture, got {shapes}"

    def test_the_figure_of_a_set_is_a_finite_number(self) -> None:
        """From the means over its pictures, or, if the metric is not additive, from all its measurements."""
        import torch

        measured = torch.stack([self._measured(*pair) for pair in self._pairs().values()])
        try:
            figure = self.metric.of_set(measured)
            draws = self.metric.figure(measured.double().mean(0).expand(5, *measured.shape[1:]))
        except Exception as error:
            raise AssertionError(f"the figure of a set fails: {reason(error)}") from error
        assert isinstance(figure, float), f"of_set must return a float, got {type(figure).__name__}"
        assert figure == figure, "of_set returned NaN"  # noqa: PLR0124
        if self.metric.additive:
            assert draws.shape == (5,), f"figure must return one number for each of 5 draws, got {tuple(draws.shape)}"

    def test_measuring_does_not_modify_the_colors(self) -> None:
        """Other metrics measure the same colors afterwards."""
        predicted, true = self._pairs()["a photograph"]
        before = [plane.clone() for colors in (predicted, true) for plane in (colors.rgb, colors.ab)]
        self._measured(predicted, true)
        after = [plane for colors in (predicted, true) for plane in (colors.rgb, colors.ab)]
        assert all(map(_equal, before, after)), "measure modified the colors that it was given"

    def test_the_same_picture_has_the_same_measurement_again(self) -> None:
        """Nothing is random, and nothing is remembered from one picture to the next."""
        pairs = self._pairs()
        first = self._measured(*pairs["a photograph"])
        self._measured(*pairs["a small photograph"])
        assert _equal(first, self._measured(*self._pairs()["a photograph"])), (
            "the same picture was measured differently"
        )

    def _measured(self, predicted: Colors, true: Colors, what: str = "a photograph") -> Tensor:
        import torch

        try:
            return torch.as_tensor(self.metric.measure(predicted, true), dtype=torch.float64)
        except Exception as error:
            raise AssertionError(f"measure fails for {what}: {reason(error)}") from error

    def _pairs(self) -> dict[str, tuple[Colors, Colors]]:
        """Predicted and true colors of a few pictures."""
        import torch

        photograph = self._colors(torch.rand(3, 48, 64, generator=seeded()), 0)
        small = self._colors(torch.rand(3, 8, 5, generator=seeded()), 1)
        gray = self._colors(torch.full((3, 48, 64), 0.5), 2)
        black = self._colors(torch.zeros(3, 48, 64), 0)
        other = self._colors(torch.rand(3, 48, 64, generator=seeded()).flip(1), 0)
        return {
            "a photograph": (other, photograph),
            "a small photograph": (self._colors(small.rgb.flip(2), 1), small),
            "a gray prediction": (gray, photograph),
            "a black photograph": (gray, black),
            "a perfect prediction": (photograph, photograph),
        }

    def _colors(self, rgb: Tensor, category: int) -> Colors:
        from colorcli.color import rgb_to_lab
        from colorcli.metric import Colors

        return Colors(rgb, rgb_to_lab(rgb)[1:], self.categories[category % len(self.categories)])


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.equal(other)
