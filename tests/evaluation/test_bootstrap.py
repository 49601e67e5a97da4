import math

import numpy as np
import pytest
import torch

from colorcli.evaluation import bootstrap
from colorcli.evaluation.metrics.standard import L1, Auc, ColorfulnessDelta, Psnr, Rmse
from colorcli.evaluation.tables import Figure
from colorcli.metric import Metric


class Whole(Metric):
    """A metric whose figure needs the whole set."""

    name, heading, better, additive = "whole", "whole", "lower", False

    def measure(self, predicted, true):
        raise NotImplementedError

    def of_set(self, measured):
        return float(measured.max())


def numbers(count, seed=0):
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_every_resample_has_the_size_of_the_set_and_resamples_are_reproducible():
    times = bootstrap.resample(30)
    assert times.shape == (1000, 30)
    assert (times.sum(dim=1) == 30).all()
    assert torch.equal(times, bootstrap.resample(30))
    assert times.double().mean(dim=0) == pytest.approx(np.ones(30), abs=0.15)


def test_the_interval_of_a_mean_is_close_to_that_of_the_normal_distribution():
    measured = numbers(200)
    figure = bootstrap.figure_of(L1(), measured, bootstrap.resample(200))
    reach = 1.96 * float(measured.std()) / math.sqrt(200)
    assert figure.value == pytest.approx(float(measured.mean()))
    assert figure.interval == pytest.approx((figure.value - reach, figure.value + reach), abs=0.1 * reach)


def test_the_rmse_of_a_resample_pools_its_pixels():
    measured, times = numbers(7), bootstrap.resample(7)
    figure = bootstrap.figure_of(Rmse(), measured, times)
    drawn = [math.sqrt(np.repeat(measured.numpy(), row).mean()) for row in times.numpy()]
    assert figure.interval == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))))


def test_the_auc_of_a_resample_pools_its_pixels():
    histograms, times = (
        torch.randint(100, (5, 152), generator=torch.Generator().manual_seed(1)).double(),
        bootstrap.resample(5),
    )
    figure = bootstrap.figure_of(Auc(), histograms, times)
    pooled = [Auc().of_set(histograms.repeat_interleave(row.int(), dim=0)) for row in times]
    assert figure.interval == pytest.approx(tuple(np.quantile(pooled, (0.025, 0.975))))


def test_equal_measurements_have_an_interval_of_width_0():
    figure = bootstrap.figure_of(L1(), torch.full((9,), 3.0), bootstrap.resample(9))
    assert figure == Figure(3, (3, 3))


def test_a_single_picture_has_no_interval():
    assert bootstrap.figure_of(L1(), numbers(1), bootstrap.resample(1)).interval is None


def test_an_infinite_measurement_has_no_interval():
    figure = bootstrap.figure_of(Psnr(), torch.tensor([20.0, math.inf]), bootstrap.resample(2))
    assert figure.value == math.inf
    assert figure.interval is None


def test_a_metric_that_is_not_additive_has_no_intervals_and_comparisons():
    measured, times = numbers(5), bootstrap.resample(5)
    assert bootstrap.figure_of(Whole(), measured, times).interval is None
    assert bootstrap.compare(("a", "b"), Whole(), measured, measured, times) is None


def test_a_small_difference_on_every_picture_excludes_zero_though_the_intervals_overlap():
    times, theirs = bootstrap.resample(40), numbers(40)
    ours = theirs - 0.01
    found = bootstrap.compare(("ours", "theirs"), L1(), ours, theirs, times)
    assert (found.one, found.other, found.column) == ("ours", "theirs", "l1")
    assert found.difference.value == pytest.approx(-0.01)
    assert found.difference.interval == pytest.approx((-0.01, -0.01))
    assert found.difference.excludes_zero
    assert (found.better, found.pictures) == (40, 40)
    assert bootstrap.figure_of(L1(), ours, times).interval[1] > bootstrap.figure_of(L1(), theirs, times).interval[0]


def test_equal_rows_differ_by_0():
    times, measured = bootstrap.resample(10), numbers(10)
    found = bootstrap.compare(("a", "b"), L1(), measured, measured, times)
    assert (found.difference.value, found.difference.excludes_zero, found.better) == (0, False, 0)


def test_the_metric_determines_which_values_are_better():
    times = bootstrap.resample(3)
    high, low = torch.tensor([3.0, 3.0, 1.0]), torch.tensor([2.0, 2.0, 2.0])
    assert bootstrap.compare(("a", "b"), Psnr(), high, low, times).better == 2
    assert bootstrap.compare(("a", "b"), L1(), high, low, times).better == 1


def test_a_delta_is_compared_picture_by_picture():
    times = bootstrap.resample(2)
    near, far = torch.tensor([[10.0, 11.0], [9.0, 8.0]]), torch.tensor([[5.0, 11.0], [20.0, 8.0]])
    assert bootstrap.compare(("a", "b"), ColorfulnessDelta(), near, far, times).better == 2
