"""Pix2Pix on top of an encoder that already recognizes what a picture shows; each generator adds a decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn import functional

from colorcli import defer
from colorcli.encoders import GrayEncoder, PyramidDecoder
from colorcli_pix2pix.categories import CATEGORIES
from colorcli_pix2pix.network import Ensemble
from colorcli_pix2pix.resnet import ResNet34
from colorcli_pix2pix.spaces import AB_REACH, Space

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTHS = (128, 96, 64, 48, 32)
_PREFIX = "generators."


class EncodedGenerator(nn.Module):
    """A U-Net whose contracting path is a pretrained encoder.

    Args:
        encoder: the name of a `colorcli.encoders.GrayEncoder`.
        widths: channels of the decoder, from stride 32 to stride 2.

    Attributes:
        space: the color space, see `colorcli_pix2pix.spaces`.
    """

    space: Space = "lab"

    def __init__(self, encoder: str, widths: Sequence[int] = _WIDTHS) -> None:
        super().__init__()
        self.encoder = GrayEncoder(encoder)
        self.decoder = Decoder(self.encoder.channels, widths)

    def forward(self, gray: Tensor) -> Tensor:
        """Predict chroma (B, 2, H, W) in -1..1 from gray (B, 1, H, W) in -1..1."""
        chroma: Tensor = self.decoder(*self.encoder((gray + 1) * 50))
        return functional.interpolate(chroma, gray.shape[-2:], mode="bilinear", align_corners=False)


class Decoder(nn.Module):
    """The expanding path of a generator."""

    def __init__(self, channels: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.pyramid = PyramidDecoder(channels, widths)
        self.chroma = nn.Conv2d(self.pyramid.channels, 2, 3, padding=1)
        nn.init.normal_(self.chroma.weight, std=0.01)  # starts gray
        nn.init.zeros_(self.chroma.bias)  # type: ignore[arg-type]

    def forward(self, *features: Tensor) -> Tensor:
        """Predict chroma (B, 2, H / 2, W / 2), float32 in -1..1, from the encoder's features, the finest first."""
        chroma: Tensor = self.chroma(self.pyramid(features)).float()
        return chroma.tanh()


class EncodedEnsemble(Ensemble):
    """An ensemble whose generators share one encoder, which sees each picture once.

    In the state dict, keys start with `router.`, `encoder.` or, for the decoder of a generator,
    `generators.CATEGORY.decoder.`.

    Args:
        encoder: see `EncodedGenerator`.
        widths: see `EncodedGenerator`.
        router_width: see `ResNet34`.
        router_size: see `ResNet34`.
    """

    def __init__(
        self, encoder: str, widths: Sequence[int] = _WIDTHS, router_width: int = 64, router_size: int = 224
    ) -> None:
        nn.Module.__init__(self)
        self.space = "lab"
        self.router = defer(ResNet34(router_width, len(CATEGORIES), router_size))
        self.encoder = defer(GrayEncoder(encoder))
        channels = self.encoder.channels
        self.generators = nn.ModuleDict(
            {name: nn.ModuleDict({"decoder": defer(Decoder(channels, widths))}) for name in CATEGORIES}
        )
        self.register_load_state_dict_pre_hook(_share_encoder)  # type: ignore[no-untyped-call]

    def encode(self, lightness: Tensor) -> Sequence[Tensor]:
        features: Sequence[Tensor] = self.encoder(lightness)
        return features

    def color_by(self, category: str, features: Sequence[Tensor]) -> Tensor:
        generator = self.generators[category]
        chroma: Tensor = generator["decoder"](*features)  # type: ignore[index]
        return chroma * AB_REACH


def _share_encoder(_: nn.Module, state: dict[str, Any], *_rest: object) -> None:
    """Keep one encoder of generators that were trained separately, each with the same frozen encoder."""
    for key in [key for key in state if key.startswith(_PREFIX)]:
        member, part, name = key.removeprefix(_PREFIX).split(".", maxsplit=2)
        if member in CATEGORIES and part == "encoder":
            state[f"encoder.{name}"] = state.pop(key)
