"""The network of Iizuka, Simo-Serra and Ishikawa, "Let there be Color!" (SIGGRAPH 2016)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorcli.color import rgb_to_lab
from colorcli.errors import UsageError

Output = Literal["sigmoid", "relu"]
Space = Literal["lab", "rgb"]
AB_REACH = 100.0  # the published network's 0..1 stands for ab in -100..100
_MEAN_LUMA = 0.44505388568813414  # mean luma of the pictures that the published network was trained on


class IizukaNetwork(nn.Module):
    """Computes mid-level and global features from shared low-level features, and fuses them into colors.

    All convolutions are 3x3 with ReLU. The published weights are a Torch7 file, so the names are ours. Its layers,
    with batch norm folded into them:

    * low-level features, 6 convolutions, shared by both branches: `low.0`, `.2`, `.4`, `.6`, `.8`, `.10`
    * global features, 4 convolutions: `global_.0`, `.2`, `.4`, `.6`; 3 fully connected: `scene.1`, `.3`, `.5`
    * mid-level features, 2 convolutions: `mid.0`, `.2`
    * fusion: `fusion.0`; its input is the mid-level features, followed by the global ones
    * colorization, 5 convolutions, the last without ReLU: `color.0.0`, `.2.0`, `.2.2`, `.4.0`, `.5`
    * classification, 2 fully connected: `category.0.0`, `.1`

    Args:
        width: width of every layer, relative to the published one; channels are multiples of 8.
        global_size: side of the square copy for the global features: 224 as published, 112 in the Utrecht paper.
        output: `sigmoid` as published, or `relu` as in the Utrecht paper.
        fusion_kernel: 3 as in the published network, or 1 as in the paper's equation.
        classes: number of classes of the classifier that helps to train the global features; 0 for none.
        space: `lab` predicts ab; `rgb` predicts the whole picture, of which the lightness is not used.
        norm: batch norm between each layer and its ReLU instead of a bias; the published network was trained with it
            and has it folded into its weights.
        single_stream: the published paper's baseline, which has neither global features nor a fusion, and therefore no
            classifier.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        width: float = 1.0,
        global_size: int = 224,
        output: Output = "sigmoid",
        fusion_kernel: int = 3,
        classes: int = 0,
        space: Space = "lab",
        *,
        norm: bool = False,
        single_stream: bool = False,
    ) -> None:
        super().__init__()
        if output not in get_args(Output) or space not in get_args(Space) or fusion_kernel not in {1, 3}:
            raise ValueError(
                "output must be sigmoid or relu, space lab or rgb, and fusion_kernel 1 or 3, got "
                f"{output!r}, {space!r} and {fusion_kernel!r}"
            )
        if width <= 0 or global_size < 8 or classes < 0:
            raise ValueError(
                "width must be above 0, global_size 8 or more and classes 0 or more, got "
                f"{width}, {global_size} and {classes}"
            )
        if single_stream and classes:
            raise ValueError(f"a single stream has no classifier, got classes = {classes}")
        self.global_size = global_size
        self.output = output
        self.space = space
        c32, c64, c128, c256, c512, c1024 = (max(8, round(width * n / 8) * 8) for n in (32, 64, 128, 256, 512, 1024))
        self.low = _convolutions([1, c64, c128, c128, c256, c256, c512], [2, 1, 2, 1, 2, 1], norm=norm)
        self.mid = _convolutions([c512, c512, c256], [1, 1], norm=norm)
        self.single_stream = single_stream
        if not single_stream:
            self.global_ = _convolutions([c512] * 5, [2, 1, 2, 1], norm=norm)
            side = -(-global_size // 32)  # five convolutions halve it, rounding up
            self.scene = nn.Sequential(nn.Flatten(), *_connected([c512 * side**2, c1024, c512, c256], norm=norm))
            self.fusion = _convolutions([2 * c256, c256], [1], kernel=fusion_kernel, norm=norm)
        self.color = nn.Sequential(
            _convolutions([c256, c128], [1], norm=norm),
            nn.Upsample(scale_factor=2),
            _convolutions([c128, c64, c64], [1, 1], norm=norm),
            nn.Upsample(scale_factor=2),
            _convolutions([c64, c32], [1], norm=norm),
            nn.Conv2d(c32, 2 if space == "lab" else 3, 3, padding=1),
        )
        self.category = (
            nn.Sequential(_connected([c256, c256], norm=norm), nn.Linear(c256, classes)) if classes else None
        )
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        # Gray is the middle of 0..1, the best place to start; a ReLU that starts below 0 would never learn.
        last = self.color[-1]
        nn.init.normal_(last.weight, std=0.01)  # type: ignore[arg-type]
        nn.init.constant_(last.bias, 0.0 if self.output == "sigmoid" else 0.5)  # type: ignore[arg-type]

    def forward(self, luma: Tensor) -> tuple[Tensor, Tensor | None]:
        """Predict colors.

        Args:
            luma: (B, 1, H, W) in 0..1, H and W multiples of 8.

        Returns:
            Colors (B, 2 or 3, H / 2, W / 2) float32 in 0..1 (with ReLU, 0 or more), for `to_ab`; and the scores of the
            categories (B, classes), None without a classifier.

        Raises:
            UsageError: a side is not a multiple of 8.
        """
        height, width = luma.shape[-2:]
        if height % 8 or width % 8:
            raise UsageError(
                f"Pictures for iizuka must have sides that are multiples of 8, got {width}x{height}.",
                "Set sizes and input_size in the recipe.",
            )
        centered = luma - _MEAN_LUMA
        local = self.low(centered)
        if self.single_stream:
            return self._activated(self.color(self.mid(local))), None
        scene = self.scene(self.global_(self._low_of_copy(centered, local)))
        mid = self.mid(local)
        everywhere = scene[:, :, None, None].expand(-1, -1, *mid.shape[-2:])  # (B, 256) -> (B, 256, H / 8, W / 8)
        color = self.color(self.fusion(torch.cat([mid, everywhere], dim=1)))
        return self._activated(color), None if self.category is None else self.category(scene)

    def _activated(self, color: Tensor) -> Tensor:
        color = color.float()  # a step of bf16 is 0.4 ab
        return color.sigmoid() if self.output == "sigmoid" else color.relu()

    def _low_of_copy(self, picture: Tensor, features: Tensor) -> Tensor:
        """Compute the low-level features of the copy of fixed size; they are reused if the picture has that size."""
        size = (self.global_size, self.global_size)
        if picture.shape[-2:] == size:
            return features
        copy = functional.interpolate(picture.float(), size, mode="bilinear", antialias=True)
        copied: Tensor = self.low(copy)
        return copied

    def to_ab(self, color: Tensor) -> Tensor:
        """Convert the result of `forward`, (B, 2 or 3, h, w), to CIE ab (B, 2, h, w).

        As published, ab = (2 s - 1) 100, for ReLU as well: the Utrecht paper does not state its scale.
        """
        if self.space == "rgb":
            with torch.autocast(color.device.type, enabled=False):  # rounding of Lab in bf16 is visible
                return rgb_to_lab(color.clamp(0, 1))[:, 1:]
        return (2 * color - 1) * AB_REACH


def _convolutions(channels: Sequence[int], strides: Sequence[int], kernel: int = 3, *, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for (before, after), stride in zip(pairwise(channels), strides, strict=True):
        layers.append(nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=not norm))
        layers += [nn.BatchNorm2d(after)] if norm else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _connected(channels: Sequence[int], *, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers.append(nn.Linear(before, after, bias=not norm))
        layers += [nn.BatchNorm1d(after)] if norm else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
