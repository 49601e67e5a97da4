"""The network of "Deep Koalarization" (Baldassarre, González Morín and Rodés-Guirao, 2017)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli_koalarization.extractors import Extractor, ExtractorName

AB_REACH = 127.0  # the network's -1..1 stands for ab in -127..127


class KoalarizationNetwork(nn.Module):
    """An encoder's features and a frozen extractor's embedding of the picture are fused and decoded into chroma.

    No weights were ever published, so the names are ours; the layers are these, 3x3 unless noted, with ReLU:

    * encoder, 8 convolutions: `encoder.0` to `.7`, each with its convolution at `.conv`
    * extractor, frozen: `extractor.model`
    * fusion, a 1x1 convolution: `fusion.conv`, whose input is the encoder's features and then the embedding
    * decoder, 5 convolutions: `decoder.0`, `.2`, `.3`, `.5`, and the output `.6`

    Published is a doubling of the output by repetition at the end; it is left to the host, who enlarges more smoothly.

    Args:
        width: of encoder, fusion and decoder, as a share of the published one; channels are multiples of 8.
        norm: batch norm between each convolution and its ReLU, instead of a bias, for faster training; the published
            network has none.
        bins: 0 regresses ab with tanh, as published; more classifies a and b into so many equal parts of -127..127
            each, for the cross-entropy.
        extractor: what the embedding is of, see `colorcli_koalarization.extractors.Extractor`.
        extractor_width: channels of the first layer of `resnet34-grey`.
        extractor_size: the square in pixels that `resnet34-grey` looks at.
        dimensions: how many of the extractor's are used, a random but fixed selection; None = all.

    Raises:
        ValueError: an argument has a value that it cannot have.
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
            raise ValueError("width above 0 and bins, 0 or from 2, were expected")
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
        nn.init.normal_(last.weight, std=0.01)  # type: ignore[arg-type]  # begins gray
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, lightness: Tensor) -> Tensor:
        """Color pictures.

        Args:
            lightness: (B, 1, H, W), CIE L* in 0..100, H and W multiples of 8.

        Returns:
            (B, 2, H / 2, W / 2) float32 in -1..1; with bins, logits (B, 2 bins, H / 2, W / 2), first a's, then b's.

        Raises:
            UsageError: a side is no multiple of 8.
        """
        return self.color(lightness, self.extractor(lightness))

    def color(self, lightness: Tensor, embedding: Tensor) -> Tensor:
        """Do as `forward` does, given the extractor's embedding (B, dimensions) of the picture."""
        height, width = lightness.shape[-2:]
        if height % 8 or width % 8:
            raise UsageError(
                f"koalarization takes pictures whose sides are multiples of 8, not {width}x{height}.",
                "A recipe says so with sizes and input_size.",
            )
        local = self.encoder(lightness / 50 - 1)
        everywhere = embedding[:, :, None, None].expand(-1, -1, *local.shape[-2:])  # (B, E) -> (B, E, H / 8, W / 8)
        colored: Tensor = self.decoder(self.fusion(torch.cat([local, everywhere], dim=1))).float()
        return colored if self.bins else colored.tanh()

    def to_ab(self, colored: Tensor) -> Tensor:
        """Turn what `forward` gave into CIE ab (B, 2, h, w); of a classification, the mean of each distribution."""
        if not self.bins:
            return colored * AB_REACH
        B, _, h, w = colored.shape
        probability = colored.view(B, 2, self.bins, h, w).softmax(dim=2)
        centers = (torch.arange(self.bins, device=colored.device) + 0.5) * (2 * AB_REACH / self.bins) - AB_REACH
        return torch.einsum("bcnhw,n->bchw", probability, centers)


class Layer(nn.Sequential):
    """A convolution with ReLU, of an input (B, before, H, W) with even sides where it strides.

    Its padding is TensorFlow's SAME, as published: at stride 2 one row below and one column on the right.
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
