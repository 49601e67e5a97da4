"""Confidence intervals by bootstrap: the pictures are resampled with replacement, a thousand times.

Every row of a set uses the same resamples, so a difference between two rows is a paired comparison: what makes a
picture hard for both does not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from colorcli.evaluation.tables import Comparison, Figure

if TYPE_CHECKING:
    from torch import Tensor

    from colorcli.metric import Metric

RESAMPLES = 1000
SEED = 0
_QUANTILES = (0.025, 0.975)
_CHUNK = 100  # resamples at a time


def resample(count: int) -> Tensor:
    """Draw 1000 samples of `count` pictures with replacement.

    Returns:
        (1000, count) int16: how often each picture is in each sample.
    """
    generator = torch.Generator().manual_seed(SEED)
    times = torch.zeros(RESAMPLES, count, dtype=torch.int16)
    for row in times:
        chosen = torch.randint(count, (count,), generator=generator)
        row.copy_(torch.bincount(chosen, minlength=count))
    return times


def figure_of(metric: Metric, measured: Tensor, times: Tensor) -> Figure:
    """Compute a set's figure and, where possible, its 95 % interval.

    Args:
        metric: the metric that was measured.
        measured: (N, ...), a measurement for each picture.
        times: samples of N pictures from `resample`.
    """
    value = metric.of_set(measured)
    resampled = _resampled(metric, measured, times)
    return Figure(value) if resampled is None else Figure(value, _interval(resampled))


def compare(names: tuple[str, str], metric: Metric, one: Tensor, other: Tensor, times: Tensor) -> Comparison | None:
    """Compare two rows of the same pictures.

    Args:
        names: names of the rows.
        metric: the metric that was measured.
        one: (N, ...), a measurement for each picture in the first row.
        other: (N, ...), the same for the second row.
        times: samples of N pictures from `resample`.

    Returns:
        None if neither direction of the metric is better, or if it has no intervals.
    """
    ours, theirs = _resampled(metric, one, times), _resampled(metric, other, times)
    if not metric.better or ours is None or theirs is None:
        return None
    ahead = metric.figure(one.double()) - metric.figure(other.double())
    better = ahead > 0 if metric.better == "higher" else ahead < 0
    difference = Figure(metric.of_set(one) - metric.of_set(other), _interval(ours - theirs))
    return Comparison(*names, metric.name, difference, int(better.sum()), len(one))


def _resampled(metric: Metric, measured: Tensor, times: Tensor) -> Tensor | None:
    """Compute the figure of every resample, (1000,); None for a single picture, or if a measurement is infinite."""
    if not metric.additive or len(measured) < 2 or not torch.isfinite(measured).all():
        return None
    flat = measured.double().reshape(len(measured), -1)
    sums = [times[start : start + _CHUNK].double() @ flat for start in range(0, RESAMPLES, _CHUNK)]
    means = torch.cat(sums) / len(measured)
    return metric.figure(means.view(-1, *measured.shape[1:]))


def _interval(values: Tensor) -> tuple[float, float]:
    low, high = torch.quantile(values.double(), torch.tensor(_QUANTILES, dtype=torch.float64)).tolist()
    return low, high
