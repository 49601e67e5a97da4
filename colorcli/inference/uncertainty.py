"""Pipelines that show other plausible colorings of a picture, or how uncertain its colors are."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from colorcli.inference.pipeline import DerivedPipeline, Pipeline
from colorcli.media.pictures.files import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from colorcli.inference.output_checks import Planes

BITS = 8.0  # bits of entropy that get the brightest color: 256 equally likely colors


class SamplingPipeline(DerivedPipeline):
    """A pipeline that draws one of several plausible colorings.

    Args:
        pipeline: model and settings.
        seed: decides which coloring.
    """

    def __init__(self, pipeline: Pipeline, seed: int) -> None:
        super().__init__(pipeline, name=f"{pipeline.name} seed={seed}")
        self._seed = seed

    def _predict(self, lightness: Tensor, size: Sequence[int]) -> Planes:
        return self.model.sample_planes(lightness, seed=self._seed, **self.options)

    def identity(self) -> list[object]:
        return [*super().identity(), "seed", self._seed]


class EntropyPipeline(Pipeline):
    """A pipeline whose outputs show how uncertain a model is of its colors: dark for certain, bright for uncertain.

    Args:
        pipeline: model and settings.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(
            pipeline.model, options=pipeline.options, batch_size=pipeline.batch_size, name=f"{pipeline.name} entropy"
        )

    def _predict(self, lightness: Tensor, size: Sequence[int]) -> Planes:
        return self.model.explain_planes(lightness, **self.options)

    def identity(self) -> list[object]:
        return [*super().identity(), "entropy"]

    def join(self, frame: Frame, planes: Tensor) -> Frame:
        """Draw the entropy of a frame, (1, 1, h, w) in bits, at the frame's size."""
        return Frame(entropy_picture(planes, frame.pixels.shape[:2]), seconds=frame.seconds)


def entropy_picture(bits: Tensor, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw entropy on a fixed color scale, so that pictures and models can be compared.

    Args:
        bits: (1, 1, h, w).
        size: (H, W) of the picture.

    Returns:
        (H, W, 3) sRGB, from black for 0 bits to nearly white for `BITS` and more.
    """
    level = (bits.cpu() * (255 / BITS)).round().clamp(0, 255)
    level = functional.interpolate(level, size, mode="bilinear")[0, 0]
    colors: NDArray[np.uint8] = _colors()[level.round().to(torch.uint8).numpy()]
    return colors


@cache
def _colors() -> NDArray[np.uint8]:
    """The color map magma: perceptually uniform, from nearly black to nearly white."""
    import cv2
    import numpy as np

    bgr = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_MAGMA)
    return np.ascontiguousarray(bgr[:, 0, ::-1])
