"""ResNet-34 (He, Zhang, Ren and Sun, CVPR 2016), a classifier of gray pictures.

torchvision has the same network, but only with 64 channels in its first stage; and importing torchvision takes two
seconds of processor time beside torch (measured), by which every start of `colorcli run` would be slower.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

_BLOCKS_OF_STAGES = (3, 4, 6, 3)


class ResNet34(nn.Module):
    """A ResNet-34 of variable width, with torchvision's keys (`layer1.0.conv1.weight`, ...).

    Args:
        width: channels of the first stage, 64 as published; the other three have 2, 4 and 8 times as many.
        classes: number of categories.
        size: side of the square to which all pictures are scaled, in pixels.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, width: int = 64, classes: int = 6, size: int = 224) -> None:
        super().__init__()
        if width < 1 or classes < 1 or size < 32:
            raise ValueError(
                f"width and classes must be 1 or more and size 32 or more, got {width}, {classes} and {size}"
            )
        self.size = size
        self.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        stages = [
            make_stage(before, after, blocks)
            for (before, after), blocks in zip(
                pairwise((width, width, width * 2, width * 4, width * 8)), _BLOCKS_OF_STAGES, strict=True
            )
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(width * 8, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, lightness: Tensor) -> Tensor:
        """Compute logits (B, classes) from L* (B, 1, H, W) in 0..100."""
        logits: Tensor = self.fc(self.features(lightness))
        return logits.float()

    def features(self, lightness: Tensor) -> Tensor:
        """Compute the features before the last layer, (B, 8 * width), from L* (B, 1, H, W) in 0..100."""
        x = (self._resized(lightness) - 50) / 25  # roughly mean and deviation of photographs
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        pooled: Tensor = x.mean(dim=(2, 3))
        return pooled

    def _resized(self, lightness: Tensor) -> Tensor:
        size = (self.size, self.size)
        if lightness.shape[-2:] == size:
            return lightness
        return functional.interpolate(lightness.float(), size, mode="bilinear", antialias=True)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a residual: (B, before, h, w) to (B, after, h / stride, w / stride)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = nn.Sequential()
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y)) + self.downsample(x)
        added: Tensor = self.relu(y)
        return added


def make_stage(before: int, after: int, blocks: int) -> nn.Sequential:
    """Chain blocks; the first one halves the sides if it changes the number of channels."""
    first = BasicBlock(before, after, stride=1 if before == after else 2)
    return nn.Sequential(first, *(BasicBlock(after, after, stride=1) for _ in range(blocks - 1)))
