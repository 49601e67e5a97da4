"""What the author of a colorizer writes: one class, its weights and its options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from colorcli.errors import NotTrainable, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from colorcli.recipe import Recipe

OptionValue: TypeAlias = bool | int | float | str


@dataclass(frozen=True)
class Option:
    """One setting of `predict` that `-p name=value` reaches.

    Its type is the type of its default. Numbers need both bounds; text needs its choices.
    """

    name: str
    default: OptionValue
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> OptionValue:
        """Turn the text after `name=` into a checked value.

        Raises:
            UsageError: the text is of another type, out of bounds, or none of the choices.
        """
        try:
            value = self._convert(text)
        except (ValueError, KeyError):
            raise UsageError(f"-p {self.name}={text}: {self.describe()} was expected.") from None
        return self.check(value)

    def _convert(self, text: str) -> OptionValue:
        if isinstance(self.default, bool):
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        return type(self.default)(text)

    def check(self, value: OptionValue) -> OptionValue:
        """Return the value if it is allowed.

        Raises:
            UsageError: the value is out of bounds or none of the choices.
        """
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low = self.minimum is None or value >= self.minimum
            high = self.maximum is None or value <= self.maximum
            allowed = low and high
        else:
            allowed = not self.choices or value in self.choices
        if not allowed:
            raise UsageError(f"-p {self.name}={value}: {self.describe()} was expected.")
        return value

    def describe(self) -> str:
        """Say in words what may be written: `a number from 0.01 to 2`."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            return "text"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.minimum:g} to {self.maximum:g}"


@dataclass(frozen=True)
class Weights:
    """Trained weights: where they are, how to know them, and what they are.

    Either `file` alone (a bundled file) or `repo` and `file` (on the Hugging Face Hub). Read from
    `weights/<colorizer>.toml`, one table per tag; see `docs/weights.md` for every field.
    """

    file: str  # inside the repository; or, bundled, a whole path, which a manifest writes as seen from itself
    sha256: str  # of the file; checked before anything opens it
    size: int  # of the file, in bytes
    license: str  # SPDX identifier
    source: str  # where they come from: a URL, or the command that trained them
    trained_on: str  # the data, in a sentence
    repo: str = ""  # owner/name on the Hub; empty for a bundled file
    repo_type: str = "model"  # model or space
    revision: str = ""  # pinned commit; empty where none is known, the sha256 being the stronger promise
    format: str = "safetensors"  # safetensors or torch
    parameters: int = 0  # how many numbers the network has
    input_size: int | None = None  # the square they were trained for, where it is not the colorizer's own
    network: Mapping[str, Any] = field(default_factory=dict)  # hyperparameters for Colorizer.build
    options: Mapping[str, Any] = field(default_factory=dict)  # defaults of predict's options that suit them better
    metrics: Mapping[str, Any] = field(default_factory=dict)  # figures, with `protocol` and `command`

    @property
    def bundled(self) -> bool:
        """Whether the file comes with the package."""
        return not self.repo


@dataclass(frozen=True)
class Prediction:
    """Chroma with something to tell about each picture, such as the category that a router chose.

    Attributes:
        ab: (B, 2, h, w), CIE ab.
        notes: for each picture of the batch, what `colorcli run` shows with --json and -v.
    """

    ab: Tensor
    notes: Sequence[Mapping[str, str | float]]


def chroma_of(predicted: Tensor | Prediction) -> Tensor:
    """Give the (B, 2, h, w) ab of what `predict` returned, with notes or without."""
    return predicted.ab if isinstance(predicted, Prediction) else predicted


def declares(colorizer: Colorizer, method: str) -> bool:
    """Tell whether a colorizer has an optional method of its own: `recipe`, `sample` or `explain`."""
    return getattr(type(colorizer), method) is not getattr(Colorizer, method)


