import pytest

from colorcli.training.stopping import generalization_loss, is_over, is_rising, training_progress


def test_generalization_loss_is_the_percentage_above_the_lowest():
    assert generalization_loss([4.0, 2.0, 3.0]) == pytest.approx(50)
    assert generalization_loss([4.0, 2.0]) == 0
    assert generalization_loss([0.0, 1.0]) == 0


def test_training_progress_is_in_thousandths_over_the_last_epochs():
    assert training_progress([100.0, 3.0, 2.0, 1.0], strip=3) == pytest.approx(1000 * (6 / 3 - 1))
    assert training_progress([2.0, 2.0], strip=2) == 0


def test_it_is_over_when_generalization_gets_worse_than_training_gains():
    training = [1.02, 1.01, 1.0]  # progress: 1000 (3.03 / 3 - 1) = 10
    validation = [2.0, 2.0, 2.2]  # loss: 10
    assert is_over(training, validation, strip=3, limit=0.9)
    assert not is_over(training, validation, strip=3, limit=1.1)


def test_it_is_never_over_before_k_epochs_or_at_the_best_one():
    assert not is_over([1.0, 1.0], [1.0, 9.0], strip=3, limit=0.5)
    assert not is_over([1.0, 1.0, 1.0], [3.0, 2.0, 1.0], strip=3, limit=0.5)


def test_plain_early_stopping_compares_an_epoch_with_the_one_before():
    """Edinburgh's first baseline."""
    assert not is_rising([3.0], 1)
    assert not is_rising([3.0, 2.0], 1)
    assert is_rising([3.0, 2.0, 2.1], 1)


def test_stricter_early_stopping_compares_means_of_five_epochs():
    """Edinburgh's second baseline."""
    assert not is_rising([1.0, 9, 9, 9, 9, 9, 9, 9, 9], 5)
    assert is_rising([5.0, 5, 5, 5, 5, 5, 5, 5, 5, 5.1], 5)
    assert not is_rising([5.0, 5, 5, 5, 5, 4, 5, 5, 5, 5.1], 5)
