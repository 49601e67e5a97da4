"""The discriminator of Isola et al. 2017: PatchGAN, which classifies a picture patch by patch."""

import torch
from torch import Tensor, nn

from colorcli_pix2pix.unet import initialize


class PatchDiscriminator(nn.Module):
    """Classifies each 70x70 patch as real or generated: C64-C128-C256-C512 of Isola et al. 2017, section 6.1.2.

    Keys and shapes are those of the authors' PyTorch code (`model.0.weight`, ...) with three input channels.

    Args:
        width: channels of the first layer, 64 as published.

    Raises:
        ValueError: the width is below 1.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"the width of a discriminator must be 1 or more, got {width}")
        self.model = nn.Sequential(
            _convolution(3, width, stride=2, bias=True),
            nn.LeakyReLU(0.2, inplace=True),
            *_normed(width, width * 2, stride=2),
            *_normed(width * 2, width * 4, stride=2),
            *_normed(width * 4, width * 8, stride=1),
            _convolution(width * 8, 1, stride=1, bias=True),
        )
        self.apply(initialize)

    def forward(self, gray: Tensor, chroma: Tensor) -> Tensor:
        """Compute logits (B, 1, H / 8 - 2, W / 8 - 2) from gray (B, 1, H, W) and chroma (B, 2, H, W) in -1..1.

        A larger logit means that the patch looks more like a real picture.
        """
        logits: Tensor = self.model(torch.cat([gray, chroma], dim=1))
        return logits.float()


def _normed(before: int, after: int, stride: int) -> list[nn.Module]:
    return [
        _convolution(before, after, stride=stride, bias=False),
        nn.BatchNorm2d(after),
        nn.LeakyReLU(0.2, inplace=True),
    ]


def _convolution(before: int, after: int, *, stride: int, bias: bool) -> nn.Module:
    return nn.Conv2d(before, after, 4, stride, padding=1, bias=bias)
