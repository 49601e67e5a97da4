"""VGG-16 top-1: whether a network that knows photographs recognizes what is in colored ones."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

import torch
from torch.nn import functional
from torchvision.models import VGG16_Weights, vgg16

from colorcli.evaluation.metrics.judges import normalized
from colorcli.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import nn

    from colorcli.evaluation.metrics.judges import Judge
    from colorcli.metric import Colors

URL = VGG16_Weights.IMAGENET1K_V1.url
_SIDE, _CROP = 256, 224
_CLASSES: list[str] = VGG16_Weights.IMAGENET1K_V1.meta["categories"]


class Vgg16(Metric):
    """Share of pictures that VGG-16 (Simonyan and Zisserman 2015) gives the right class of ImageNet.

    The categories of the photographs are the classes, if they are all synsets (n01440764) or names of classes
    (tench). Else what it says of the photograph itself is what is right, and the column is called agreement.
    """

    name, better = "vgg16", "higher"

    def __init__(self, judge: Judge, categories: Collection[str]) -> None:
        self._judge = judge
        classes = _classes()
        known = {category: classes[category.casefold()] for category in categories if category.casefold() in classes}
        self._labels = known if known and len(known) == len(categories) else {}
        self.alone = bool(self._labels)
        self.heading = "VGG-16 top-1 %" if self._labels else "VGG-16 agreement %"
        truth = "the photographs' categories" if self._labels else "its class for the original, not the true one"
        self.definition = (
            f"{self.heading[:-2]}: share of joined pictures whose first class of torchvision's VGG-16 "
            f"(IMAGENET1K_V1, {_CROP}x{_CROP} from the middle of {_SIDE}x{_SIDE}) is {truth}."
        )

    def measure(self, predicted: Colors, true: Colors) -> float:
        right = self._labels[true.category] if self._labels else true.once(self._seen)
        return 100.0 * (predicted.once(self._seen) == right)

    def _seen(self, colors: Colors) -> int:
        """Give the number of the first class."""
        with torch.inference_mode():
            rgb = colors.rgb[None].to(self._judge.device)
            if rgb.shape[-1] != _SIDE:
                rgb = functional.interpolate(rgb, (_SIDE, _SIDE), mode="bicubic", antialias=True).clamp(0, 1)
            edge = (_SIDE - _CROP) // 2
            return int(self._network(normalized(rgb[..., edge:-edge, edge:-edge])).argmax())

    @cached_property
    def _network(self) -> nn.Module:
        with torch.device("meta"):  # drawing 138 million random numbers first takes seconds
            network = vgg16()
        return self._judge.load(network)


def _classes() -> dict[str, int]:
    """Give the number of each class by its synset and by its name, unless two share the name."""
    synsets = (files("colorcli.evaluation.metrics") / "synsets.txt").read_text(encoding="ascii").split()
    names = [name.casefold() for name in _CLASSES]
    found = {name: number for number, name in enumerate(names) if names.count(name) == 1}
    return (
        found
        | {name.replace(" ", "_"): number for name, number in found.items()}
        | {synset: number for number, synset in enumerate(synsets)}
    )
