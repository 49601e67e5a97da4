"""A judge that works offline: EfficientNet-Lite2, installed as a package, recognizes what colored pictures show."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from colorcli.encoders import EfficientNetLite
from colorcli.encoders.efficientnet_lite import DIMENSIONS, VARIANTS
from colorcli.encoders.pretrained import read_wheel
from colorcli.evaluation.metrics.fid import frechet_distance
from colorcli.evaluation.metrics.recognition import find_classes
from colorcli.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Collection

    from colorcli.metric import Colors

_NAME = "efficientnet-lite2"
_SIDE = VARIANTS[_NAME].size
_CLASSES = 1000
_PROTOCOL = (
    f"EfficientNet-Lite2 (Google, 77.6 % on ImageNet), whole pictures scaled to {_SIDE}x{_SIDE} in float (bicubic, "
    "antialiased); of the same family as the encoder of the starters, and trained like it"
)


class Lite2:
    """EfficientNet-Lite2, built on first use and shared by all metrics that need it.

    Args:
        device: device to compute on, in float32.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)

    def embed(self, colors: Colors) -> Tensor:
        """Compute the features that its classifier uses: (DIMENSIONS,), on the CPU."""
        with torch.inference_mode():
            rgb = colors.rgb[None].to(self.device)
            if rgb.shape[-2:] != (_SIDE, _SIDE):
                rgb = functional.interpolate(rgb, (_SIDE, _SIDE), mode="bicubic", antialias=True).clamp(0, 1)
            deepest = self._network.features((rgb * 255 - 127) / 128)[-1]
            return self._network.embed(deepest)[0].cpu()

    def rank(self, colors: Colors) -> Tensor:
        """Return the indices of all classes, the most likely first: (1000,)."""
        return self.logits(colors).argsort(descending=True)

    def logits(self, colors: Colors) -> Tensor:
        """Compute the logits of all classes: (1000,), on the CPU."""
        with torch.inference_mode():
            logits: Tensor = self._network.fc(colors.once(self.embed).to(self.device))
            return logits.cpu()

    @cached_property
    def _network(self) -> EfficientNetLite:
        network = EfficientNetLite(_NAME, classes=_CLASSES)
        network.load_state_dict(read_wheel(_NAME))
        return network.to(self.device).eval().requires_grad_(requires_grad=False)


class Recognition(Metric):
    """Share of pictures whose correct ImageNet class is among the most likely ones.

    If all categories of the photographs are synsets or names of ImageNet classes, they are the correct classes, as for
    `Vgg16`. Otherwise the most likely class of the original is, and the column is called agreement.

    Args:
        judge: the network.
        categories: categories of the photographs.

    Attributes:
        first: how many of the most likely classes count.
    """

    name, better = "recognition", "higher"
    first: ClassVar[int] = 1

    def __init__(self, judge: Lite2, categories: Collection[str]) -> None:
        self._judge = judge
        self._labels = find_classes(categories)
        self.alone = bool(self._labels)
        kind = "" if self._labels else " agreement"
        self.heading = f"Lite2{kind} top-{self.first} %"
        truth = "the photographs' categories" if self._labels else "its first class for the original, not the truth,"
        among = "the first class" if self.first == 1 else f"among the first {self.first} classes"
        self.definition = f"{self.heading[:-2]}: share of joined pictures for which {truth} is {among} of {_PROTOCOL}."

    def measure(self, predicted: Colors, true: Colors) -> float:
        right = self._labels[true.category] if self._labels else int(true.once(self._judge.rank)[0])
        return 100.0 * bool((predicted.once(self._judge.rank)[: self.first] == right).any())


class RecognitionTop5(Recognition):
    """`Recognition` among the five most likely classes."""

    name, first = "recognition_top5", 5


class FrechetLite2(Metric):
    """Fréchet distance between features of EfficientNet-Lite2: like FID, but not comparable with it."""

    name, heading, better, additive = "fd_lite2", "FD (Lite2)", "lower", False
    definition = (
        f"FD (Lite2): Fréchet distance of {DIMENSIONS} features of {_PROTOCOL}; the same photographs on both sides. "
        "Not comparable with FID, which uses other features, or between sets of different sizes."
    )

    def __init__(self, judge: Lite2) -> None:
        self._judge = judge

    def measure(self, predicted: Colors, true: Colors) -> Tensor:
        return torch.stack((predicted.once(self._judge.embed), true.once(self._judge.embed)))

    def of_set(self, measured: Tensor) -> float:
        """Compute the distance between two sets of features, (N, 2, DIMENSIONS)."""
        return frechet_distance(measured[:, 0], measured[:, 1])
