"""Who sees what: each participant sees every scene once, half of them real, with an equal share for each model."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

REAL = "real"
"""The version of a scene that is the photograph itself; the others have the names of models."""

_MAX_PRACTICE = 10  # as in Zhang 2016


@dataclass(frozen=True)
class Design:
    """The pictures that each group of participants sees.

    Participant n is in group n modulo the number of groups. Groups of equal size together see every scene as often
    real as colorized, and equally often by each model.

    Attributes:
        practice: the (scene, version) pairs of each group's practice, which do not count.
        groups: the (scene, version) pairs of each group's test.
    """

    practice: list[list[tuple[str, str]]]
    groups: list[list[tuple[str, str]]]


def default_practice(count: int) -> int:
    """Return the default number of practice scenes: a fifth, at most 10, as in Zhang 2016 (10 of 50)."""
    return min(_MAX_PRACTICE, count // 5)


def design(scenes: Sequence[str], models: Sequence[str], *, practice: int, seed: int) -> Design:
    """Assign versions of scenes to groups of participants in a Latin square.

    Args:
        scenes: names of the scenes.
        models: names of the models that colorized them.
        practice: number of scenes for practice.
        seed: determines the practice scenes, and which group sees which version.

    Raises:
        DataError: fewer than two scenes remain for the test.
    """
    if len(scenes) - practice < 2:
        raise DataError(
            f"A test needs {practice + 2} photographs in color, {practice} of them for practice, got {len(scenes)}.",
            "Use more photographs, or lower --practice.",
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
