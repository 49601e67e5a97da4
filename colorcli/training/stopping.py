"""When to stop early: generalization loss against training progress (Prechelt, "Early Stopping, But When?", 1998)."""

from collections.abc import Sequence


def generalization_loss(validation: Sequence[float]) -> float:
    """Say by how many percent the last validation loss is above the lowest: GL(t)."""
    lowest = min(validation)
    return 100 * (validation[-1] / lowest - 1) if lowest > 0 else 0.0


def training_progress(training: Sequence[float], strip: int) -> float:
    """Say by how many thousandths the mean training loss of the last epochs is above their lowest: P_k(t)."""
    last = training[-strip:]
    return 1000 * (sum(last) / (len(last) * min(last)) - 1)


def is_over(training: Sequence[float], validation: Sequence[float], strip: int, limit: float) -> bool:
    """Tell whether GL(t) / P_k(t) is above a limit, from the k-th epoch on.

    Args:
        training: the mean training loss of every epoch, above 0.
        validation: the validation loss after every epoch, above 0.
        strip: k, how many epochs the progress is taken over.
        limit: how far generalization may get worse for what training still gains (PQ_alpha's alpha).
    """
    if len(training) < strip:
        return False
    return generalization_loss(validation) > limit * training_progress(training, strip)
