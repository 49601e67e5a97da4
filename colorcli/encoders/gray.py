"""A trained network as the encoder of a colorizer: it sees lightness, and learns little or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from colorcli.color import lightness_to_gray
from colorcli.encoders.efficientnet_lite import DIMENSIONS, STRIDES, VARIANTS, EfficientNetLite
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMM = "timm/"


class GrayEncoder(nn.Module):
    """Turns lightness into a pyramid of features.

    Its weights are in the state dict of the network that it is part of, so that a weights file is complete.

    Args:
        name: a name in `colorcli.encoders.efficientnet_lite.VARIANTS`, or `timm/` and the name of one of timm's
            backbones.
        embeds: whether it has the layers that `embed` needs; timm's backbones do not.

    Attributes:
        channels: channels of the features at each stride, the finest first.
        strides: strides of the features.
        dimensions: length of an embedding.
        given: whether its weights were loaded from a state dict.

    Raises:
        ValueError: the name is unknown.
        UsageError: timm is not installed.
    """

    def __init__(self, name: str, *, embeds: bool = False) -> None:
        super().__init__()
        self.name = name
        self.channels: Sequence[int]
        self.strides: Sequence[int]
        self.dimensions = DIMENSIONS
        if name.startswith(_TIMM) and not embeds:
            self.model: nn.Module = _timm_backbone(name.removeprefix(_TIMM))
            info = self.model.feature_info
            self.channels, self.strides = info.channels(), info.reduction()  # type: ignore[operator, union-attr]
        elif name in VARIANTS:
            self.model = EfficientNetLite(name, inputs=1, embeds=embeds)
            self.channels, self.strides = self.model.channels, STRIDES
        else:
            raise ValueError(f"encoder must be one of {', '.join(VARIANTS)} or timm/NAME, got {name!r}")
        self.given = False
        self.register_load_state_dict_post_hook(_remember)  # type: ignore[no-untyped-call]

    def train(self, mode: bool = True) -> GrayEncoder:
        """Stay in eval mode, whatever the network around it does: small batches would spoil timm's batch norms."""
        return super().train(mode=False)

    def learn(self, *, enabled: bool, finest: int = STRIDES[0]) -> None:
        """Choose which of the weights learn.

        Args:
            enabled: whether any weights learn.
            finest: the stride at which learning starts; the layers of finer strides, which take most of the time and
                change least, stay as they are.

        Raises:
            UsageError: the encoder does not have the stride, or is one of timm's, which learn as a whole.
        """
        self.requires_grad_(requires_grad=enabled)
        if not enabled or finest == STRIDES[0]:
            return
        if not isinstance(self.model, EfficientNetLite) or finest not in STRIDES:
            strides = (
                ", ".join(map(str, STRIDES)) if isinstance(self.model, EfficientNetLite) else "2 for encoders of timm"
            )
            raise UsageError(f"encoder_stride must be {strides}, got {finest}.", "Change it in the recipe.")
        self.model.freeze_above(finest)

    def forward(self, lightness: Tensor) -> tuple[Tensor, ...]:
        """Compute features (B, C, H / stride, W / stride), the finest first, from CIE L* (B, 1, H, W) in 0..100."""
        return self.of_luma(lightness_to_gray(lightness))

    def of_luma(self, luma: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of `forward` from sRGB-encoded gray (B, 1, H, W) in 0..1."""
        if isinstance(self.model, EfficientNetLite):
            return tuple(self.model.features((luma * 255 - 127) / 128))
        return tuple(self.model((luma - 0.449) / 0.226))

    def embed(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Compute the features that the classifier uses, (B, dimensions), from those of `forward`."""
        embedding: Tensor = self.model.embed(pyramid[-1])  # type: ignore[operator]
        return embedding


def _remember(encoder: nn.Module, _keys: object) -> None:
    encoder.given = True  # type: ignore[assignment]


def _timm_backbone(name: str) -> nn.Module:
    try:
        import timm
    except ImportError:
        raise UsageError(
            f"The encoder {_TIMM}{name} needs timm, which is not installed.",
            'Install it: pip install "colorcli[timm]"',
        ) from None
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, features_only=True, in_chans=1)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"encoder: {error}") from None
    return model
