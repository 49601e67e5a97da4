"""Zhang's classification of color on a network that already recognizes what a picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from colorcli.encoders import GrayEncoder, PyramidDecoder
from colorcli_zhang.bins import AB_UNIT

if TYPE_CHECKING:
    from collections.abc import Sequence


class EncodedZhangNetwork(nn.Module):
    """A trained encoder and a light decoder, which classify every fourth pixel's color.

    Args:
        encoder: as `colorcli.encoders.GrayEncoder` has it.
        widths: of the decoder at strides 32, 16, 8 and 4.
        classes: how many bins.
        folded_temperature: what the logits are already divided by.
    """

    def __init__(
        self,
        encoder: str,
        widths: Sequence[int] = (192, 160, 128, 96),
        classes: int = 313,
        folded_temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.folded_temperature = folded_temperature
        self.encoder = GrayEncoder(encoder)
        self.decoder = PyramidDecoder(self.encoder.channels, widths)
        self.classifier = nn.Conv2d(self.decoder.channels, classes, 1)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)  # type: ignore[arg-type]
        # As in the published network; no module here that the host would turn into bf16.
        centers = nn.Parameter(torch.zeros(2, classes, 1, 1), requires_grad=False)
        self.model_out = nn.ParameterDict({"weight": centers})

    def set_centers(self, centers: Tensor) -> None:
        """Say which colors the classes stand for: (Q, 2) ab."""
        with torch.no_grad():
            self.model_out["weight"].copy_((centers.T / AB_UNIT)[:, :, None, None])

    @property
    def centers(self) -> Tensor:
        """The colors that the classes stand for: (Q, 2) ab."""
        weight: Tensor = self.model_out["weight"]
        return weight[:, :, 0, 0].T * AB_UNIT

    def forward(self, lightness: Tensor) -> Tensor:
        """Turn L* (B, 1, H, W) in 0..100 into logits (B, Q, H / 4, W / 4)."""
        logits: Tensor = self.classifier(self.decoder(self.encoder(lightness)))
        return logits
