"""The generator of Isola et al. 2017: a U-Net, in the key layout in which it is published."""

import torch
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.training.optimization import expect_one_of
from colorcli_pix2pix.spaces import Space


class UnetGenerator(nn.Module):
    """A U-Net that halves the picture `levels` times, with a skip connection at every size.

    Keys and shapes are those of the authors' PyTorch code (`model.model.0.weight`, `model.model.1.model.1.weight`,
    ...) with batch norm, one input channel and two output channels. There and in the papers, dropout is the
    generator's noise and stays active; here it is active in training only, and with the option `noise`, so that the
    result for a picture is always the same.

    Args:
        width: channels of the outermost level, 64 as published; inner levels have 2, 4 and 8 times as many.
        levels: number of times the picture is halved, 8 as published; sides must be multiples of 2 ** levels.
        space: `lab` or `yuv`, see `colorcli_pix2pix.spaces`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, width: int = 64, levels: int = 8, space: Space = "lab") -> None:
        super().__init__()
        expect_one_of("space", space, Space)
        if width < 1 or levels < 5:
            raise ValueError(f"width must be 1 or more and levels 5 or more, got {width} and {levels}")
        self.unit = 2**levels
        self.space = space
        block = _inner(width * 8, width * 8, None)
        for _ in range(levels - 5):
            block = _inner(width * 8, width * 8, block, dropout=True)
        for outer in (4, 2, 1):
            block = _inner(width * outer, width * outer * 2, block)
        self.model = _Block(
            _down(1, width), block, nn.ReLU(inplace=True), _up(width * 2, 2, bias=True), nn.Tanh(), across=False
        )
        self.apply(initialize)

    def forward(self, gray: Tensor) -> Tensor:
        """Predict chroma (B, 2, H, W) in -1..1 from gray (B, 1, H, W) in -1..1.

        Raises:
            UsageError: a side is not a multiple of 2 ** levels.
        """
        unit = self.unit
        height, width = gray.shape[-2:]
        if height % unit or width % unit:
            raise UsageError(
                f"Pictures for this generator must have sides that are multiples of {unit}, got {width}x{height}.",
                "Set sizes and input_size in the recipe.",
            )
        chroma: Tensor = self.model(gray)
        return chroma.float()


class _Block(nn.Module):
    """A level of the U-Net with all levels below it, and a skip connection around them."""

    def __init__(self, *layers: nn.Module, across: bool = True) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)
        self.across = across

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.model(x)  # its first layer rectifies x in place, as the ReLU after the concatenation would
        return torch.cat([x, y], dim=1) if self.across else y


def _inner(outer: int, inner: int, below: _Block | None, *, dropout: bool = False) -> _Block:
    layers: list[nn.Module] = [nn.LeakyReLU(0.2, inplace=True), _down(outer, inner)]
    layers += [] if below is None else [nn.BatchNorm2d(inner), below]
    layers += [nn.ReLU(inplace=True), _up(inner if below is None else inner * 2, outer), nn.BatchNorm2d(outer)]
    layers += [nn.Dropout(0.5)] if dropout else []
    return _Block(*layers)


def _down(before: int, after: int) -> nn.Module:
    return nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)


def _up(before: int, after: int, *, bias: bool = False) -> nn.Module:
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=bias)


def initialize(module: nn.Module) -> None:
    """Initialize a layer as in Isola et al. 2017, section 6.2: normal with deviation 0.02."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, mean=1.0, std=0.02)
        nn.init.zeros_(module.bias)
