"""LPIPS: the perceptual distance between two pictures, from the features of a network."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torchvision.models import AlexNet_Weights

from colorcli.evaluation.metrics.judges import missing_extra
from colorcli.metric import Metric

if TYPE_CHECKING:
    from torch import nn

    from colorcli.evaluation.metrics.judges import Judge
    from colorcli.metric import Colors

URL = AlexNet_Weights.IMAGENET1K_V1.url
_SLICES = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}  # convolutions of AlexNet, and the slices of lpips that contain them


class Lpips(Metric):
    """Learned perceptual image patch similarity (Zhang et al. 2018), version 0.1 on AlexNet.

    The package lpips provides the definition and the linear layers; AlexNet's weights are torchvision's.
    """

    name, heading, better, decimals = "lpips", "LPIPS", "lower", 3
    definition = "LPIPS: version 0.1 on AlexNet, on RGB in -1..1; mean over the pictures."

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def measure(self, predicted: Colors, true: Colors) -> float:
        with torch.inference_mode():
            pair = (colors.rgb[None].to(self._judge.device) * 2 - 1 for colors in (predicted, true))
            return float(self._network(*pair))

    @cached_property
    def _network(self) -> nn.Module:
        try:
            import lpips
        except ImportError as error:
            raise missing_extra("lpips") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # lpips uses a deprecated torchvision argument
            network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
        rename = {f"features.{layer}.": f"slice{part}.{layer}." for layer, part in _SLICES.items()}
        self._judge.load(network.net, rename)
        ready: nn.Module = network.to(self._judge.device)
        return ready
