"""The inference pipeline: frame -> small lightness -> network -> chroma -> joined with its lightness -> frame."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from colorcli.errors import UsageError
from colorcli.inference.join import join
from colorcli.inference.output_checks import CHROMA
from colorcli.inference.preprocess import in_strips, small_lightness
from colorcli.inference.taming import Taming, gray_share
from colorcli.media.pictures.files import Frame, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from colorcli.colorizer import OptionValue
    from colorcli.inference.device import Device
    from colorcli.inference.model import Model
    from colorcli.inference.output_checks import Planes
    from colorcli.inference.stopwatch import Stopwatch

Notes: TypeAlias = "Mapping[str, str | float]"

_BATCH = {"cpu": 1, "cuda": 16}
_BATCH_IN_BF16 = 4  # on a CPU by torch: faster than one by one, and equal to the bit with the networks that come along
_BATCH_ELSEWHERE = 4
BATCH_PIXELS = 10_000_000
"""Pixels of pictures that wait for others to share their batch: small ones do, large ones do not."""
_LEFT_GRAY = 0.5  # share of a picture from which it is worth a note


class Pipeline:
    """A model with its settings: strength, options, batch size.

    Args:
        model: model, with its weights, on its device.
        strength: factor for the chroma, 0..1.
        taming: reduces chroma in shadows and splashes; None to leave it as it is.
        options: options of the colorizer, by name.
        batch_size: pictures per batch; None for a size that suits the device.
        name: name for tables and pages; the model's name if empty.
        stopwatch: times the stages, for `colorcli bench`.

    Raises:
        UsageError: the strength is out of bounds, an option does not exist, or its value is out of bounds.
    """

    def __init__(
        self,
        model: Model,
        *,
        strength: float = 1.0,
        taming: Taming | None = None,
        options: Mapping[str, OptionValue] | None = None,
        batch_size: int | None = None,
        name: str = "",
        stopwatch: Stopwatch | None = None,
    ) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must be between 0 and 1, got {strength:g}.")
        self.model = model
        self.name = name or model.name
        self.strength = strength
        self.taming = taming or Taming()
        self.options = model.options(options or {})
        self.batch_size = batch_size or _batch_size(model.device)
        self._stopwatch = stopwatch

    def timed(self, stage: str) -> AbstractContextManager[None]:
        """Time a stage of the work if there is a stopwatch."""
        return self._stopwatch.stage(stage) if self._stopwatch else nullcontext()

    @property
    def provenance(self) -> Provenance:
        """What outputs record about their origin; `settings` is a digest of everything that affects the colors."""
        digest = hashlib.sha256(json.dumps(self.identity()).encode()).hexdigest()[:16]
        return Provenance(self.model.colorizer.name, self.model.tag, _version(), digest)

    def identity(self) -> list[object]:
        """List everything that affects the colors."""
        return [
            self.model.origin,
            self.model.fingerprint,
            self.model.size,
            self.strength,
            sorted(self.options.items()),
            *([astuple(self.taming)] if self.taming != Taming() else []),
        ]

    def colorize(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Colorize a stream of frames of any sizes, in order, with one batch at a time in memory.

        Raises:
            PluginError: the colorizer returned something other than finite chroma.
            DeviceError: the device ran out of memory.
        """
        size = self.batch_size if self.model.size else 1  # pictures at their own sizes cannot share a batch
        stream = iter(frames)
        while batch := self._next(stream, size):
            for frame, chroma in zip(batch, self.chroma(batch), strict=True):
                yield self.join(frame, chroma)

    def _next(self, frames: Iterator[Frame], size: int) -> list[Frame]:
        batch: list[Frame] = []
        with self.timed("decode"):
            for frame in itertools.islice(frames, size):
                batch.append(frame)
                if sum(math.prod(each.pixels.shape[:2]) for each in batch) > BATCH_PIXELS:
                    break
        return batch

    def chroma(self, batch: Sequence[Frame]) -> Iterator[Tensor]:
        """Predict the chroma of a batch of frames: (1, 2, h, w) ab for each, at the network's size or the frame's."""
        return (values for values, _ in self.predict(batch))

    def predict(self, batch: Sequence[Frame]) -> Iterator[tuple[Tensor, Notes]]:
        """Predict the planes of a batch of frames, (1, C, h, w) for each, with the colorizer's notes about it."""
        if self.model.size:
            lightness = torch.cat([self.lightness(frame) for frame in batch])
            planes = self.predict_lightness(lightness)
            yield from zip(torch.split(planes.values, 1), self._notes(planes, lightness), strict=True)
            return
        for frame in batch:
            lightness = self.lightness(frame)
            planes = self.predict_lightness(lightness)
            yield planes.values, self._notes(planes, lightness)[0]

    def _notes(self, planes: Planes, lightness: Tensor) -> Sequence[Notes]:
        """Verify planes, and add to the colorizer's notes if much of a picture stayed gray."""
        with self.timed("network"):
            if planes.values.shape[1] != CHROMA or self.strength == 0:
                planes.verify()
                return planes.notes
            shares = planes.verify(gray_share(planes.values / self.strength, lightness))
        return [
            {**note, "left gray": f"{share:.0%} of the picture"} if share >= _LEFT_GRAY else note
            for note, share in zip(planes.notes, shares, strict=True)
        ]

    def lightness(self, frame: Frame) -> Tensor:
        """Compute the network's input for a frame: (1, 1, s, s) L* at the network's size, or (1, 1, h, w)."""
        side = self.model.size
        size = (side, side) if side else self._own_size(*frame.pixels.shape[:2])
        device = self.model.device.device
        with self.timed("preprocess"):
            uploads = self.model.uploads
            return in_strips(
                lambda where, strip: small_lightness(uploads.of(frame.pixels, where), size, where, strip),
                device,
                uploads,
            ).to(device)

    def _own_size(self, height: int, width: int) -> tuple[int, int]:
        """Limit the size of a picture to the longest side that a network without a size can process."""
        longest = self.model.colorizer.longest_side
        if longest is None or max(height, width) <= longest:
            return height, width
        scale = longest / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def predict_lightness(self, lightness: Tensor) -> Planes:
        """Predict chroma for lightness, tamed, times the strength.

        Args:
            lightness: (B, 1, s, s) L* in 0..100 at the network's size; for a network without a size (B, 1, H, W),
                padded here to sides that the network can process.

        Returns:
            ab (B, 2, h, w), of the size of `lightness` for a network without a size; and the notes. On a GPU, they may
            still be computed: `Planes.verify` waits.
        """
        with self.timed("network"):
            size = lightness.shape[-2:]
            planes = self._predict(lightness, size) if self.model.size else self._predict_padded(lightness)
            values = planes.values if self.taming == Taming() else self.taming(planes.values, lightness)
            return replace(planes, values=values * self.strength)

    def _predict_padded(self, lightness: Tensor) -> Planes:
        full = lightness.shape[-2:]
        height, width = own = self._own_size(*full)
        if own != full:
            lightness = functional.interpolate(lightness, own, mode="bilinear", antialias=True)
        step = self.model.colorizer.multiple_of
        padded = functional.pad(lightness, (0, -width % step, 0, -height % step), mode="replicate")
        planes = self._predict(padded, (height, width))
        values = planes.values
        if values.shape[-2:] != padded.shape[-2:]:
            values = functional.interpolate(values, padded.shape[-2:], mode="bicubic")
        values = values[..., :height, :width]
        if own != full:
            values = functional.interpolate(values, full, mode="bicubic")
        return replace(planes, values=values)

    def _predict(self, lightness: Tensor, size: Sequence[int]) -> Planes:
        """Predict lightness (B, 1, h, w), of which all but `size`, its height and width, is padding."""
        return self.model.predict_planes(lightness, **self.options)

    def join(self, frame: Frame, planes: Tensor) -> Frame:
        """Combine a frame's own lightness with the chroma that was predicted for it."""
        with self.timed("join"):
            uploads = self.model.uploads
            pixels = in_strips(
                lambda where, strip: join(uploads.of(frame.pixels, where), planes.to(where), strip),
                planes.device,
                uploads,
            )
            uploads.drop(frame.pixels)
        return replace(frame, pixels=pixels)


class DerivedPipeline(Pipeline):
    """A pipeline with the model and the settings of another, for those that change what it predicts.

    Args:
        pipeline: model and settings.
        name: name for tables and pages; the other pipeline's name if empty.
    """

    def __init__(self, pipeline: Pipeline, name: str = "") -> None:
        super().__init__(
            pipeline.model,
            strength=pipeline.strength,
            taming=pipeline.taming,
            options=pipeline.options,
            batch_size=pipeline.batch_size,
            name=name or pipeline.name,
        )


def _batch_size(device: Device) -> int:
    """Return how many pictures are a batch of a suitable size for a device."""
    if device.device.type == "cpu" and device.dtype == torch.bfloat16 and device.engine == "torch":
        return _BATCH_IN_BF16
    return _BATCH.get(device.device.type, _BATCH_ELSEWHERE)


@cache
def _version() -> str:
    return version("colorcli")  # reads and parses a file
