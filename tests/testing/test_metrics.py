"""The suite for metrics finds every broken promise, each with the test that is about it."""

import inspect

import pytest
import torch

from colorcli import Metric
from colorcli.testing import MetricSuite


class Redness(Metric):
    """Keeps every promise."""

    name = "redness"
    heading = "redness"
    definition = "Redness: mean of R."
    alone = True

    def measure(self, predicted, true):
        return predicted.rgb[0].mean()


def redness(**changes):
    return type("Redness", (Redness,), changes)()


def measuring(measure):
    return redness(measure=lambda self, predicted, true: measure(predicted, true))


def promises_of(metric):
    suite = type("Suite", (MetricSuite,), {"metric": metric})()
    return {name: test for name, test in inspect.getmembers(suite, inspect.ismethod) if name.startswith("test_")}


def modify(predicted, true):
    return predicted.ab.mul_(0).mean()


FIELDS, MEASURED, FIGURE, UNMODIFIED, AGAIN = (
    "test_every_field_of_the_metric_is_valid",
    "test_every_picture_has_a_finite_measurement_of_one_shape",
    "test_the_figure_of_a_set_is_a_finite_number",
    "test_measuring_does_not_modify_the_colors",
    "test_the_same_picture_has_the_same_measurement_again",
)
BROKEN = {
    "an empty heading": (redness(heading=""), FIELDS, "heading must not be empty"),
    "a name with a capital": (redness(name="Redness"), FIELDS, "name must be lowercase letters"),
    "an unknown direction": (redness(better="more"), FIELDS, 'better must be "higher", "lower" or ""'),
    "NaN": (measuring(lambda predicted, true: float("nan")), MEASURED, "infinities or NaN for a photograph"),
    "a division by the chroma of gray": (
        measuring(lambda predicted, true: 1 / predicted.ab.abs().mean().round(decimals=2)),
        MEASURED,
        "infinities or NaN for a gray prediction",
    ),
    "an exception": (measuring(lambda predicted, true: predicted.depth), MEASURED, "measure fails for a photograph"),
    "nothing": (measuring(lambda predicted, true: None), MEASURED, "measure fails for a photograph"),
    "a shape for every size": (measuring(lambda predicted, true: predicted.ab), MEASURED, "must return one shape"),
    "a figure for each channel": (
        measuring(lambda predicted, true: predicted.ab.mean(dim=(1, 2))),
        FIGURE,
        r"the figure of a set fails|figure must return one number",
    ),
    "a figure that fails": (redness(figure=lambda self, means: means[9]), FIGURE, "the figure of a set fails"),
    "changed colors": (measuring(modify), UNMODIFIED, "modified the colors"),
    "chance": (measuring(lambda predicted, true: torch.rand(1)), AGAIN, "measured differently"),
}


@pytest.mark.parametrize("name", promises_of(Redness()))
def test_a_metric_that_keeps_every_promise_passes(name):
    promises_of(Redness())[name]()


@pytest.mark.parametrize(("metric", "name", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_promise_is_found_and_named(metric, name, reason):
    with pytest.raises(AssertionError, match=reason):
        promises_of(metric)[name]()


def test_every_promise_can_be_broken():
    assert set(promises_of(Redness())) == {name for _, name, _ in BROKEN.values()}


def test_a_metric_of_whole_sets_needs_no_figure():
    spread = redness(additive=False, of_set=lambda self, measured: float(measured.std()))
    for promise in promises_of(spread).values():
        promise()
