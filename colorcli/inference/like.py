"""A pipeline whose colors are like those of another photograph."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import rgb_to_lab
from colorcli.errors import UsageError
from colorcli.hints.like import SIDE, ColorTable
from colorcli.inference.pipeline import DerivedPipeline, Pipeline
from colorcli.media.pictures.files import DEFAULT_MAX_PIXELS, open_picture
from colorcli.media.pictures.tone import is_in_color

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.inference.output_checks import Planes
    from colorcli.media.pictures.files import Frame


class LikePipeline(DerivedPipeline):
    """A pipeline that shifts its colors to those of a photograph, by lightness and predicted color.

    Args:
        pipeline: model and settings.
        photograph: a photograph in color.
        source: name of the photograph in notes.

    Raises:
        UsageError: the photograph is not in color.
    """

    def __init__(self, pipeline: Pipeline, photograph: Frame, source: str = "a photograph") -> None:
        super().__init__(pipeline)
        if not is_in_color(photograph.pixels):
            raise UsageError("The photograph to take colors from is not in color.")
        self._pipeline = pipeline
        self._source = source
        self._digest = hashlib.sha256(photograph.pixels.tobytes()).hexdigest()
        self._table = self._studied(photograph)

    def _studied(self, photograph: Frame) -> ColorTable:
        """Compare a photograph with what the model predicts for it."""
        plain = Pipeline(self.model, taming=self.taming, options=self.options)
        (predicted,) = plain.chroma([photograph])
        top = 255 if photograph.pixels.itemsize == 1 else 65535
        rgb = torch.from_numpy(photograph.pixels.astype("float32") / top).permute(2, 0, 1)[None]
        lab = rgb_to_lab(functional.interpolate(rgb, (SIDE, SIDE), mode="bilinear", antialias=True))
        ab = functional.interpolate(predicted.float().cpu(), (SIDE, SIDE), mode="bilinear", antialias=True)
        return ColorTable(lab[:, :1], ab, lab[:, 1:])

    def predict_lightness(self, lightness: Tensor) -> Planes:
        """Predict chroma as the pipeline does, shifted to the photograph's colors."""
        planes = self._pipeline.predict_lightness(lightness)
        if not self.strength:
            return planes
        light = functional.interpolate(lightness.float(), planes.values.shape[-2:], mode="bilinear", antialias=True)
        difference = self._table.difference(light, planes.values / self.strength)
        notes = [{**note, "like": self._source} for note in planes.notes]
        return replace(planes, values=planes.values + self.strength * difference, notes=notes)

    def identity(self) -> list[object]:
        return [*self._pipeline.identity(), "like", self._digest]


def like(pipeline: Pipeline, path: Path) -> LikePipeline:
    """Take the colors of the photograph in a file.

    Raises:
        UnreadableMedia: the file is not a picture.
        UsageError: it is not in color.
    """
    picture = open_picture(path, max_pixels=DEFAULT_MAX_PIXELS)
    try:
        return LikePipeline(pipeline, next(picture.frames()), picture.name)
    except UsageError as error:
        raise UsageError(f"{picture.name} is not in color.", "Choose a color photograph for --like.") from error
