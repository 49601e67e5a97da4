"""The base class of colorizers, with their weights and options: what the author of a plugin implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from numbers import Integral, Real
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
    """A setting of `predict` that users change with `-p name=value`.

    Its type is that of its default. Numbers need both bounds. Text needs `choices`, or `maximum` for its length.

    Attributes:
        name: an argument of `predict`.
        default: its value, unless the weights set another.
        help: a phrase for `colorcli models NAME`.
        minimum: the smallest number allowed.
        maximum: the largest number allowed; of text, the largest number of characters.
        choices: the texts allowed.
    """

    name: str
    default: OptionValue
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> OptionValue:
        """Convert the text after `name=` to a checked value.

        Raises:
            UsageError: the text has another type, is out of bounds, or is not one of the choices.
        """
        try:
            value = self._convert(text)
        except (ValueError, KeyError):
            raise self._refused(text) from None
        return self.check(value)

    def _convert(self, text: str) -> OptionValue:
        if isinstance(self.default, bool):
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        return type(self.default)(text)

    def check(self, value: Any) -> OptionValue:
        """Return a value as the option's type, if it is allowed.

        Raises:
            UsageError: the value has another type, is out of bounds, or is not one of the choices.
        """
        match self.default, value:
            case (bool(), bool()):
                return bool(value)
            case (str(), str()) if value in self.choices if self.choices else len(value) <= (self.maximum or 0):
                return str(value)
            case (int() | float(), bool()) | (bool(), _):
                pass
            case (int(), Integral()) | (float(), Real()) if self._within_bounds(value):
                return int(value) if isinstance(self.default, int) else float(value)
        raise self._refused(value)

    def _within_bounds(self, value: Any) -> bool:
        low = self.minimum is None or value >= self.minimum
        return bool(low and (self.maximum is None or value <= self.maximum))

    def _refused(self, value: object) -> UsageError:
        shown = str(value) if len(str(value)) <= 60 else f"{str(value)[:57]}..."
        return UsageError(f"-p {self.name} must be {self.describe()}, got {shown}.")

    def describe(self) -> str:
        """Describe what may be written: `a number from 0.01 to 2`."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            return "text" if self.maximum is None else f"text of at most {self.maximum:g} characters"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        low = "" if self.minimum is None else f" from {self.minimum:g}"
        high = "" if self.maximum is None else f" to {self.maximum:g}"
        return f"{kind}{low}{high}"


@dataclass(frozen=True)
class Weights:
    """Trained weights: where they are, how they are verified, and what they were trained on.

    Give `file` alone for a bundled file, `repo` and `file` for one on the Hugging Face Hub, `page` and `file` for one
    that users download themselves. `read_manifest` reads them from a manifest, one table for each tag; docs/weights.md
    describes every field.
    """

    file: str  # path inside the repository; a bundled file's is absolute, and relative to the manifest in a manifest
    sha256: str  # sha256 of the file, verified before anything opens it; "first-use" to record what the Hub has then
    size: int  # size of the file in bytes; approximate for "first-use"
    license: str  # SPDX identifier
    source: str  # where they come from: a URL, or the command that trained them
    trained_on: str  # the data, in a sentence
    repo: str = ""  # owner/name on the Hub; empty for a bundled file
    repo_type: str = "model"  # model or space
    page: str = ""  # URL from which users download the file themselves, if it is not on the Hub
    revision: str = ""  # pinned commit; may be empty, as the sha256 is the stronger promise
    format: str = "safetensors"  # safetensors or torch; torch7 in `Colorizer.elsewhere`
    parameters: int = 0  # number of parameters of the network
    input_size: int | None = None  # the square they were trained for, if it is not the colorizer's own
    network: Mapping[str, Any] = field(default_factory=dict)  # hyperparameters for Colorizer.build
    options: Mapping[str, Any] = field(default_factory=dict)  # defaults of predict's options that suit these weights
    metrics: Mapping[str, Any] = field(default_factory=dict)  # figures, with `protocol` and `command`

    @property
    def bundled(self) -> bool:
        """Whether the file comes with the package."""
        return not self.repo and not self.page


