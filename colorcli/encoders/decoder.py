"""From a pyramid of features back to a picture: a light decoder that takes what it needs at every stride."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence


class PyramidDecoder(nn.Module):
    """Goes up from the deepest features, stride by stride, and joins in those of the encoder (U-Net, 2015).

    Args:
        channels: channels of the encoder's features, the finest first; the decoder ends at the stride of the finest
            that it has a width for.
        widths: channels of the decoder at each stride, the deepest first; at most `len(channels)` of them.

    Attributes:
        channels: number of channels of the output.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        skips = list(channels)[::-1][: len(widths)]
        if len(skips) < len(widths):
            raise ValueError(f"widths must be at most {len(skips)}, one for each stride of the encoder")
        self.channels = widths[-1]
        self.deepest = convolution(skips[0], widths[0])
        self.levels = nn.ModuleList(
            Level(before, skip, after) for (before, after), skip in zip(pairwise(widths), skips[1:], strict=True)
        )

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Decode features (B, C, H / stride, W / stride), the finest first, to (B, channels, H / s, W / s)."""
        skips = list(pyramid)[::-1]
        x: Tensor = self.deepest(skips[0])
        for level, skip in zip(self.levels, skips[1:], strict=False):
            x = level(x, skip)
        return x


class Level(nn.Sequential):
    """Enlarges features, joins in the encoder's of that stride, and mixes them by two convolutions."""

    def __init__(self, before: int, skip: int, after: int) -> None:
        super().__init__(convolution(before + skip, after), convolution(after, after))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:  # type: ignore[override]
        """Combine (B, before, h, w) and (B, skip, H, W) to (B, after, H, W)."""
        x = functional.interpolate(x, skip.shape[-2:], mode="bilinear", align_corners=False)
        mixed: Tensor = super().forward(torch.cat([x, skip], dim=1))  # type: ignore[no-untyped-call]
        return mixed


class Fusion(nn.Sequential):
    """Joins a vector to local features at every place, and mixes them by a 1x1 convolution.

    The vector's share of that convolution is the same everywhere and is computed once.

    Args:
        local: channels of the local features, and of the output.
        vector: length of the vector.
    """

    def __init__(self, local: int, vector: int) -> None:
        super().__init__(*convolution(local + vector, local, kernel=1))

    def forward(self, local: Tensor, vector: Tensor) -> Tensor:  # type: ignore[override]
        """Combine (B, local, h, w) and (B, vector) to (B, local, h, w)."""
        mixing, *rest = self
        weight: Tensor = mixing.weight  # type: ignore[assignment]
        of_local, of_vector = torch.split(weight, [local.shape[1], vector.shape[1]], dim=1)
        x = functional.conv2d(local, of_local) + functional.linear(vector, of_vector[..., 0, 0])[..., None, None]
        for layer in rest:
            x = layer(x)
        return x


def convolution(before: int, after: int, kernel: int = 3) -> nn.Sequential:
    """Make a convolution with batch norm and ReLU."""
    plain = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(plain.weight, nonlinearity="relu")
    return nn.Sequential(plain, nn.BatchNorm2d(after), nn.ReLU(inplace=True))
