"""The pipeline of each shot: shots that the user gives may have a model and a strength of their own."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from fractions import Fraction

    from colorcli.film.colorize import FilmSettings
    from colorcli.film.shot_list import Shot
    from colorcli.inference.pipeline import Pipeline


@dataclass(frozen=True)
class ShotPipelines:
    """The pipeline of each shot.

    Attributes:
        usual: the pipeline of most shots.
        settings: settings of the film, including the given shots.
        own: the pipelines of given shots that have a model or strength of their own.
    """

    usual: Pipeline
    settings: FilmSettings
    own: Mapping[Shot, Pipeline]

    def at(self, time: Fraction) -> Pipeline:
        """Return the pipeline that colors a frame."""
        shot = self.settings.shot_at(time) if self.own else None
        return self.usual if shot is None else self.own.get(shot, self.usual)

    def size_at(self, time: Fraction) -> int | None:
        """Return the size of the network that sees a frame."""
        return self.at(time).model.size

    @property
    def batch_size(self) -> int:
        """How many frames are predicted at once; those at their own size cannot share a batch."""
        every = (self.usual, *self.own.values())
        return min(each.batch_size if each.model.size else 1 for each in every)


def pipelines_of_shots(
    shots: Sequence[Shot], usual: Pipeline, load: Callable[[str], Pipeline]
) -> dict[Shot, Pipeline]:
    """Return the pipelines of the shots that have a model or a strength of their own.

    Args:
        shots: shots of the film.
        usual: the pipeline of the run.
        load: loads another model.

    Raises:
        ColorcliError: a model cannot be loaded.
    """
    others = {name: load(name) for name in sorted({each.model for each in shots if each.model})}
    pipelines: dict[Shot, Pipeline] = {}
    for each in shots:
        if each.model or each.strength is not None:
            pipelines[each] = copy.copy(others[each.model] if each.model else usual)
            pipelines[each].strength = usual.strength if each.strength is None else each.strength
    return pipelines
