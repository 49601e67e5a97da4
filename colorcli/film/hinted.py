"""Hints for films: a frame that is colored by hints becomes a reference of its shot."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from colorcli.errors import UsageError
from colorcli.film.references import Reference
from colorcli.inference.hinted import HintedPipeline
from colorcli.media.films.original import read_still
from colorcli.media.pictures.files import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

    from colorcli.hints.hint import WrittenHint
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.films.film import Film


def hinted_frames(
    film: Film, hints: Sequence[WrittenHint], pipeline_at: Callable[[Fraction], Pipeline]
) -> list[Reference]:
    """Color the frames that there are hints for; all hints for one time make one reference.

    Args:
        film: the probed film.
        hints: hints, each with a time in the film.
        pipeline_at: gives the pipeline that colors the frame at a time.

    Raises:
        UsageError: a hint has no time, its time is outside the film, or its place outside the frame.
    """
    at_time: dict[Fraction, list[WrittenHint]] = defaultdict(list)
    for hint in hints:
        if hint.seconds is None:
            raise UsageError(
                f"The hint {hint} has no time, and {film.name} is a film.",
                "Write X,Y@TIME=COLOR, as in 120,340@0:12=red.",
            )
        at_time[hint.seconds].append(hint)
    references = []
    for time, written in sorted(at_time.items()):
        pixels = read_still(film, time)
        height, width = pixels.shape[:2]
        pipeline = HintedPipeline(pipeline_at(time), [hint.placed(width, height) for hint in written])
        (colored,) = pipeline.colorize([Frame(pixels)])
        references.append(Reference(film.path, time, picture=colored.pixels))
    return references
