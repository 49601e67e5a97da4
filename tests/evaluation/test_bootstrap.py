import math

import numpy as np
import pytest
import torch

from colorcli.evaluation import bootstrap
from colorcli.evaluation.metrics.standard import L1, Auc, ColorfulnessDelta, Psnr, Rmse
from colorcli.metric import Metric


class Whole(Metric):
    """One whose figure follows from the whole set only."""

    name, heading, better, additive = "whole", "whole", "lower", False

    def measure(self, predicted, true):
        raise NotImplementedError

    def of_set(self, measured):
        return float(measured.max())


def numbers(count, seed=0):
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_every_draw_has_as_many_pictures_as_the_set_and_is_the_same_every_time():
    draws = bootstrap.draw(30)
    assert draws.shape == (1000, 30)
    assert (draws.sum(dim=1) == 30).all()
    assert torch.equal(draws, bootstrap.draw(30))
    assert draws.double().mean(dim=0) == pytest.approx(np.ones(30), abs=0.15)


def test_the_interval_of_a_mean_is_nearly_that_of_the_normal_distribution():
    measured = numbers(200)
    figure = bootstrap.figure_of(L1(), measured, bootstrap.draw(200))
    reach = 1.96 * float(measured.std()) / math.sqrt(200)
    assert figure.value == pytest.approx(float(measured.mean()))
    assert figure.low == pytest.approx(figure.value - reach, abs=0.1 * reach)
    assert figure.high == pytest.approx(figure.value + reach, abs=0.1 * reach)


def test_an_rmse_is_the_root_of_what_the_draws_pool():
    measured, draws = numbers(7), bootstrap.draw(7)
    figure = bootstrap.figure_of(Rmse(), measured, draws)
    drawn = [math.sqrt(np.repeat(measured.numpy(), times).mean()) for times in draws.numpy()]
    assert (figure.low, figure.high) == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))))


def test_an_auc_is_that_of_the_pixels_that_the_draws_pool():
    histograms, draws = (
        torch.randint(100, (5, 152), generator=torch.Generator().manual_seed(1)).double(),
        bootstrap.draw(5),
    )
    figure = bootstrap.figure_of(Auc(), histograms, draws)
    pooled = [Auc().of_set(histograms.repeat_interleave(times.int(), dim=0)) for times in draws]
    assert (figure.low, figure.high) == pytest.approx(tuple(np.quantile(pooled, (0.025, 0.975))))


def test_pictures_that_are_all_alike_leave_no_doubt():
    figure = bootstrap.figure_of(L1(), torch.full((9,), 3.0), bootstrap.draw(9))
    assert (figure.value, figure.low, figure.high) == (3, 3, 3)


def test_one_picture_has_no_interval():
    assert not bootstrap.figure_of(L1(), numbers(1), bootstrap.draw(1)).has_interval


def test_a_picture_that_is_met_exactly_leaves_no_interval():
    figure = bootstrap.figure_of(Psnr(), torch.tensor([20.0, math.inf]), bootstrap.draw(2))
    assert figure.value == math.inf
    assert not figure.has_interval


def test_a_figure_of_the_whole_set_has_no_interval_and_is_not_compared():
    measured, draws = numbers(5), bootstrap.draw(5)
    assert not bootstrap.figure_of(Whole(), measured, draws).has_interval
    assert bootstrap.compare(("a", "b"), Whole(), measured, measured, draws) is None


def test_a_small_difference_on_every_picture_is_sure_though_the_intervals_overlap():
    draws, theirs = bootstrap.draw(40), numbers(40)
    ours = theirs - 0.01
    found = bootstrap.compare(("ours", "theirs"), L1(), ours, theirs, draws)
    assert (found.one, found.other, found.column) == ("ours", "theirs", "l1")
    assert found.difference.value == pytest.approx(-0.01)
    assert (found.difference.low, found.difference.high) == pytest.approx((-0.01, -0.01))
    assert found.difference.is_sure
    assert (found.better, found.pictures) == (40, 40)
    assert bootstrap.figure_of(L1(), ours, draws).high > bootstrap.figure_of(L1(), theirs, draws).low


def test_rows_that_are_the_same_differ_by_nothing():
    draws, measured = bootstrap.draw(10), numbers(10)
    found = bootstrap.compare(("a", "b"), L1(), measured, measured, draws)
    assert (found.difference.value, found.difference.is_sure, found.better) == (0, False, 0)


def test_better_is_what_the_metric_says():
    draws = bootstrap.draw(3)
    high, low = torch.tensor([3.0, 3.0, 1.0]), torch.tensor([2.0, 2.0, 2.0])
    assert bootstrap.compare(("a", "b"), Psnr(), high, low, draws).better == 2
    assert bootstrap.compare(("a", "b"), L1(), high, low, draws).better == 1


def test_of_a_delta_each_picture_is_judged_by_its_own():
    draws = bootstrap.draw(2)
    near, far = torch.tensor([[10.0, 11.0], [9.0, 8.0]]), torch.tensor([[5.0, 11.0], [20.0, 8.0]])
    assert bootstrap.compare(("a", "b"), ColorfulnessDelta(), near, far, draws).better == 2
