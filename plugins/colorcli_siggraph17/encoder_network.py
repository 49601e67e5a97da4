"""A network that takes hints, on one that already recognizes what a picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from colorcli.encoders import GrayEncoder, PyramidDecoder, convolution
from colorcli_siggraph17.network import AB_REACH, network_input

if TYPE_CHECKING:
    from collections.abc import Sequence


class EncodedSiggraph17Network(nn.Module):
    """A trained encoder of the lightness, a light one of the hints, and a decoder that gets the features of both.

    Args:
        encoder: the name of a `colorcli.encoders.GrayEncoder`.
        widths: widths of the decoder at strides 32, 16, 8, 4 and 2; the finest may be left out.
        hint_widths: widths of the hints' encoder at strides 2, 4, 8, 16 and 32.
    """

    def __init__(
        self,
        encoder: str,
        widths: Sequence[int] = (192, 160, 128, 96, 48),
        hint_widths: Sequence[int] = (16, 32, 48, 64, 64),
    ) -> None:
        super().__init__()
        self.encoder = GrayEncoder(encoder)
        strides = len(self.encoder.channels)
        if len(hint_widths) != strides:
            raise ValueError(f"hint_widths must be {strides}, one for each stride of the encoder")
        inputs = [4, *hint_widths]
        self.hints = nn.ModuleList(
            nn.Sequential(nn.AvgPool2d(2), convolution(before, after), convolution(after, after))
            for before, after in zip(inputs, hint_widths, strict=False)
        )
        channels = [own + more for own, more in zip(self.encoder.channels, hint_widths, strict=True)]
        self.decoder = PyramidDecoder(channels, widths)
        self.out = nn.Conv2d(self.decoder.channels, 2, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, lightness: Tensor, hints: Tensor) -> Tensor:
        """Turn L* (B, 1, H, W) in 0..100 and hints (B, 3, H, W), ab and mask, into ab (B, 2, H / s, W / s).

        s is the stride of the decoder's last width; H and W are multiples of 32.
        """
        x = network_input(lightness, hints)
        pyramid = []
        for features, level in zip(self.encoder(lightness), self.hints, strict=True):
            x = level(x)
            pyramid.append(torch.cat([features, x], dim=1))
        ab: Tensor = self.out(self.decoder(pyramid)).tanh() * AB_REACH
        return ab
