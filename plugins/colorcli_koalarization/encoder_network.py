"""Koalarization with an available classifier, whose single pass yields local features and the embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from colorcli.encoders import Fusion, GrayEncoder, Level, PyramidDecoder
from colorcli_koalarization.network import AB_REACH

if TYPE_CHECKING:
    from collections.abc import Sequence


class EncodedKoalarizationNetwork(nn.Module):
    """A network that fuses local features of a frozen classifier with its embedding of the picture, and decodes them.

    As published, the classifier never learns, and its embedding is joined to local features at stride 8. Unlike the
    published ones, these come from the layers of the classifier, not from an encoder trained from scratch.

    Args:
        encoder: the classifier, the name of a `colorcli.encoders.GrayEncoder`; backbones of timm have no embedding.
        widths: channels of the local features at strides 32, 16 and 8, and of the decoder at stride 4.

    Attributes:
        bins: 0, because it predicts chroma directly, see `KoalarizationNetwork`.
    """

    bins = 0

    def __init__(self, encoder: str, widths: Sequence[int] = (192, 128, 96, 64)) -> None:
        super().__init__()
        *local, fine = widths
        self.encoder = GrayEncoder(encoder, embeds=True)
        channels = self.encoder.channels
        self.local = PyramidDecoder(channels, local)
        self.fusion = Fusion(self.local.channels, self.encoder.dimensions)
        self.level = Level(self.local.channels, channels[-1 - len(local)], fine)
        self.color = nn.Conv2d(fine, 2, 3, padding=1)
        nn.init.normal_(self.color.weight, std=0.01)  # starts gray
        nn.init.zeros_(self.color.bias)  # type: ignore[arg-type]

    def forward(self, lightness: Tensor) -> Tensor:
        """Predict the color of pictures.

        Args:
            lightness: (B, 1, H, W), CIE L* in 0..100, H and W multiples of 32.

        Returns:
            Color (B, 2, H / 4, W / 4), float32 in -1..1, for `to_ab`.
        """
        pyramid = self.encoder(lightness)
        local = self.local(pyramid)
        fused = self.fusion(local, self.encoder.embed(pyramid))
        color: Tensor = self.color(self.level(fused, pyramid[-2 - len(self.local.levels)]))
        return color.float().tanh()

    def to_ab(self, color: Tensor) -> Tensor:
        """Convert the color from `forward` to CIE ab (B, 2, h, w)."""
        return color * AB_REACH
