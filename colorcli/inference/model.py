"""A colorizer ready to work: its network, loaded, on a device, in a precision. The Python API begins here."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import torch
from torch import Tensor, nn

from colorcli.colorizer import Prediction
from colorcli.errors import DeviceError, PluginError, UsageError, did_you_mean
from colorcli.inference.device import Device, choose
from colorcli.inference.placement import place
from colorcli.plugin.registry import Registry
from colorcli.weights import describe, fetch, is_on_the_hub, locate, open_file, read_state
from colorcli.weights.fitting import fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from colorcli.colorizer import Colorizer, OptionValue
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.pictures.files import Frame

    Picture = TypeVar("Picture", Image.Image, NDArray[np.generic])
    _Question = Callable[..., Tensor | Prediction]  # network, lightness, **options

_log = logging.getLogger("colorcli")
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "ALLOC_FAILED")


class Model:
    """A colorizer with its weights. Made by `colorcli.load`; safe to use from several threads.

    Attributes:
        colorizer: the plugin's object.
        tag: of the weights, or the name of the file they are from; empty where there are none.
        fingerprint: changes whenever the weights do.
        size: the square that the network works at; None = the picture's own size.
        note: a line for the user where the weights are not the best there are.
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
        self._moving = threading.Lock()
        self._place = device, place(network, device, self._step)

    @property
    def name(self) -> str:
        """The full name, such as `zhang.starter`."""
        return f"{self.colorizer.name}.{self.tag}" if self.tag else self.colorizer.name

    @property
    def device(self) -> Device:
        """Where the network is and in which precision it computes; the CPU once the device's memory ran out."""
        return self._place[0]

    def options(self, given: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        """Complete and check option values.

        Raises:
            UsageError: there is no such option, or a value is out of bounds.
        """
        known = {option.name: option for option in self.colorizer.options}
        for name in given:
            if name not in known:
                raise UsageError(f"{self.colorizer.name} has no option {name!r}.", did_you_mean(name, known))
        values = {name: option.default for name, option in known.items()} | {**self._defaults} | {**given}
        return {name: option.check(values[name]) for name, option in known.items()}

    def read_options(self, pairs: Sequence[str]) -> dict[str, OptionValue]:
        """Complete and check option values that are written `name=value`.

        Raises:
            UsageError: a text is no pair, there is no such option, or a value is out of bounds.
        """
        known = {option.name: option for option in self.colorizer.options}
        values: dict[str, OptionValue] = {}
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if not equals:
                options = [f"{o.name} ({o.describe()}; {o.default} unless given)" for o in known.values()]
                has = f"{self.colorizer.name} has {', '.join(options) or 'no options'}."
                raise UsageError(f"-p {pair}: NAME=VALUE was expected.", has)
            values[name] = known[name].parse(value) if name in known else value
        return self.options(values)

    def predict(self, lightness: Tensor, **options: OptionValue) -> Tensor:
        """Predict chroma; nothing is resized.

        Where the device's memory runs out the batch is halved, then the CPU takes over, and the log says so.

        Args:
            lightness: (B, 1, H, W), L* in 0..100, at the network's size, on any device.
            **options: of the colorizer, such as `temperature`.

        Returns:
            (B, 2, h, w) float32 ab, on the model's device.

        Raises:
            UsageError: an option is unknown or out of bounds.
            PluginError: the colorizer gave something else than finite chroma.
            DeviceError: the memory of the CPU ran out, too.
        """
        return self.predict_with_notes(lightness, **options).ab

    def predict_with_notes(self, lightness: Tensor, **options: OptionValue) -> Prediction:
        """Predict chroma as `predict` does, with what the colorizer has to tell about each picture."""
        checked = self.options(options)
        with torch.inference_mode():
            return self._predict(self.colorizer.predict, lightness.float(), checked)

    def sample(self, lightness: Tensor, *, seed: int, **options: OptionValue) -> Tensor:
        """Draw one of the colorings that the colorizer holds for possible, as `predict` does the one to show.

        Args:
            lightness: (B, 1, H, W), L* in 0..100, at the network's size, on any device.
            seed: decides which.
            **options: of the colorizer.

        Returns:
            (B, 2, h, w) float32 ab, on the model's device.

        Raises:
            UsageError: the colorizer knows one coloring only; or as for `predict`.
        """
        checked = self.options(options)
        with torch.inference_mode():
            return self._predict(partial(self.colorizer.sample, seed=seed), lightness.float(), checked).ab

    def explain(self, lightness: Tensor, **options: OptionValue) -> Tensor:
        """Say how unsure of its colors the colorizer is.

        Args:
            lightness: (B, 1, H, W), L* in 0..100, at the network's size, on any device.
            **options: of the colorizer.

        Returns:
            (B, 1, h, w) float32 entropy in bits, 0 or more, on the model's device.

        Raises:
            UsageError: the colorizer cannot tell; or as for `predict`.
        """
        checked = self.options(options)
        with torch.inference_mode():
            return self._predict(self.colorizer.explain, lightness.float(), checked, channels=1).ab

    def _predict(
        self, ask: _Question, lightness: Tensor, options: Mapping[str, OptionValue], channels: int = 2
    ) -> Prediction:
        """Ask the colorizer for chroma, or whatever has so many channels, wherever there is memory for it."""
        device, network = place = self._place
        try:
            return self._ask(ask, device, network, lightness, options, channels)
        except (RuntimeError, MemoryError) as error:
            with self._moving:
                moved = self._place is not place  # by another thread, while this one was using it
            if not moved and not is_out_of_memory(error):
                raise
        if moved:
            return self._predict(ask, lightness, options, channels)
        if device.device.type == "cuda":
            torch.cuda.empty_cache()
        if len(lightness) > 1:
            half = len(lightness) // 2
            _log.warning("%s ran out of memory: going on with batches of %d.", device.device, half)
            parts = [self._predict(ask, part, options, channels) for part in torch.split(lightness, half)]
            ab = torch.cat([part.ab.to(self.device.device) for part in parts])
            return Prediction(ab, [note for part in parts for note in part.notes])
        self._move_to_cpu(device)
        return self._predict(ask, lightness, options, channels)

    def _ask(
        self,
        ask: _Question,
        device: Device,
        network: nn.Module,
        lightness: Tensor,
        options: Mapping[str, OptionValue],
        channels: int,
    ) -> Prediction:
        lightness = lightness.to(device.device).contiguous(memory_format=torch.channels_last)
        reduced = device.dtype != torch.float32
        with torch.autocast(device.device.type, device.dtype if reduced else None, enabled=reduced):
            predicted = ask(network, lightness, **options)
        ab, notes = (
            (predicted.ab, predicted.notes)
            if isinstance(predicted, Prediction)
            else (predicted, [{}] * len(lightness))
        )
        what = "chroma" if channels == 2 else "an entropy"
        expected = f"({len(lightness)}, {channels}, h, w)"
        if not isinstance(ab, Tensor):
            found = f"no tensor ({type(ab).__name__})"
            raise PluginError(f"{self.name} gave {what} that is {found}, where {expected} was expected.")
        if ab.ndim != 4 or ab.shape[:2] != (len(lightness), channels):
            raise PluginError(f"{self.name} gave {what} of shape {tuple(ab.shape)}, where {expected} was expected.")
        ab = ab.float()
        if not torch.isfinite(ab).all():
            raise PluginError(f"{self.name} gave {what} that is not finite.", "Try --precision fp32.")
        if len(notes) != len(lightness):
            raise PluginError(f"{self.name} gave {len(notes)} notes for {len(lightness)} pictures.")
        return Prediction(ab, notes)

    def _move_to_cpu(self, device: Device) -> None:
        """Leave a device that has no memory even for one picture; another thread may have done so already."""
        with self._moving:
            if self.device is not device:
                return
            if device.device.type == "cpu":
                raise DeviceError(
                    f"The memory does not hold even one picture for {self.name}.",
                    "Close other programs, or try a smaller one.",
                )
            _log.warning("%s has no memory for even one picture: going on on the CPU.", device.device)
            cpu = choose("cpu", "fp32" if device.dtype == torch.float32 else "auto")
            self._place = cpu, place(self._place[1], cpu, self._step)

    @overload  # an array is an iterable, too: the first that fits counts
    def colorize(  # type: ignore[overload-overlap]
        self, image: Picture, *, strength: float = 1.0, **options: OptionValue
    ) -> Picture: ...
    @overload
    def colorize(
        self, image: Iterable[Picture], *, strength: float = 1.0, **options: OptionValue
    ) -> Iterator[Picture]: ...
    def colorize(self, image: Any, *, strength: float = 1.0, **options: OptionValue) -> Any:
        """Colorize a picture, or a stream of them.

        Args:
            image: a PIL image, an array (H, W) or (H, W, 3) or (H, W, 4) of uint8 or uint16, or an iterable of such.
            strength: what the chroma is multiplied by, 0..1.
            **options: of the colorizer, such as `temperature`.

        Returns:
            The same kind, in color, of the same size and lightness; for an iterable an iterator, in order.

        Raises:
            UsageError: an option is unknown or out of bounds, or this is no picture.
        """
        from colorcli.inference.pipeline import Pipeline

        pipeline = Pipeline(self, strength=strength, options=options)
        if _is_picture(image):
            return next(_colorized(pipeline, [image]))
        if isinstance(image, (str, bytes, Path)):
            raise UsageError(f"{image!r} is no picture.", "Open it first: colorize(PIL.Image.open(path)).")
        return _colorized(pipeline, image)


def load(
    name: str,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "torch",
    offline: bool = False,
) -> Model:
    """Load a colorizer by name.

    Args:
        name: `zhang`, or with the tag of its weights `zhang.eccv16`.
        weights: a tag, a weights file of your own, or one on the Hub, `hf://owner/name/file@revision`; None = what
            the name says, or else the best that can be had.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        precision: `auto`, `fp32`, `bf16`, `fp16`.
        engine: `torch`, or `openvino` for CPUs.
        offline: never touch the network.

    Raises:
        ColorizerNotFound: no plugin provides it.
        WeightsError: the weights cannot be had or do not fit.
        DeviceError: there is no such device or engine.
    """
    colorizer, tag = Registry().resolve(name)
    if tag is not None and weights is not None and tag != weights:
        raise UsageError(f"{name} and the weights {weights} contradict each other.", "Give one of the two.")
    chosen = choose(device, precision, engine)
    if is_on_the_hub(weights):
        weights = fetch(str(weights), offline=offline)
    if weights is not None and weights not in colorizer.weights and _is_file(weights):
        return _load_file(colorizer, Path(weights), chosen)
    if tag is None and weights is None and not colorizer.weights:
        return _load_nothing(colorizer, chosen)
    located = locate(colorizer, tag or (None if weights is None else str(weights)), offline=offline)
    state = read_state(located.path, located.weights.format)
    network = fitted(colorizer, state, located.weights.network, located.path)
    return Model(
        colorizer,
        network,
        chosen,
        tag=located.tag,
        fingerprint=located.weights.sha256,
        size=located.weights.input_size or colorizer.size,
        defaults=located.weights.options,
        note=located.note,
    )


def _is_file(weights: str | Path) -> bool:
    """Tell a file from a misspelled tag: tags have neither dots nor slashes."""
    return isinstance(weights, Path) or any(mark in weights for mark in "./\\") or Path(weights).is_file()


def _load_nothing(colorizer: Colorizer, device: Device) -> Model:
    """Load a colorizer that needs no weights, such as a formula."""
    from safetensors.torch import save

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same picture gets the same colors in every run
        network = colorizer.build()
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    fingerprint = hashlib.sha256(save(state)).hexdigest()
    return Model(colorizer, network, device, tag="", fingerprint=fingerprint, size=colorizer.size)


def _load_file(colorizer: Colorizer, path: Path, device: Device) -> Model:
    state, _ = open_file(path)
    header = describe(path, state, colorizer)
    with path.open("rb") as file:
        fingerprint = hashlib.file_digest(file, "sha256").hexdigest()
    network = fitted(colorizer, state, header.network, path)
    return Model(
        colorizer,
        network,
        device,
        tag=path.stem,
        fingerprint=fingerprint,
        size=header.input_size or colorizer.size,
        defaults=header.options,
    )


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether a device, or the machine itself, had no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def _is_picture(image: object) -> bool:
    return hasattr(image, "__array_interface__")  # arrays and PIL images have it


def _colorized(pipeline: Pipeline, images: Iterable[Any]) -> Iterator[Any]:
    from PIL import Image

    from colorcli.media.pictures.files import from_image, to_image

    pillow: deque[bool] = deque()  # of the pictures that are on the line

    def frames() -> Iterator[Frame]:
        for image in images:
            if not _is_picture(image):
                raise UsageError(f"{image!r} is no picture.", "Give PIL images or arrays.")
            pillow.append(isinstance(image, Image.Image))
            yield from_image(image)

    for frame in pipeline.colorize(frames()):
        yield to_image(frame) if pillow.popleft() else _as_array(frame)


def _as_array(frame: Frame) -> NDArray[np.generic]:
    import numpy as np

    return frame.pixels if frame.alpha is None else np.dstack((frame.pixels, frame.alpha))
