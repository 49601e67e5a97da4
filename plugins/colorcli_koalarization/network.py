"""The network of "Deep Koalarization" (Baldassarre, González Morín and Rodés-Guirao, 2017)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli_koalarization.extractors import Extractor, ExtractorName

AB_REACH = 127.0  # the network's -1..1 stands for ab in -127..127


class KoalarizationNetwork(nn.Module):
    """Fuses the features of an encoder with the embedding of a frozen extractor, and decodes them into chroma.

    No weights were published, so the names are ours. The layers are 3x3 unless noted, with ReLU:

    * encoder, 8 convolutions: `encoder.0` to `.7`, each with its convolution at `.conv`
    * extractor, frozen: `extractor.model`
    * fusion, a 1x1 convolution: `fusion.conv`; its input is the encoder's features, followed by the embedding
    * decoder, 5 convolutions: `decoder.0`, `.2`, `.3`, `.5`, and the output `.6`

    The published network ends with nearest-neighbor upsampling by 2; here the host upsamples, more smoothly.

    Args:
        width: width of encoder, fusion and decoder, relative to the published one; channels are multiples of 8.
        norm: batch norm between each convolution and its ReLU instead of a bias, for faster training; the published
            network has none.
        bins: 0 to regress ab with tanh, as published; otherwise, number of equal bins of -127..127 for a, and likewise
            for b, for the cross-entropy.
        extractor: see `colorcli_koalarization.extractors.Extractor`.
        extractor_width: channels of the first layer of `resnet34-grey`.
        extractor_size: side of the square input of `resnet34-grey` in pixels.
        dimensions: number of dimensions of the embedding to use, a random but fixed selection; None for all.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        width: float = 1.0,
        *,
        norm: bool = False,
        bins: int = 0,
        extractor: ExtractorName = "inception-resnet-v2",
        extractor_width: int = 16,
        extractor_size: int = 112,
        dimensions: int | None = None,
    ) -> None:
        super().__init__()
        if width <= 0 or bins < 0 or bins == 1:
            raise ValueError(f"width must be above 0 and bins 0 or at least 2, got width {width} and bins {bins}")
        self.bins = bins
        c32, c64, c128, c256, c512 = (max(8, round(width * n / 8) * 8) for n in (32, 64, 128, 256, 512))
        encoder = [1, c64, c128, c128, c256, c256, c512, c512, c256]
        self.encoder = nn.Sequential(*_layers(encoder, [2, 1, 2, 1, 2, 1, 1, 1], norm=norm))
        self.extractor = Extractor(extractor, width=extractor_width, size=extractor_size, dimensions=dimensions)
        self.fusion = Layer(c256 + self.extractor.dimensions, c256, kernel=1, norm=norm)
        self.decoder = nn.Sequential(
            *_layers([c256, c128], [1], norm=norm),
            nn.Upsample(scale_factor=2),
            *_layers([c128, c64, c64], [1, 1], norm=norm),
            nn.Upsample(scale_factor=2),
            *_layers([c64, c32], [1], norm=norm),
            nn.Conv2d(c32, 2 * (bins or 1), 3, padding=1),
        )
        last = self.decoder[-1]
        nn.init.normal_(last.weight, std=0.01)  # type: ignore[arg-type]  # starts gray
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, lightness: Tensor) -> Tensor:
        """Predict colors.

        Args:
            lightness: (B, 1, H, W), CIE L* in 0..100, H and W multiples of 8.

        Returns:
            (B, 2, H / 2, W / 2) float32 in -1..1; with bins, logits (B, 2 bins, H / 2, W / 2), of a, then of b.

        Raises:
            UsageError: a side is not a multiple of 8.
        """
        return self.color(lightness, self.extractor(lightness))

    def color(self, lightness: Tensor, embedding: Tensor) -> Tensor:
        """Predict colors as `forward` does, from the extractor's embedding (B, dimensions)."""
        height, width = lightness.shape[-2:]
        if height % 8 or width % 8:
            raise UsageError(
                f"Pictures for koalarization must have sides that are multiples of 8, got {width}x{height}.",
                "Set sizes and input_size in the recipe.",
            )
        local = self.encoder(lightness / 50 - 1)
        everywhere = embedding[:, :, None, None].expand(-1, -1, *local.shape[-2:])  # (B, E) -> (B, E, H / 8, W / 8)
        colored: Tensor = self.decoder(self.fusion(torch.cat([local, everywhere], dim=1))).float()
        return colored if self.bins else colored.tanh()

    def to_ab(self, colored: Tensor) -> Tensor:
        """Convert the result of `forward` to CIE ab (B, 2, h, w); with bins, the mean of each distribution."""
        if not self.bins:
            return colored * AB_REACH
        B, _, h, w = colored.shape
        probability = colored.view(B, 2, self.bins, h, w).softmax(dim=2)
        centers = (torch.arange(self.bins, device=colored.device) + 0.5) * (2 * AB_REACH / self.bins) - AB_REACH
        return torch.einsum("bcnhw,n->bchw", probability, centers)


class Layer(nn.Sequential):
    """A convolution with ReLU; with stride 2, the sides of its input (B, before, H, W) must be even.

    Padding is TensorFlow's SAME, as published: at stride 2, one row at the bottom and one column on the right.
    """

    def __init__(self, before: int, after: int, stride: int = 1, kernel: int = 3, *, norm: bool) -> None:
        super().__init__()
        if stride == 2:
            self.pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2 if stride == 1 else 0, bias=not norm)
        if norm:
            self.norm = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)


def _layers(channels: Sequence[int], strides: Sequence[int], *, norm: bool) -> list[Layer]:
    return [
        Layer(before, after, stride, norm=norm)
        for (before, after), stride in zip(pairwise(channels), strides, strict=True)
    ]
