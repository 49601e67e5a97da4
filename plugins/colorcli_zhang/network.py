"""The network of Zhang, Isola and Efros, "Colorful Image Colorization" (ECCV 2016), in its published key layout."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from colorcli.surfaces import smooth_surfaces
from colorcli_zhang.bins import AB_UNIT, bin_centers


class BinClassifier(nn.Module):
    """A network that classifies the color of every fourth pixel.

    Args:
        folded_temperature: the temperature already included in the logits: 0.38 in the published file, 1 in ours.
    """

    model_out: nn.ParameterDict

    def __init__(self, folded_temperature: float) -> None:
        super().__init__()
        self.folded_temperature = folded_temperature

    def forward(self, lightness: Tensor, contrast: Tensor | None = None) -> Tensor:
        """Classify the color of every fourth pixel.

        Args:
            lightness: L* (B, 1, H, W) in 0..100.
            contrast: for logits that agree within surfaces, (B, 1) as in `colorcli.surfaces.smooth_surfaces`.

        Returns:
            Logits (B, Q, H / 4, W / 4).
        """
        features = self.features(lightness)
        if contrast is not None:  # logits are a linear function of the features, which are fewer
            features = smooth_surfaces(features, lightness, contrast)
        return self.classify(features)

    def features(self, lightness: Tensor) -> Tensor:
        """Compute what the logits are a linear function of: (B, C, H / 4, W / 4), from L* (B, 1, H, W) in 0..100."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """Compute logits (B, Q, h, w) from features (B, C, h, w)."""
        raise NotImplementedError

    def _add_centers(self, classes: int) -> None:
        """Add the colors of the classes: the bins, or some of them, until weights or `set_centers` replace them."""
        # The published file has a convolution here. Not a module, so that the host does not convert it to bf16.
        centers = nn.Parameter(torch.zeros(2, classes, 1, 1), requires_grad=False)
        self.model_out = nn.ParameterDict({"weight": centers})
        bins = bin_centers()
        self.set_centers(bins[torch.linspace(0, len(bins) - 1, classes, device="cpu").round().long()])

    def set_centers(self, centers: Tensor) -> None:
        """Set the colors of the classes: (Q, 2) ab."""
        with torch.no_grad():
            self.model_out["weight"].copy_((centers.T / AB_UNIT)[:, :, None, None])

    @property
    def centers(self) -> Tensor:
        """The colors of the classes: (Q, 2) ab."""
        weight: Tensor = self.model_out["weight"]
        return weight[:, :, 0, 0].T * AB_UNIT


class ZhangNetwork(BinClassifier):
    """Eight blocks of convolutions that classify the color of every fourth pixel.

    Args:
        widths: channels of blocks 1 to 4; blocks 5 to 7 are as wide as block 4, and block 8 as block 3. With six
            values, the last two are those of blocks 7 and 8: 256 and 128 in the table of Zhang 2016 and in the figure
            of the Liège paper, where the published network has 512 and 256.
        classes: number of bins.
        folded_temperature: the temperature already included in the logits.

    Raises:
        ValueError: there are not four or six widths.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        classes: int = 313,
        folded_temperature: float = 1.0,
    ) -> None:
        super().__init__(folded_temperature)
        if len(widths) not in {4, 6} or min(widths) < 1:
            raise ValueError(f"widths must be 4 or 6 numbers of channels, got {list(widths)}")
        first, second, third, fourth = widths[:4]
        seventh, eighth = widths[4:] or (fourth, third)
        self.model1 = _block([1, first, first], stride=2)
        self.model2 = _block([first, second, second], stride=2)
        self.model3 = _block([second, third, third, third], stride=2)
        self.model4 = _block([third, fourth, fourth, fourth])
        self.model5 = _block([fourth] * 4, dilation=2)
        self.model6 = _block([fourth] * 4, dilation=2)
        self.model7 = _block([fourth, seventh, seventh, seventh])
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(seventh, eighth, 4, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(eighth, eighth, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(eighth, eighth, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(eighth, classes, 1),
        )
        self._add_centers(classes)
        self.apply(_initialize)

    def features(self, lightness: Tensor) -> Tensor:
        x = (lightness - 50) / 100
        x = self.model3(self.model2(self.model1(x)))
        x = self.model7(self.model6(self.model5(self.model4(x))))
        features: Tensor = self.model8[:-1](x)
        return features

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.model8[-1](features)
        return logits


def _block(channels: list[int], stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Chain 3x3 convolutions, each followed by ReLU, the last one with a stride, and batch norm at the end."""
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise(channels), start=2):
        step = stride if index == len(channels) else 1
        layers += [nn.Conv2d(before, after, 3, step, dilation, dilation), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.BatchNorm2d(channels[-1]))


def _initialize(module: nn.Module) -> None:
    # Kaiming for ReLU keeps the signal through 22 layers; torch's default shrinks it.
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None:
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)