SMOOTHING = Option(
    "smoothing",
    0.0,
    "change of lightness, in L*, that separates two surfaces; each gets one color; 0 for no smoothing",
    minimum=0.0,
    maximum=100.0,
)
"""The option of colorizers that pass their chroma, or their logits, through `colorcli.surfaces.smooth_surfaces`."""


@dataclass(frozen=True)
class Prediction:
    """Chroma with notes about each picture, such as the category that a router chose.

    Attributes:
        ab: (B, 2, h, w), CIE ab.
        notes: for each picture of the batch, what `colorcli run` shows with --json and -v.
    """

    ab: Tensor
    notes: Sequence[Mapping[str, str | float]]

    @classmethod
    def from_rgb(cls, rgb: Tensor, lightness: Tensor) -> Prediction:
        """Take the chroma of pictures whose lightness a network changed, and note how much it changed.

        For networks that edit RGB, such as image editors. The host joins the chroma with the picture's own lightness;
        the note `lightness drift` is the mean difference of L* between the two, in 0..100.

        Args:
            rgb: (B, 3, h, w) R'G'B', what the network made; it is clamped to 0..1.
            lightness: (B, 1, H, W) L* in 0..100, what `predict` was given.
        """
        from torch.nn import functional

        from colorcli.color import rgb_to_lab

        lab = rgb_to_lab(rgb.float().clamp(0, 1))
        own = functional.interpolate(lightness.float(), lab.shape[-2:], mode="bilinear", antialias=True)
        drift = (lab[:, :1] - own).abs().mean(dim=(1, 2, 3))
        return cls(lab[:, 1:], [{"lightness drift": round(each, 2)} for each in drift.tolist()])


def chroma_of(predicted: Tensor | Prediction) -> Tensor:
    """Return the (B, 2, h, w) ab of what `predict` returned, with or without notes."""
    return predicted.ab if isinstance(predicted, Prediction) else predicted


def declares(colorizer: Colorizer, method: str) -> bool:
    """Return whether a colorizer overrides an optional method, such as `recipe`, `sample` or `predict_with_hints`."""
    return getattr(type(colorizer), method) is not getattr(Colorizer, method)


