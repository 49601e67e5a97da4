"""The network of Zhang et al. 2017, "Real-Time User-Guided Image Colorization", in its published key layout."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

AB_REACH = 110.0
"""The ab of 1 in the network's inputs and outputs."""

_CLASSES = 529  # classes of a head that the published file has for training, and that colors do not depend on


class Siggraph17Network(nn.Module):
    """A U-Net of convolutions with a dilated middle, which returns ab at the size of its input.

    Args:
        widths: channels of blocks 1 to 4; blocks 5 to 7 are as wide as block 4, 8 as block 3, 9 and 10 as block 2.

    Raises:
        ValueError: there are not four widths.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512)) -> None:
        super().__init__()
        if len(widths) != 4 or min(widths) < 1:
            raise ValueError(f"widths must be 4 numbers of channels, got {list(widths)}")
        first, second, third, fourth = widths
        self.model1 = _block([4, first, first])
        self.model2 = _block([first, second, second])
        self.model3 = _block([second, third, third, third])
        self.model4 = _block([third] + [fourth] * 3)
        self.model5 = _block([fourth] * 4, dilation=2)
        self.model6 = _block([fourth] * 4, dilation=2)
        self.model7 = _block([fourth] * 4)
        self.model8up = nn.Sequential(nn.ConvTranspose2d(fourth, third, 4, stride=2, padding=1))
        self.model3short8 = nn.Sequential(nn.Conv2d(third, third, 3, padding=1))
        self.model8 = nn.Sequential(nn.ReLU(), *_block([third] * 3))
        self.model9up = nn.Sequential(nn.ConvTranspose2d(third, second, 4, stride=2, padding=1))
        self.model2short9 = nn.Sequential(nn.Conv2d(second, second, 3, padding=1))
        self.model9 = nn.Sequential(nn.ReLU(), *_block([second] * 2))
        self.model10up = nn.Sequential(nn.ConvTranspose2d(second, second, 4, stride=2, padding=1))
        self.model1short10 = nn.Sequential(nn.Conv2d(first, second, 3, padding=1))
        self.model10 = nn.Sequential(nn.ReLU(), nn.Conv2d(second, second, 3, padding=1), nn.LeakyReLU(0.2))
        self.model_class = nn.Sequential(nn.Conv2d(third, _CLASSES, 1))
        self.model_out = nn.Sequential(nn.Conv2d(second, 2, 1), nn.Tanh())
        self.apply(_initialize)

    def forward(self, lightness: Tensor, hints: Tensor) -> Tensor:
        """Compute ab (B, 2, H, W) of sides that are multiples of 8.

        Args:
            lightness: (B, 1, H, W), L* in 0..100.
            hints: (B, 3, H, W), ab where there is a hint, else 0, and where there is one.
        """
        x1 = self.model1(network_input(lightness, hints))
        x2 = self.model2(x1[..., ::2, ::2])
        x3 = self.model3(x2[..., ::2, ::2])
        x = self.model7(self.model6(self.model5(self.model4(x3[..., ::2, ::2]))))
        x = self.model8(self.model8up(x) + self.model3short8(x3))
        x = self.model9(self.model9up(x) + self.model2short9(x2))
        x = self.model10(self.model10up(x) + self.model1short10(x1))
        ab: Tensor = self.model_out(x) * AB_REACH
        return ab


def network_input(lightness: Tensor, hints: Tensor) -> Tensor:
    """Scale L* (B, 1, H, W), and ab and mask (B, 3, H, W), as published: (B, 4, H, W) of about -1..1."""
    return torch.cat([(lightness - 50) / 100, hints[:, :2] / AB_REACH, hints[:, 2:]], dim=1)


def _block(channels: list[int], dilation: int = 1) -> nn.Sequential:
    """Chain 3x3 convolutions, each followed by ReLU, and batch norm at the end."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, 1, dilation, dilation), nn.ReLU()]
    return nn.Sequential(*layers, nn.BatchNorm2d(channels[-1]))


def _initialize(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None:
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)
