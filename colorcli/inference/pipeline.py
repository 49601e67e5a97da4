"""The straight line from frame to frame.

frame -> small lightness -> network -> chroma -> joined with the frame's own lightness -> frame
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from colorcli.errors import UsageError
from colorcli.inference.join import join
from colorcli.inference.model import is_out_of_memory
from colorcli.inference.preprocess import small_lightness
from colorcli.media.pictures.files import (
    Frame,
    Provenance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from colorcli.colorizer import OptionValue, Prediction
    from colorcli.inference.model import Model
    from colorcli.inference.stopwatch import Stopwatch

_Result = TypeVar("_Result")
Notes: TypeAlias = "Mapping[str, str | float]"

_log = logging.getLogger("colorcli")
_BATCH = {"cpu": 1, "cuda": 16}  # more gains nothing on a CPU
_BATCH_ELSEWHERE = 4


class Pipeline:
    """The line with its settings: one model, one strength, one set of options.

    Args:
        model: with its weights, on its device.
        strength: how much color, 0 to 1.
        options: of the colorizer, by name.
        batch_size: pictures that share a pass through the network; None = what suits the device.
        name: what tables and pages call it; the model's name unless given.
        stopwatch: times the stages, for `colorcli bench`.

    Raises:
        UsageError: the strength is not in 0..1, or an option is unknown or out of bounds.
    """

    def __init__(
        self,
        model: Model,
        *,
        strength: float = 1.0,
        options: Mapping[str, OptionValue] | None = None,
        batch_size: int | None = None,
        name: str = "",
        stopwatch: Stopwatch | None = None,
    ) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"The strength is {strength}, where 0 to 1 was expected.")
        self.model = model
        self.name = name or model.name
        self.strength = strength
        self.options = model.options(options or {})
        self.batch_size = batch_size or _BATCH.get(model.device.device.type, _BATCH_ELSEWHERE)
        self._stopwatch = stopwatch

    def timed(self, stage: str) -> AbstractContextManager[None]:
        """Time a piece of work as a stage, if there is a stopwatch."""
        return self._stopwatch.stage(stage) if self._stopwatch else nullcontext()

    @property
    def provenance(self) -> Provenance:
        """What the outputs say of their making; `settings` digests all that decides the colors."""
        digest = hashlib.sha256(json.dumps(self._deciding()).encode()).hexdigest()[:16]
        return Provenance(self.model.colorizer.name, self.model.tag, version("colorcli"), digest)

    def _deciding(self) -> list[object]:
        return [self.model.fingerprint, self.model.size, self.strength, sorted(self.options.items())]

    def colorize(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Colorize a stream of frames of any sizes, in order, holding one batch at a time.

        Raises:
            PluginError: the colorizer gave something else than finite chroma.
            DeviceError: the memory ran out.
        """
        size = self.batch_size if self.model.size else 1  # pictures at their own sizes share no batch
        stream = iter(frames)
        while batch := self._next(stream, size):
            for frame, chroma in zip(batch, self.chroma(batch), strict=True):
                yield self.join(frame, chroma)

    def _next(self, frames: Iterator[Frame], size: int) -> list[Frame]:
        with self.timed("decode"):
            return list(itertools.islice(frames, size))

    def chroma(self, batch: Sequence[Frame]) -> Iterator[Tensor]:
        """Predict the chroma of a batch of frames: (1, 2, h, w) ab for each, at the network's size or its own."""
        return (ab for ab, _ in self.predict(batch))

    def predict(self, batch: Sequence[Frame]) -> Iterator[tuple[Tensor, Notes]]:
        """Predict chroma as `chroma` does, and hand on what the colorizer has to tell about each frame."""
        if side := self.model.size:
            small = torch.cat([self._lightness(frame, (side, side)) for frame in batch])
            predicted = self.predict_lightness(small)
            yield from zip(torch.split(predicted.ab, 1), predicted.notes, strict=True)
            return
        for frame in batch:
            height, width = frame.pixels.shape[:2]
            predicted = self.predict_lightness(self._lightness(frame, self._own_size(height, width)))
            yield predicted.ab, predicted.notes[0]

    def _own_size(self, height: int, width: int) -> tuple[int, int]:
        """Shrink a picture to what a network that takes pictures at their own size is made for."""
        longest = self.model.colorizer.longest_side
        if longest is None or max(height, width) <= longest:
            return height, width
        scale = longest / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def predict_lightness(self, lightness: Tensor) -> Prediction:
        """Predict chroma for lightness, times the strength.

        Args:
            lightness: (B, 1, s, s) L* in 0..100 at the network's size; where that is the picture's own (B, 1, H, W),
                whose sides are padded to what the network can divide.

        Returns:
            ab (B, 2, h, w), of the size of `lightness` where the network has none of its own; and the notes.
        """
        with self.timed("network"):
            return self._predict(lightness)

    def _predict(self, lightness: Tensor) -> Prediction:
        if self.model.size:
            predicted = self._ask(lightness)
            return replace(predicted, ab=predicted.ab * self.strength)
        height, width = own = self._own_size(*lightness.shape[-2:])
        seen = lightness
        if own != lightness.shape[-2:]:
            seen = functional.interpolate(lightness, own, mode="bilinear", antialias=True)
        step = self.model.colorizer.multiple_of
        padded = functional.pad(seen, (0, -width % step, 0, -height % step), mode="replicate")
        predicted = self._ask(padded)
        ab = predicted.ab
        if ab.shape[-2:] != padded.shape[-2:]:
            ab = functional.interpolate(ab, padded.shape[-2:], mode="bicubic")
        ab = ab[..., :height, :width]
        if own != lightness.shape[-2:]:
            ab = functional.interpolate(ab, lightness.shape[-2:], mode="bicubic")
        return replace(predicted, ab=ab * self.strength)

    def _ask(self, lightness: Tensor) -> Prediction:
        return self.model.predict_with_notes(lightness, **self.options)

    def _lightness(self, frame: Frame, size: tuple[int, int]) -> Tensor:
        device = self.model.device.device
        with self.timed("preprocess"):
            return _with_room(lambda where: small_lightness(frame.pixels, size, where), device).to(device)

    def join(self, frame: Frame, chroma: Tensor) -> Frame:
        """Give a frame the chroma that was predicted for it."""
        with self.timed("join"):
            pixels = _with_room(lambda where: join(frame.pixels, chroma.to(where)), chroma.device)
        return replace(frame, pixels=pixels)


def _with_room(work: Callable[[torch.device], _Result], device: torch.device) -> _Result:
    """Do full-size work on a device, or on the CPU where the device has no memory for it."""
    try:
        return work(device)
    except RuntimeError as error:
        if device.type == "cpu" or not is_out_of_memory(error):
            raise
    _log.warning("%s has no memory for a picture of this size: working on the CPU.", device)
    return work(torch.device("cpu"))
