"""When to stop early: a rising validation loss, or generalization loss against training progress (Prechelt 1998)."""

from collections.abc import Sequence


def generalization_loss(validation: Sequence[float]) -> float:
    """Compute GL(t): by how many percent the last validation loss exceeds the lowest; 0 if the lowest is 0."""
    lowest = min(validation)
    return 100 * (validation[-1] / lowest - 1) if lowest > 0 else 0.0


def training_progress(training: Sequence[float], strip: int) -> float:
    """Compute P_k(t): by how many thousandths the mean training loss of the last k epochs exceeds their lowest."""
    last = training[-strip:]
    return 1000 * (sum(last) / (len(last) * min(last)) - 1)


def is_over(training: Sequence[float], validation: Sequence[float], strip: int, limit: float) -> bool:
    """Return whether GL(t) / P_k(t) exceeds a limit; False before the k-th epoch.

    Args:
        training: mean training loss of each epoch, above 0.
        validation: validation loss after each epoch, above 0.
        strip: k, the number of epochs for the training progress.
        limit: alpha of the criterion PQ_alpha.
    """
    if len(training) < strip:
        return False
    return generalization_loss(validation) > limit * training_progress(training, strip)


def is_rising(validation: Sequence[float], strip: int) -> bool:
    """Return whether the mean validation loss of the last epochs exceeds that of as many epochs before them.

    Args:
        validation: validation loss after each epoch.
        strip: how many epochs; 1 compares the last epoch with the one before.
    """
    if len(validation) < 2 * strip:
        return False
    return sum(validation[-strip:]) > sum(validation[-2 * strip : -strip])
