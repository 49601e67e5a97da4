"""What else a colorizer can tell of a picture, along the line of `engine`: other colorings, and how sure it is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from colorcli.colorizer import Prediction
from colorcli.inference.pipeline import Pipeline
from colorcli.media.pictures.files import Frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BITS = 8.0  # of entropy are the brightest color: 256 equally likely colors
COLORS = "magma"  # perceptually uniform, from nearly black to nearly white


class SamplingPipeline(Pipeline):
    """A line that draws another coloring than the one that its model would show.

    Args:
        pipeline: model and settings.
        seed: decides which coloring.
    """

    def __init__(self, pipeline: Pipeline, seed: int) -> None:
        super().__init__(
            pipeline.model,
            strength=pipeline.strength,
            options=pipeline.options,
            batch_size=pipeline.batch_size,
            name=f"{pipeline.name} seed={seed}",
        )
        self._seed = seed

    def _ask(self, lightness: Tensor) -> Prediction:
        ab = self.model.sample(lightness, seed=self._seed, **self.options)
        return Prediction(ab, [{}] * len(ab))

    def _deciding(self) -> list[object]:
        return [*super()._deciding(), "seed", self._seed]


class EntropyPipeline(Pipeline):
    """A line whose outputs show how unsure of its colors a model is: dark where it is sure, bright where it is not.

    Args:
        pipeline: model and settings.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(
            pipeline.model, options=pipeline.options, batch_size=pipeline.batch_size, name=f"{pipeline.name} entropy"
        )

    def _ask(self, lightness: Tensor) -> Prediction:
        bits = self.model.explain(lightness, **self.options)
        return Prediction(bits, [{}] * len(bits))

    def _deciding(self) -> list[object]:
        return [*super()._deciding(), "entropy"]

    def join(self, frame: Frame, chroma: Tensor) -> Frame:
        """Draw the entropy that was predicted for a frame, (1, 1, h, w) in bits, at the frame's size."""
        return Frame(entropy_picture(chroma, frame.pixels.shape[:2]), seconds=frame.seconds)


def entropy_picture(bits: Tensor, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw entropy in colors of one fixed scale, so that pictures and models can be compared.

    Args:
        bits: (1, 1, h, w).
        size: (H, W) of the picture.

    Returns:
        (H, W, 3) sRGB: 0 bits are black, `BITS` and more nearly white.
    """
    level = (bits.cpu() * (255 / BITS)).round().clamp(0, 255)
    level = functional.interpolate(level, size, mode="bilinear")[0, 0]
    colors: NDArray[np.uint8] = _colors()[level.round().to(torch.uint8).numpy()]
    return colors


@cache
def _colors() -> NDArray[np.uint8]:
    import matplotlib
    import numpy as np

    return np.asarray(matplotlib.colormaps[COLORS](np.arange(256), bytes=True)[:, :3], np.uint8)
