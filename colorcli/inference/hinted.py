"""A pipeline whose colors follow hints of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from colorcli.colorizer import declares
from colorcli.errors import UsageError
from colorcli.files import shown
from colorcli.hints.spread import LONGEST_SIDE, Spreader, paint_hints
from colorcli.inference.pipeline import DerivedPipeline, Pipeline
from colorcli.inference.preprocess import small_lightness
from colorcli.media.pictures.files import open_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from colorcli.hints.files import HintSet
    from colorcli.hints.hint import Hint
    from colorcli.inference.output_checks import Planes
    from colorcli.inference.pipeline import Notes
    from colorcli.jobs import Job
    from colorcli.media.pictures.files import Frame

_MAX_NOTED = 10  # hints in the notes of a picture


class HintedPipeline(DerivedPipeline):
    """A pipeline that gives places the colors of hints and lets them spread over what it predicts.

    The strength applies to the prediction only: a hint's color is the user's choice.

    Args:
        pipeline: model and settings.
        hints: the later ones win where they overlap.

    Attributes:
        hints: the given hints.
        predictor: predicts what the hints then change.
    """

    def __init__(self, pipeline: Pipeline, hints: Sequence[Hint]) -> None:
        super().__init__(pipeline)
        self.hints = tuple(hints)
        shown = type(pipeline) is Pipeline and declares(pipeline.model.colorizer, "predict_with_hints")
        self.predictor = _GuidedPipeline(pipeline, self.hints) if shown else pipeline

    def predict(self, batch: Sequence[Frame]) -> Iterator[tuple[Tensor, Notes]]:
        """Predict ab as the pipeline does, changed by the hints, with notes about what became of their colors."""
        for frame, (ab, notes) in zip(batch, self.predictor.predict(batch), strict=True):
            spreader = spreader_of(frame)
            fitted = [str(spreader.fit(hint)) for hint in self.hints[:_MAX_NOTED]]
            more = len(self.hints) - len(fitted)
            fitted += [f"and {more} more"] if more else []
            yield spreader.spread(ab, self.hints), {**notes, "hints": "; ".join(fitted)}

    def identity(self) -> list[object]:
        return [*self.predictor.identity(), "hints", [str(hint) for hint in self.hints]]


class _GuidedPipeline(DerivedPipeline):
    """A pipeline whose colorizer also gets the hints: its network decides better how far they reach."""

    def __init__(self, pipeline: Pipeline, hints: Sequence[Hint]) -> None:
        super().__init__(pipeline)
        self._hints = hints

    def identity(self) -> list[object]:
        return [*super().identity(), "shown hints", [str(hint) for hint in self._hints]]

    def _predict(self, lightness: Tensor, size: Sequence[int]) -> Planes:
        height, width = size
        hints = lightness.new_zeros(len(lightness), 3, *lightness.shape[-2:])
        for own, given in zip(lightness.cpu(), hints, strict=True):
            ab, painted = paint_hints(own[None, :, :height, :width].contiguous(), self._hints)
            given[:2, :height, :width], given[2, :height, :width] = ab[0], painted
        return self.model.predict_with_hints(lightness, hints, **self.options)


def spreader_of(frame: Frame) -> Spreader:
    """Prepare a frame for hints to spread on."""
    height, width = frame.pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return Spreader(small_lightness(frame.pixels, size, torch.device("cpu")))


def pipeline_for(job: Job, pipeline: Pipeline, hints: HintSet, *, max_pixels: int) -> Pipeline:
    """Return the pipeline for a picture: with its hints, if it has any.

    Args:
        job: a picture.
        pipeline: model and settings.
        hints: hints of the run.
        max_pixels: the most pixels that a frame may have.

    Raises:
        UnreadableMedia: there are hints for the picture, and it cannot be read.
        UsageError: a hint lies outside the picture, or is one for films.
    """
    if not (written := hints.of(job.relative)):
        return pipeline
    for hint in written:
        if hint.seconds is not None:
            raise UsageError(
                f"The hint {hint} has a time, but {shown(job.source)} is not a film.", "Leave out the time."
            )
    picture = open_picture(job.source, max_pixels=max_pixels)
    return HintedPipeline(pipeline, [hint.placed(*picture.size) for hint in written])
