"""A pipeline for studies of gray and color: other ways of making gray, and the picture as a network painted it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.inference.pipeline import DerivedPipeline, Notes, Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from colorcli.gray import Gray
    from colorcli.inference.output_checks import Planes
    from colorcli.media.pictures.files import Frame


class StudyPipeline(DerivedPipeline):
    """A pipeline that makes pictures gray in another way, or shows the picture that a network painted.

    Args:
        pipeline: model and settings.
        gray: how pictures become gray before they are colorized; None for their own lightness.
        paints: show the network's own picture, instead of its chroma with the lightness of the gray picture.
    """

    def __init__(self, pipeline: Pipeline, *, gray: Gray | None = None, paints: bool = False) -> None:
        super().__init__(pipeline)
        self._gray = gray
        self._paints = paints

    def identity(self) -> list[object]:
        return [*super().identity(), "study", self._gray.name if self._gray else "", self._paints]

    def _predict(self, lightness: Tensor, size: Sequence[int]) -> Planes:
        if self._paints:
            return self.model.paint_planes(lightness, **self.options)
        return super()._predict(lightness, size)

    def colorize(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        return super().colorize(map(self._grayed, frames))

    def predict(self, batch: Sequence[Frame]) -> Iterator[tuple[Tensor, Notes]]:
        return super().predict([self._grayed(frame) for frame in batch])

    def join(self, frame: Frame, planes: Tensor) -> Frame:
        """Combine the lightness of the gray picture with chroma (1, 2, h, w), or scale a painted one (1, 3, h, w)."""
        if not self._paints:
            return super().join(self._grayed(frame), planes)
        size = frame.pixels.shape[:2]
        rgb = planes.cpu()
        if rgb.shape[-2:] != size:
            rgb = functional.interpolate(rgb, size, mode="bicubic")
        return replace(frame, pixels=_pixels(rgb[0], frame.pixels.dtype))

    def _grayed(self, frame: Frame) -> Frame:
        """Make a color frame gray; a gray one stays as it is."""
        if self._gray is None or frame.pixels.ndim == 2:
            return frame
        top = np.iinfo(frame.pixels.dtype).max
        rgb = torch.from_numpy(frame.pixels.astype(np.float32) / top).permute(2, 0, 1)[None]
        return replace(frame, pixels=_pixels(self._gray.convert(rgb)[0], frame.pixels.dtype)[..., 0])


def _pixels(values: Tensor, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert (C, H, W) in 0..1 to pixels (H, W, C) of an integer type."""
    top = np.iinfo(dtype).max
    return (values.clamp(0, 1) * top).round().permute(1, 2, 0).numpy().astype(dtype)