class Colorizer(ABC):
    """Predicts chroma from lightness.

    The host does everything else: sizes, batches, device, precision, joining, files and films. Importing a colorizer's
    module must not import torch: do that inside `build` and `predict`.
    """

    name: ClassVar[str]  # what people type after --model; also the name of the entry point
    summary: ClassVar[str]  # one line for `colorcli models`
    size: ClassVar[int | None] = 256  # side of the square that the network works at; None = the picture's own size
    multiple_of: ClassVar[int] = 1  # if size is None: sides are padded to a multiple of this
    longest_side: ClassVar[int | None] = None  # if size is None: larger pictures are reduced to this size
    weights: ClassVar[Mapping[str, Weights]] = {}  # tag -> weights, the best first
    elsewhere: ClassVar[tuple[Weights, ...]] = ()  # files to fetch by hand and import, with license
    options: ClassVar[tuple[Option, ...]] = ()
    recipe_folder: ClassVar[Path | None] = None  # folder with its recipe files (TOML), for `colorcli train`

    @abstractmethod
    def build(self, *args: Any, **network: Any) -> nn.Module:
        """Build the untrained network.

        If weights are to be loaded into it, its parameters are zeros where it would draw random values.

        Args:
            *args: none; declared here so that a colorizer may name its hyperparameters: `def build(self, width=64)`.
            **network: hyperparameters, from the manifest of the weights.
        """

    @abstractmethod
    def predict(self, network: Any, lightness: Tensor, *args: Any, **options: Any) -> Tensor | Prediction:
        """Predict chroma from lightness.

        Args:
            network: built by `build`, loaded, in eval mode, on the device of `lightness`.
            lightness: (B, 1, H, W) float32, CIE L* in 0..100, at the network's size.
            *args: none; declared here so that a colorizer may name its options: `def predict(..., *, warmth: float)`.
            **options: a value for every declared option.

        Returns:
            (B, 2, h, w) float, CIE ab in about -128..127, of any size h, w. The chroma of a picture depends on that
            picture alone, never on the others in the batch. A Prediction adds notes about each picture.
        """

    def predict_with_hints(
        self, network: Any, lightness: Tensor, hints: Tensor, *args: Any, **options: Any
    ) -> Tensor | Prediction:
        """Predict chroma from lightness and the colors of some places, for networks that take them.

        The host spreads hints over the prediction of any colorizer. Where this method is overridden, the network sees
        them first, and the host spreads what is left of the difference.

        Args:
            network: as for `predict`.
            lightness: as for `predict`.
            hints: (B, 3, H, W) float32: CIE ab where there is a hint, else 0; and 1 where there is one, else 0.
            *args: none, as for `predict`.
            **options: as for `predict`.

        Returns:
            As `predict`, which it must agree with where no hint is given.

        Raises:
            UsageError: unless overridden.
        """
        raise UsageError(f"The network of the colorizer {self.name} takes no hints.")

    def explain(self, network: Any, lightness: Tensor, *args: Any, **options: Any) -> Tensor:
        """Compute how uncertain the colors are, for colorizers that predict a distribution of colors.

        Args:
            network: as for `predict`.
            lightness: as for `predict`.
            *args: none, as for `predict`.
            **options: as for `predict`.

        Returns:
            (B, 1, h, w) float, of any size: the entropy of each place's distribution in bits, 0 if one color is
            certain, n if 2**n are equally likely. It depends on that picture alone.

        Raises:
            UsageError: unless overridden.
        """
        raise UsageError(f"The colorizer {self.name} does not estimate its uncertainty.")

    def likely_colors(
        self, network: Any, lightness: Tensor, place: tuple[float, float], *args: Any, **options: Any
    ) -> Tensor:
        """List the colors that a place may have, for colorizers that predict a distribution of colors.

        Args:
            network: as for `predict`.
            lightness: (1, 1, H, W), of one picture, as for `predict`.
            place: x and y in the picture, 0..1 from the left and from the top.
            *args: none, as for `predict`.
            **options: as for `predict`.

        Returns:
            (n, 3) float, in any order: a and b of each color, and its probability; these sum to at most 1.

        Raises:
            UsageError: unless overridden.
        """
        raise UsageError(f"The colorizer {self.name} does not estimate how likely colors are.")

    def sample(self, network: Any, lightness: Tensor, seed: int, *args: Any, **options: Any) -> Tensor:
        """Draw one of several plausible colorings, for colorizers that predict a distribution of colors.

        Args:
            network: as for `predict`.
            lightness: as for `predict`.
            seed: selects the coloring: the same seed gives a picture the same one on any device and in any batch.
            *args: none, as for `predict`.
            **options: as for `predict`.

        Returns:
            (B, 2, h, w) float ab, as `predict` does: a coherent picture, not noise.

        Raises:
            UsageError: unless overridden.
        """
        raise UsageError(f"The colorizer {self.name} predicts only one coloring of each picture.")

    def paint(self, network: Any, lightness: Tensor, *args: Any, **options: Any) -> Tensor:
        """Paint the whole picture, for colorizers whose network predicts more of it than the chroma.

        Only studies show it (`colorcli paper`): all other outputs have the picture's own lightness.

        Args:
            network: as for `predict`.
            lightness: as for `predict`.
            *args: none, as for `predict`.
            **options: as for `predict`.

        Returns:
            (B, 3, h, w) float R'G'B' in 0..1, of any size.

        Raises:
            UsageError: unless overridden.
        """
        raise UsageError(f"The colorizer {self.name} predicts chroma alone, not a whole picture.")

    def adapt(self, state: Mapping[str, Tensor], network: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """Convert the state dict of a published file to the layout of the network that `build` returns.

        Args:
            state: as read from a file; return it unchanged if it already fits.
            network: the hyperparameters that `build` was given.
        """
        return state

    def recognize(self, state: Mapping[str, Tensor]) -> Mapping[str, Any] | None:
        """Infer the hyperparameters of a published file, which does not contain them, from its tensors.

        Returns:
            Hyperparameters for `build`, or None if they cannot be inferred (the default): then those of the first
            weights are used.
        """
        return None

    def recipe(self, **settings: Any) -> Recipe:
        """Create the training recipe from the table `[recipe]` of a recipe file.

        Raises:
            NotTrainable: unless overridden.
        """
        raise NotTrainable(f"The colorizer {self.name} has no recipe, so colorcli cannot train it.")
