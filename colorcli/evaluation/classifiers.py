"""Classifiers that name what a picture shows, and how confident they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from colorcli.errors import UsageError
from colorcli.evaluation.metrics import lite2, recognition
from colorcli.evaluation.metrics.judges import Judge
from colorcli.inference.device import choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.metric import Colors

CLASSIFIERS = {"lite2": "EfficientNet-Lite2", "vgg16": "VGG-16"}  # by the name for `classifier`


def classifier(name: str, device: str = "auto", *, offline: bool = False) -> Callable[[Colors], tuple[str, float]]:
    """Return a function that returns the likeliest of the 1,000 classes of ImageNet and its probability in 0..1.

    Args:
        name: `vgg16`, as in the Rome paper, or `lite2`, EfficientNet-Lite2, whose weights come with a package.
        device: device to run on.
        offline: do not download weights.

    Raises:
        UsageError: the name is unknown, or the package with the weights is not installed.
        DeviceError: the device is not available.
    """
    chosen = choose(device).device
    if name == "lite2":
        judge = lite2.Lite2(chosen)
        return lambda colors: recognition.likeliest(judge.logits(colors))
    if name == "vgg16":
        network = recognition.Vgg16(Judge("vgg16", recognition.URL, device=chosen, offline=offline), ())
        return lambda colors: recognition.likeliest(network.logits(colors))
    raise UsageError(f"Classifier not found: {name}.", "Available: lite2, vgg16.")