class Colorizer(ABC):
    """Answers one question: given lightness, what is the chroma?

    The host does everything else: sizes, batches, device, precision, joining, files and film. Importing the
    module of a colorizer must not import torch: do that inside `build` and `predict`.
    """

    name: ClassVar[str]  # what people type after --model; also the name of the entry point
    summary: ClassVar[str]  # one line for `colorcli models`
    size: ClassVar[int | None] = 256  # the square that the network works at; None = the picture's own size
    multiple_of: ClassVar[int] = 1  # where size is None: sides are padded to a multiple of this
    weights: ClassVar[Mapping[str, Weights]] = {}  # tag -> weights, the best first
    options: ClassVar[tuple[Option, ...]] = ()
    recipe_folder: ClassVar[Path | None] = None  # where its recipe files (TOML) are, for `colorcli train`

    @abstractmethod
    def build(self, *args: Any, **network: Any) -> nn.Module:
        """Make the network, untrained.

        Args:
            *args: none; with it here, a colorizer may name its hyperparameters: `def build(self, widths=(64, 128))`.
            **network: the hyperparameters that the weights' manifest has.
        """

    @abstractmethod
    def predict(self, network: Any, lightness: Tensor, *args: Any, **options: Any) -> Tensor | Prediction:
        """Predict chroma from lightness.

        Args:
            network: what `build` made, loaded, in eval mode, on the device of `lightness`.
            lightness: (B, 1, H, W) float32, CIE L* in 0..100, at the network's size.
            *args: none; with it here, a colorizer may name its options: `def predict(..., *, temperature: float)`.
            **options: a value for every declared option.

        Returns:
            (B, 2, h, w) float, CIE ab in about -128..127, of any size h, w. The chroma of a picture depends on
            that picture alone, never on the others in the batch. With notes for each picture, a Prediction.
        """

    def explain(self, network: Any, lightness: Tensor, *args: Any, **options: Any) -> Tensor:
        """Say how unsure of the colors the network is; for colorizers that predict a distribution of colors.

        Args:
            network: as for `predict`.
            lightness: as for `predict`.
            *args: none, as for `predict`.
            **options: as for `predict`.

        Returns:
            (B, 1, h, w) float, of any size: the entropy of each place's distribution in bits, 0 where one color is
            certain, n where 2**n are equally likely. That of a picture depends on that picture alone.

        Raises:
            UsageError: unless overridden.
        """
        raise UsageError(f"The colorizer {self.name} cannot tell how unsure it is of its colors.")

    def sample(self, network: Any, lightness: Tensor, seed: int, *args: Any, **options: Any) -> Tensor:
        """Draw a coloring from those that the network holds for possible; for colorizers that know several.

        Args:
            network: as for `predict`.
            lightness: as for `predict`.
            seed: the same one gives a picture the same coloring again, whatever the device and the batch; another
                one, another.
            *args: none, as for `predict`.
            **options: as for `predict`.

        Returns:
            (B, 2, h, w) float ab, as `predict` does: a picture that somebody could have painted, not noise.

        Raises:
            UsageError: unless overridden.
        """
        raise UsageError(f"The colorizer {self.name} knows one coloring of a picture only.")

    def adapt(self, state: Mapping[str, Tensor], network: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """Turn the state dict of a published file into the layout of the network that `build` makes.

        Args:
            state: as it was read from a file; one that fits already is handed back as it is.
            network: the hyperparameters that `build` was given.
        """
        return state

    def recognize(self, state: Mapping[str, Tensor]) -> Mapping[str, Any] | None:
        """Say by its tensors which hyperparameters a file needs that does not say so itself, as published ones do not.

        Returns:
            For `build`; None where this cannot be told, unless overridden: then those of the first weights are taken.
        """
        return None

    def recipe(self, **settings: Any) -> Recipe:
        """Make the training recipe from the table `[recipe]` of a recipe file.

        Raises:
            NotTrainable: unless overridden.
        """
        raise NotTrainable(f"The colorizer {self.name} cannot be trained by colorcli: it has no recipe.")
