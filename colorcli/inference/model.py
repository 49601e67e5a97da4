"""Models: colorizers with their weights loaded, on a device, in a precision. The Python API starts here."""

from __future__ import annotations

import logging
import threading
from collections import deque
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import torch
from torch import Tensor, nn

from colorcli.colorizer import Prediction
from colorcli.errors import DeviceError, UsageError, did_you_mean
from colorcli.inference.device import Device, choose
from colorcli.inference.output_checks import CHROMA, ENTROPY, RGB, Planes, checked_colors, checked_planes
from colorcli.inference.placement import place
from colorcli.inference.tracing import TracingNeeded, call_networks
from colorcli.inference.transfer import Uploads, is_out_of_memory
from colorcli.isolation import origin
from colorcli.isolation.guard import failure, guard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from colorcli.colorizer import Colorizer, OptionValue
    from colorcli.hints.hint import Hint
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.pictures.files import Frame

    Picture = TypeVar("Picture", Image.Image, NDArray[np.generic])

_log = logging.getLogger("colorcli")


class Model:
    """A colorizer with its weights. Made by `colorcli.load`; safe to use from several threads.

    Attributes:
        colorizer: the plugin's object.
        tag: tag of the weights, or the name of their file; empty for a colorizer without weights.
        fingerprint: changes whenever the weights change.
        size: side of the square that the network works at, in pixels; None for the picture's own size.
        note: a line for the user if better weights were not available, else empty.
        uploads: frames on the device.
        engine_note: a line about why this engine was chosen, if it was measured.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        network: nn.Module,
        device: Device,
        *,
        tag: str,
        fingerprint: str,
        size: int | None,
        defaults: Mapping[str, OptionValue] | None = None,
        note: str = "",
    ) -> None:
        self.colorizer = colorizer
        self.tag = tag
        self.fingerprint = fingerprint
        self.size = size
        self.note = note
        self._defaults = defaults or {}
        self._step = None if size else colorizer.multiple_of
        self.uploads = Uploads(device.device)
        self.engine_note = ""
        self._moving = threading.Lock()
        self._place = device, place(network, device, self._step)

    def __repr__(self) -> str:
        size = f"{self.size}x{self.size}" if self.size else "any size"
        return f"<Model {self.name}, {size}, on {self.device}>"

    @property
    def name(self) -> str:
        """The full name, such as `zhang.starter`."""
        return f"{self.colorizer.name}.{self.tag}" if self.tag else self.colorizer.name

    @cached_property
    def origin(self) -> str:
        """A digest of the colorizer's name, distribution, version and source: changes whenever the plugin does."""
        return origin.digest(self.colorizer)

    @property
    def device(self) -> Device:
        """Device, precision and engine; the CPU once the device has run out of memory."""
        return self._place[0]

    def options(self, given: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        """Check option values and add the defaults of the weights.

        Raises:
            UsageError: an option does not exist, or a value is out of bounds.
        """
        known = {option.name: option for option in self.colorizer.options}
        for name in given:
            if name not in known:
                raise UsageError(f"{self.colorizer.name} has no option {name!r}.", did_you_mean(name, known))
        values = {name: option.default for name, option in known.items()} | {**self._defaults} | {**given}
        return {name: option.check(values[name]) for name, option in known.items()}

    def read_options(self, pairs: Sequence[str]) -> dict[str, OptionValue]:
        """Parse option values written as `name=value`, check them and add the defaults.

        Raises:
            UsageError: a text is not `name=value`, an option does not exist, or a value is out of bounds.
        """
        known = {option.name: option for option in self.colorizer.options}
        values: dict[str, OptionValue] = {}
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if not equals:
                defaults = self.options({})
                options = [f"{o.name} ({o.describe()}, default {defaults[o.name]})" for o in known.values()]
                available = f"Options of {self.name}: {', '.join(options) or 'none'}."
                raise UsageError(f"-p must be followed by NAME=VALUE, got {pair!r}.", available)
            values[name] = known[name].parse(value) if name in known else value
        return self.options(values)

    def predict(self, lightness: Tensor, **options: OptionValue) -> Tensor:
        """Predict chroma without resizing anything.

        If the device runs out of memory, the batch is halved, then the CPU takes over; a warning is logged.

        Args:
            lightness: (B, 1, H, W), L* in 0..100, at the network's size, on any device.
            **options: options of the colorizer, such as `temperature`.

        Returns:
            (B, 2, h, w) float32 ab, on the model's device.

        Raises:
            UsageError: an option does not exist, or a value is out of bounds.
            PluginError: the colorizer returned something other than finite chroma.
            DeviceError: the CPU ran out of memory, too.
        """
        return self.predict_with_notes(lightness, **options).ab

    def predict_with_notes(self, lightness: Tensor, **options: OptionValue) -> Prediction:
        """Predict chroma as `predict` does, with the colorizer's notes about each picture."""
        planes = self.predict_planes(lightness, **options)
        planes.verify()
        return Prediction(planes.values, planes.notes)

    def predict_planes(self, lightness: Tensor, **options: OptionValue) -> Planes:
        """Predict chroma as `predict` does, as the planes that a `Pipeline` works with, which it verifies."""
        return self._planes("predict", (lightness,), options, CHROMA)

    def predict_with_hints(self, lightness: Tensor, hints: Tensor, **options: OptionValue) -> Planes:
        """Predict chroma as `predict_planes` does, with a network that takes hints.

        Args:
            lightness: as for `predict`.
            hints: (B, 3, H, W), as `Colorizer.predict_with_hints` is given them.
            **options: as for `predict`.

        Raises:
            UsageError: the colorizer takes no hints; or as for `predict`.
        """
        return self._planes("predict_with_hints", (lightness, hints), options, CHROMA)

    def sample(self, lightness: Tensor, *, seed: int, **options: OptionValue) -> Tensor:
        """Draw one of several plausible colorings.

        Args:
            lightness: (B, 1, H, W), L* in 0..100, at the network's size, on any device.
            seed: decides which one.
            **options: options of the colorizer.

        Returns:
            (B, 2, h, w) float32 ab, on the model's device.

        Raises:
            UsageError: the colorizer predicts a single coloring; or as for `predict`.
        """
        planes = self.sample_planes(lightness, seed=seed, **options)
        planes.verify()
        return planes.values

    def sample_planes(self, lightness: Tensor, *, seed: int, **options: OptionValue) -> Planes:
        """Draw a coloring as `sample` does, as the planes that a `Pipeline` works with."""
        return self._planes("sample", (lightness,), options, CHROMA, seed=seed)

    def explain(self, lightness: Tensor, **options: OptionValue) -> Tensor:
        """Measure how uncertain the colorizer is of its colors.

        Args:
            lightness: (B, 1, H, W), L* in 0..100, at the network's size, on any device.
            **options: options of the colorizer.

        Returns:
            (B, 1, h, w) float32 entropy in bits, 0 or more, on the model's device.

        Raises:
            UsageError: the colorizer does not predict a distribution; or as for `predict`.
        """
        planes = self.explain_planes(lightness, **options)
        planes.verify()
        return planes.values

    def explain_planes(self, lightness: Tensor, **options: OptionValue) -> Planes:
        """Measure entropy as `explain` does, as the planes that a `Pipeline` works with."""
        return self._planes("explain", (lightness,), options, ENTROPY)

    def paint_planes(self, lightness: Tensor, **options: OptionValue) -> Planes:
        """Let a colorizer paint whole pictures, as the planes that a `Pipeline` works with: R'G'B' in 0..1.

        Raises:
            UsageError: the colorizer predicts chroma alone; or as for `predict`.
        """
        return self._planes("paint", (lightness,), options, RGB)

    def likely_colors(self, lightness: Tensor, place: tuple[float, float], **options: OptionValue) -> Tensor:
        """List the colors that a place may have.

        Args:
            lightness: (1, 1, H, W), L* in 0..100, at the network's size, on any device.
            place: x and y in the picture, 0..1 from the left and from the top.
            **options: options of the colorizer.

        Returns:
            (n, 3) float32 on the CPU: a and b of each color, and its probability, the most likely first.

        Raises:
            UsageError: the colorizer does not predict a distribution, or an option is wrong.
            PluginError: the colorizer returned something else.
        """
        device, network = self._place
        with torch.inference_mode():
            arguments = {"place": place, **self.options(options)}
            returned = self._returned("likely_colors", device, network, [lightness.float()], arguments)
        return checked_colors(self.name, returned)

    def _planes(
        self, method: str, inputs: Sequence[Tensor], options: Mapping[str, OptionValue], channels: int, **more: int
    ) -> Planes:
        checked = {**self.options(options), **more}
        with torch.inference_mode():
            return self._with_memory(method, [each.float() for each in inputs], checked, channels)

    def _with_memory(
        self, method: str, inputs: Sequence[Tensor], options: Mapping[str, OptionValue], channels: int
    ) -> Planes:
        """Call a method of the colorizer where there is enough memory for it."""
        device, network = place = self._place
        try:
            return self._call(method, device, network, inputs, options, channels)
        except (RuntimeError, MemoryError) as error:
            with self._moving:
                moved = self._place is not place  # moved by another thread while this one was using it
            if not moved and not is_out_of_memory(error):
                raise failure(self.colorizer, method, error) from error
        if moved:
            return self._with_memory(method, inputs, options, channels)
        if device.device.type == "cuda":
            torch.cuda.empty_cache()
        if len(inputs[0]) > 1:
            half = len(inputs[0]) // 2
            _log.warning("%s ran out of memory. Continuing with batches of %d.", device.device, half)
            halves = zip(*(torch.split(each, half) for each in inputs), strict=True)
            parts = [self._with_memory(method, part, options, channels) for part in halves]
            for part in parts:
                part.verify()
            values = torch.cat([part.values.to(self.device.device) for part in parts])
            return Planes(values, [note for part in parts for note in part.notes])
        self._move_to_cpu(device)
        return self._with_memory(method, inputs, options, channels)

    def _call(
        self,
        method: str,
        device: Device,
        network: nn.Module,
        inputs: Sequence[Tensor],
        options: Mapping[str, OptionValue],
        channels: int,
    ) -> Planes:
        inputs = [each.to(device.device).contiguous(memory_format=torch.channels_last) for each in inputs]
        returned = self._returned(method, device, network, inputs, options)
        return checked_planes(self.name, returned, inputs[0], channels)

    def _returned(
        self, method: str, device: Device, network: nn.Module, inputs: Sequence[Tensor], arguments: Mapping[str, Any]
    ) -> object:
        """Call a method of the colorizer in the model's precision."""
        reduced = device.dtype != torch.float32

        def call() -> object:
            with (
                guard(self.colorizer, method, passing=_is_no_fault),
                torch.autocast(device.device.type, device.dtype if reduced else None, enabled=reduced),
            ):
                moved = (each.to(device.device) for each in inputs)
                return getattr(self.colorizer, method)(network, *moved, **arguments)

        return call_networks(call)

    def _move_to_cpu(self, device: Device) -> None:
        """Leave a device that has no memory even for one picture, unless another thread has done so already."""
        with self._moving:
            if self.device is not device:
                return
            if device.device.type == "cpu":
                raise DeviceError(
                    f"Not enough memory for {self.name} to process even one picture.",
                    "Close other programs, or use a smaller model.",
                )
            _log.warning("%s has too little memory for one picture. Continuing on the CPU.", device.device)
            cpu = choose("cpu", "fp32" if device.dtype == torch.float32 else "auto")
            self._place = cpu, place(self._place[1], cpu, self._step)
            self.uploads.device = cpu.device

    @overload  # an array is an iterable, too: the first that fits counts
    def colorize(  # type: ignore[overload-overlap]
        self, image: Picture, *, strength: float = 1.0, hints: Sequence[Hint] = (), **options: OptionValue
    ) -> Picture: ...
    @overload
    def colorize(
        self, image: Iterable[Picture], *, strength: float = 1.0, hints: Sequence[Hint] = (), **options: OptionValue
    ) -> Iterator[Picture]: ...
    def colorize(
        self, image: Any, *, strength: float = 1.0, hints: Sequence[Hint] = (), **options: OptionValue
    ) -> Any:
        """Colorize a picture, or a stream of pictures.

        Args:
            image: a PIL image, an array (H, W), (H, W, 3) or (H, W, 4) of uint8 or uint16, or an iterable of these.
            strength: factor for the predicted chroma, 0..1.
            hints: colors of places, which spread over the picture; of a stream, over each picture.
            **options: options of the colorizer, such as `temperature`.

        Returns:
            The same kind, in color, of the same size and lightness; for an iterable an iterator, in order.

        Raises:
            UsageError: an option does not exist, a value is out of bounds, or the image is of another type.
        """
        from colorcli.inference.pipeline import Pipeline

        pipeline = Pipeline(self, strength=strength, options=options)
        if hints:
            from colorcli.inference.hinted import HintedPipeline

            pipeline = HintedPipeline(pipeline, hints)
        if _is_picture(image):
            return next(_colorized(pipeline, [image]))
        if isinstance(image, (str, bytes, Path)):
            raise UsageError(
                f"image must be a PIL image or an array, got {image!r}.",
                "Open it first: colorize(PIL.Image.open(path)).",
            )
        return _colorized(pipeline, image)


def _is_no_fault(error: BaseException) -> bool:
    """Whether an exception is not the plugin's fault: the device is full or was left, or the call must be repeated."""
    return isinstance(error, (RuntimeError, MemoryError, TracingNeeded))


def _is_picture(image: object) -> bool:
    return hasattr(image, "__array_interface__")  # arrays and PIL images have it


def _colorized(pipeline: Pipeline, images: Iterable[Any]) -> Iterator[Any]:
    from PIL import Image

    from colorcli.media.pictures.images import from_image, to_image

    pillow: deque[bool] = deque()  # whether each picture in the pipeline is a PIL image

    def frames() -> Iterator[Frame]:
        for image in images:
            if not _is_picture(image):
                raise UsageError(f"Each image must be a PIL image or an array, got {image!r}.")
            pillow.append(isinstance(image, Image.Image))
            yield from_image(image)

    for frame in pipeline.colorize(frames()):
        yield to_image(frame) if pillow.popleft() else _as_array(frame)


def _as_array(frame: Frame) -> NDArray[np.generic]:
    import numpy as np

    return frame.pixels if frame.alpha is None else np.dstack((frame.pixels, frame.alpha))
