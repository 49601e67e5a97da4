"""Learning rates over a run."""

import math
from typing import Literal

Schedule = Literal["constant", "steps", "cosine"]
_WARM_UP = 0.02  # of the run


def learning_rate_factor(schedule: Schedule, progress: float) -> float:
    """Say what the highest learning rate is multiplied by at a point of the run in 0..1."""
    if schedule == "constant":
        return 1.0
    if schedule == "steps":
        return 1.0 if progress < 200 / 450 else 1 / 3 if progress < 375 / 450 else 1 / 10
    if progress < _WARM_UP:
        return max(progress / _WARM_UP, 0.01)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - _WARM_UP) / (1 - _WARM_UP))))
