"""Zhang's classification of color on top of an encoder that already recognizes what a picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from colorcli.encoders import GrayEncoder, PyramidDecoder
from colorcli_zhang.network import BinClassifier

if TYPE_CHECKING:
    from collections.abc import Sequence


class EncodedZhangNetwork(BinClassifier):
    """A pretrained encoder and a light decoder that classify the color of every fourth pixel.

    Args:
        encoder: the name of a `colorcli.encoders.GrayEncoder`.
        widths: channels of the decoder at strides 32, 16, 8 and 4.
        classes: number of bins.
        folded_temperature: the temperature already included in the logits.
    """

    def __init__(
        self,
        encoder: str,
        widths: Sequence[int] = (192, 160, 128, 96),
        classes: int = 313,
        folded_temperature: float = 1.0,
    ) -> None:
        super().__init__(folded_temperature)
        self.encoder = GrayEncoder(encoder)
        self.decoder = PyramidDecoder(self.encoder.channels, widths)
        self.classifier = nn.Conv2d(self.decoder.channels, classes, 1)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)  # type: ignore[arg-type]
        self._add_centers(classes)

    def features(self, lightness: Tensor) -> Tensor:
        features: Tensor = self.decoder(self.encoder(lightness))
        return features

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(features)
        return logits
