"""VGG-16 top-1: whether a classifier recognizes the content of colorized photographs."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

import torch
from torchvision.models import VGG16_Weights, vgg16

from colorcli.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import Tensor, nn

    from colorcli.evaluation.metrics.judges import Judge
    from colorcli.metric import Colors

_WEIGHTS = VGG16_Weights.IMAGENET1K_V1
URL = _WEIGHTS.url
_CLASSES: list[str] = _WEIGHTS.meta["categories"]


class Vgg16(Metric):
    """Share of pictures for which VGG-16 (Simonyan and Zisserman 2015) predicts the right ImageNet class.

    The photographs' categories are the classes if all of them are synsets (n01440764) or class names (tench).
    Otherwise the prediction for the original photograph counts as right, and the column is called agreement.
    """

    name, better = "vgg16", "higher"

    def __init__(self, judge: Judge, categories: Collection[str]) -> None:
        self._judge = judge
        self._prepare = _WEIGHTS.transforms()
        self._labels = find_classes(categories)
        self.alone = bool(self._labels)
        self.heading = "VGG-16 top-1 %" if self._labels else "VGG-16 agreement %"
        truth = "the photograph's category" if self._labels else "its top class for the original, not the true class"
        self.definition = (
            f"{self.heading[:-2]}: share of pictures whose top class by torchvision's VGG-16 "
            f"(IMAGENET1K_V1, the shorter side scaled to 256 pixels, 224x224 from the center) is {truth}."
        )

    def measure(self, predicted: Colors, true: Colors) -> float:
        right = self._labels[true.category] if self._labels else true.once(self._classify)
        return 100.0 * (predicted.once(self._classify) == right)

    def _classify(self, colors: Colors) -> int:
        """Return the index of the top class."""
        return int(self.logits(colors).argmax())

    def logits(self, colors: Colors) -> Tensor:
        """Compute the logits of all classes: (1000,), on the CPU."""
        with torch.inference_mode():
            rgb = self._prepare(colors.rgb[None].to(self._judge.device))
            logits: Tensor = self._network(rgb)[0].cpu()
            return logits

    @cached_property
    def _network(self) -> nn.Module:
        with torch.device("meta"):  # initializing 138 million parameters takes seconds
            network = vgg16()
        return self._judge.load(network)


def likeliest(logits: Tensor) -> tuple[str, float]:
    """Return the name and the probability in 0..1 of the likeliest class of ImageNet, from logits (1000,)."""
    probability, number = logits.softmax(dim=0).max(dim=0)
    return _CLASSES[int(number)], float(probability)


def find_classes(categories: Collection[str]) -> dict[str, int]:
    """Return the index of the ImageNet class of each category; empty unless every category is a class."""
    classes = _classes()
    known = {category: classes[category.casefold()] for category in categories if category.casefold() in classes}
    return known if known and len(known) == len(categories) else {}


def _classes() -> dict[str, int]:
    """Map synsets and class names to class indices; names that two classes share are left out."""
    synsets = (files("colorcli.evaluation.metrics") / "synsets.txt").read_text(encoding="ascii").split()
    names = [name.casefold() for name in _CLASSES]
    found = {name: number for number, name in enumerate(names) if names.count(name) == 1}
    return (
        found
        | {name.replace(" ", "_"): number for name, number in found.items()}
        | {synset: number for number, synset in enumerate(synsets)}
    )
