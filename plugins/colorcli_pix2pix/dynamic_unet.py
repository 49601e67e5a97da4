"""The generator of Shariatnia's published model: fastai's DynamicUnet on a ResNet-18, in its key layout."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorcli_pix2pix.resnet import make_stage
from colorcli_pix2pix.spaces import Space


class DynamicUnet(nn.Module):
    """A U-Net with a ResNet-18 encoder and a linear output, so that colors may exceed -1..1.

    The layers and keys are those of fastai's `DynamicUnet(body, 2, (256, 256))`, where `body` is torchvision's
    ResNet-18 for one channel, without its last two layers:

    * `layers.0`: the body, with skip connections from `.2`, `.4`, `.5` and `.6`
    * `layers.1`, `.3`: batch norm, ReLU and two 3x3 convolutions at the bottom
    * `layers.4` to `.7`: upsampling by pixel shuffle, concatenation with the skip connection, and two convolutions
    * `layers.8`: upsampling by pixel shuffle to the size of the picture, which is concatenated as one more channel
    * `layers.11`, `.12`: a residual block, and the 1x1 convolution that predicts the chroma

    Args:
        width: channels of the body's first stage, the published 64.

    Raises:
        ValueError: the width is below 2.
    """

    space: Space = "lab"

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        if width < 2:
            raise ValueError(f"width must be 2 or more, got {width}")
        body = nn.Sequential(
            nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
            make_stage(width, width, 2),
            make_stage(width, width * 2, 2),
            make_stage(width * 2, width * 4, 2),
            make_stage(width * 4, width * 8, 2),
        )
        deep = width * 8
        bottom = nn.Sequential(_convolution(deep, deep * 2), _convolution(deep * 2, deep))
        ups = [_Up(deep, width * 4)]
        ups.append(_Up(ups[-1].channels, width * 2))
        ups.append(_Up(ups[-1].channels, width))
        ups.append(_Up(ups[-1].channels, width, last=True))
        wide = ups[-1].channels
        self.layers = nn.ModuleDict(
            {
                "0": body,
                "1": nn.BatchNorm2d(deep),
                "3": bottom,
                **{str(4 + index): up for index, up in enumerate(ups)},
                "8": _Doubling(wide, wide),
                "11": _Residual(wide + 1),
                "12": nn.Sequential(nn.Conv2d(wide + 1, 2, 1)),
            }
        )
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, _Doubling):
                module.begin_evenly()
        nn.init.normal_(self.layers["12"][0].weight, std=0.01)  # type: ignore[index]

    def forward(self, gray: Tensor) -> Tensor:
        """Predict chroma (B, 2, H, W) in about -1..1 from gray (B, 1, H, W) in -1..1 of any size."""
        across = []
        x = gray
        for index, layer in enumerate(self.layers["0"].children()):
            x = layer(x)
            if index in {2, 4, 5, 6}:
                across.append(x)
        x = self.layers["3"](self.layers["1"](x).relu())
        for index in range(4, 8):
            x = self.layers[str(index)](x, across.pop())
        x = _fitted(self.layers["8"](x), gray)
        chroma: Tensor = self.layers["12"](self.layers["11"](torch.cat([x, gray], dim=1)))
        return chroma.float()


class _Up(nn.Module):
    """Upsamples the features from below, and combines them with the skip connection.

    Attributes:
        channels: number of channels of the output.
    """

    def __init__(self, below: int, across: int, *, last: bool = False) -> None:
        super().__init__()
        joined = below // 2 + across
        self.channels = joined // 2 if last else joined
        self.shuf = _Doubling(below, below // 2)
        self.bn = nn.BatchNorm2d(across)
        self.conv1 = _convolution(joined, self.channels)
        self.conv2 = _convolution(self.channels, self.channels)

    def forward(self, below: Tensor, across: Tensor) -> Tensor:
        joined = torch.cat([_fitted(self.shuf(below), across), self.bn(across)], dim=1).relu()
        painted: Tensor = self.conv2(self.conv1(joined))
        return painted


class _Doubling(nn.Sequential):
    """Doubles both sides."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(_convolution(before, after * 4, kernel=1), nn.PixelShuffle(2))

    def begin_evenly(self) -> None:
        """Initialize the four subpixels alike, to avoid checkerboard artifacts (Aitken et al. 2017)."""
        weight = next(self.parameters())  # (4 * after, before, 1, 1)
        with torch.no_grad():
            weight.copy_(weight[::4].repeat_interleave(4, dim=0))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1))
        self.convpath = nn.Sequential(_convolution(channels, channels), last)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = (self.convpath(x) + x).relu()
        return added


def _convolution(before: int, after: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.ReLU())


def _fitted(x: Tensor, like: Tensor) -> Tensor:
    """Resize features to the size of others, which may differ after halving odd sides."""
    size = like.shape[-2:]
    return x if x.shape[-2:] == size else functional.interpolate(x, size, mode="nearest")
