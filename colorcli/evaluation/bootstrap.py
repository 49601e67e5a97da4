"""How sure figures are: pictures are drawn anew, with replacement, a thousand times.

The same draws serve every row of a set, so that the difference of two rows is that of a paired comparison: what makes
a picture hard for both does not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from colorcli.evaluation.tables import Comparison, Figure

if TYPE_CHECKING:
    from torch import Tensor

    from colorcli.metric import Metric

DRAWS = 1000
SEED = 0
_ENDS = (0.025, 0.975)
_AT_ONCE = 100  # draws


def draw(count: int) -> Tensor:
    """Draw so many of `count` pictures, with replacement, again and again: how often each is, (1000, count) int16."""
    generator = torch.Generator().manual_seed(SEED)
    times = torch.zeros(DRAWS, count, dtype=torch.int16)
    for row in times:
        chosen = torch.randint(count, (count,), generator=generator)
        row.copy_(torch.bincount(chosen, minlength=count))
    return times


def figure_of(metric: Metric, measured: Tensor, draws: Tensor) -> Figure:
    """Give a set's figure with its 95 % interval, if there can be one.

    Args:
        metric: what was measured.
        measured: (N, ...) of the pictures.
        draws: of as many pictures.
    """
    value = metric.of_set(measured)
    redrawn = _redrawn(metric, measured, draws)
    return Figure(value) if redrawn is None else Figure(value, *_interval(redrawn))


def compare(names: tuple[str, str], metric: Metric, one: Tensor, other: Tensor, draws: Tensor) -> Comparison | None:
    """Set two rows of the same pictures side by side; None where the metric has no direction or no intervals.

    Args:
        names: of the rows.
        metric: what was measured.
        one: (N, ...) of the first row's pictures.
        other: (N, ...) of the second row's.
        draws: of as many pictures.
    """
    ours, theirs = _redrawn(metric, one, draws), _redrawn(metric, other, draws)
    if not metric.better or ours is None or theirs is None:
        return None
    ahead = metric.figure(one.double()) - metric.figure(other.double())
    better = ahead > 0 if metric.better == "higher" else ahead < 0
    difference = Figure(metric.of_set(one) - metric.of_set(other), *_interval(ours - theirs))
    return Comparison(*names, metric.name, difference, int(better.sum()), len(one))


def _redrawn(metric: Metric, measured: Tensor, draws: Tensor) -> Tensor | None:
    """Give the figure of every draw, (1000,); None where there is but one picture, or one is met exactly."""
    if not metric.additive or len(measured) < 2 or not torch.isfinite(measured).all():
        return None
    flat = measured.double().reshape(len(measured), -1)
    means = torch.cat([draws[start : start + _AT_ONCE].double() @ flat for start in range(0, DRAWS, _AT_ONCE)]) / len(
        measured
    )
    return metric.figure(means.view(-1, *measured.shape[1:]))


def _interval(values: Tensor) -> tuple[float, float]:
    low, high = torch.quantile(values.double(), torch.tensor(_ENDS, dtype=torch.float64)).tolist()
    return low, high
