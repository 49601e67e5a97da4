"""FID: the distance between the distributions of colorized pictures and of photographs as a network sees them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorcli.evaluation.metrics.judges import missing_extra
from colorcli.metric import Metric

if TYPE_CHECKING:
    from colorcli.evaluation.metrics.judges import Judge
    from colorcli.metric import Colors

URL = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"
_SIDE = 299
_FEATURES = 2048


class Fid(Metric):
    """Fréchet Inception distance (Heusel et al. 2017) on the features of the ported TensorFlow Inception.

    pytorch-fid provides the blocks in which that Inception differs from torchvision's. Pictures are scaled in float
    with an antialiased bicubic filter, as Parmar et al. 2022 recommend, without rounding.
    """

    name, heading, better, additive = "fid", "FID", "lower", False
    definition = (
        "FID: on 2048 features of the ported TensorFlow Inception, pictures scaled to 299x299 in float (bicubic, "
        "antialiased), against the same photographs. FID depends on the size of the set."
    )

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def measure(self, predicted: Colors, true: Colors) -> Tensor:
        return torch.stack((predicted.once(self._features), true.once(self._features)))

    def of_set(self, measured: Tensor) -> float:
        """Compute the distance between two sets of features, (N, 2, 2048)."""
        return frechet_distance(measured[:, 0], measured[:, 1])

    def _features(self, colors: Colors) -> Tensor:
        with torch.inference_mode():
            rgb = colors.rgb[None].to(self._judge.device)
            square = functional.interpolate(rgb, (_SIDE, _SIDE), mode="bicubic", antialias=True).clamp(0, 1)
            features: Tensor = self._network(square * 2 - 1)
        return features[0].cpu()

    @cached_property
    def _network(self) -> nn.Module:
        network = self._judge.load(inception())
        network.fc = nn.Identity()  # features instead of the 1008 classes
        return network


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """Compute |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of features (N, F) and (M, F), 0 or more (Dowson 1982).

    The trace of the root is the sum of the singular values of X1 X2', where X is the centered features divided by
    sqrt(N - 1). This takes an N by M matrix rather than F by F, and is exact for few pictures as well.

    Raises:
        ValueError: there are fewer than two pictures.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError("A Fréchet distance needs at least two pictures.")
    means = [features.double().mean(dim=0) for features in (one, other)]
    centered = [
        (features.double() - mean) / (len(features) - 1) ** 0.5
        for features, mean in zip((one, other), means, strict=True)
    ]
    spread = sum(float(each.square().sum()) for each in centered)
    left, right = (_compressed(each) for each in centered)
    shared = float(torch.linalg.svdvals(left @ right.T).sum())
    return max(0.0, float((means[0] - means[1]).square().sum()) + spread - 2 * shared)


def _compressed(centered: Tensor) -> Tensor:
    """Replace the features of many pictures by fewer rows with the same covariance: (N, F) to (min(N, F), F)."""
    return centered if len(centered) <= _FEATURES else torch.linalg.qr(centered, mode="r").R


def inception() -> nn.Module:
    """Build the Inception of the published weights: torchvision's, except for the pooling in some blocks."""
    try:
        from pytorch_fid import inception as blocks
    except ImportError as error:
        raise missing_extra("pytorch-fid") from error
    from torchvision.models import inception_v3

    network: nn.Module = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    for name, features in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        before = getattr(network, name).branch1x1.conv.in_channels
        setattr(network, name, blocks.FIDInceptionA(before, pool_features=features))
    for name, channels in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        setattr(network, name, blocks.FIDInceptionC(768, channels_7x7=channels))
    network.Mixed_7b = blocks.FIDInceptionE_1(1280)
    network.Mixed_7c = blocks.FIDInceptionE_2(2048)
    return network
