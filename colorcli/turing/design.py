"""Who sees what: every scene once, real or colored, half of them real, and every model's share of scenes as large."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

REAL = "real"
"""The version of a scene that is its own photograph; the others have the names of models."""

_MOST_PRACTICE = 10  # as in Zhang 2016


@dataclass(frozen=True)
class Design:
    """What each group of participants is shown.

    Participant n of a test is in group n modulo the number of groups, and groups of one size together see every scene
    in its real version as often as colored, and colored by each model equally often.

    Attributes:
        practice: for each group the (scene, version) of the practice, which do not count.
        groups: for each group the (scene, version) of the test.
    """

    practice: list[list[tuple[str, str]]]
    groups: list[list[tuple[str, str]]]


def default_practice(count: int) -> int:
    """Say how many of so many scenes are for practice: a fifth, at most 10, as in Zhang 2016 (10 of 50)."""
    return min(_MOST_PRACTICE, count // 5)


def design(scenes: Sequence[str], models: Sequence[str], *, practice: int, seed: int) -> Design:
    """Deal scenes to groups of participants, as a Latin square does.

    Args:
        scenes: their names.
        models: the names of what colored them.
        practice: how many scenes are for practice.
        seed: decides which scenes those are, and which group sees which version.

    Raises:
        DataError: fewer than two scenes are left for the test.
    """
    if len(scenes) - practice < 2:
        raise DataError(
            f"Of {len(scenes)} photographs in color {practice} are for practice, and a test needs at least two more.",
            "Give more photographs, or fewer to --practice.",
        )
    mixed = sorted(scenes)
    random.Random(seed).shuffle(mixed)  # noqa: S311 - nothing secret
    versions = [version for model in models for version in (REAL, model)]
    return Design(_deal(mixed[:practice], versions), _deal(mixed[practice:], versions))


def _deal(scenes: Sequence[str], versions: Sequence[str]) -> list[list[tuple[str, str]]]:
    count = len(versions)
    return [
        [(scene, versions[(index + group) % count]) for index, scene in enumerate(scenes)] for group in range(count)
    ]
