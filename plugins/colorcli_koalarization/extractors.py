"""Frozen classifiers whose embedding describes the content of a gray picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorcli.color import lightness_to_gray
from colorcli.encoders import EfficientNetLite
from colorcli.errors import UsageError
from colorcli.training.optimization import expect_one_of

ExtractorName = Literal[
    "inception-resnet-v2",
    "inception-v3",
    "convnext-tiny",
    "efficientnet-lite0",
    "efficientnet-lite2",
    "resnet34-grey",
    "none",
]
_SEED = 0  # seed for the selection of dimensions
_CATEGORIES = 6  # categories of the router on whose features `resnet34-grey` is based


class Extractor(nn.Module):
    """Computes the embedding of a gray picture. It is never trained: no gradients, and fixed batch statistics.

    Its weights are part of the state dict of the network that it belongs to, so that a weights file is complete.

    Args:
        name: `inception-resnet-v2` (timm) as published, `inception-v3` or `convnext-tiny` (torchvision),
            `efficientnet-lite0` or `efficientnet-lite2`, with their 1,000 logits as the embedding; `resnet34-grey`,
            the router of pix2pix, with its 8 `width` features; or `none`.
        width: channels of the first layer of `resnet34-grey`.
        size: side of the square input of `resnet34-grey` in pixels; the others have fixed sizes.
        dimensions: number of dimensions to use, a random but fixed selection, saved as `selection` in the state dict;
            None for all.

    Attributes:
        dimensions: length of the embedding.
        model: the classifier; None without one.
        given: whether its weights were loaded from a state dict.

    Raises:
        ValueError: an argument is out of range.
        UsageError: timm, which the published extractor needs, is not installed.
    """

    model: Any
    selection: Tensor | None

    def __init__(
        self, name: ExtractorName, *, width: int = 16, size: int = 112, dimensions: int | None = None
    ) -> None:
        super().__init__()
        expect_one_of("extractor", name, ExtractorName)
        self.name = name
        self.model, available = _made(name, width, size)
        if dimensions is not None and not 0 < dimensions <= available:
            raise ValueError(f"dimensions must be from 1 to {available} for the extractor {name}, got {dimensions}")
        self.dimensions = available if dimensions is None else dimensions
        self.register_buffer("selection", None if dimensions is None else _selection(available, dimensions))
        self.given = False
        self.register_load_state_dict_post_hook(_remember)  # type: ignore[no-untyped-call]
        self.requires_grad_(requires_grad=False).train(mode=False)

    def train(self, mode: bool = True) -> "Extractor":
        """Stay in eval mode, regardless of the surrounding network."""
        return super().train(mode=False)

    @torch.no_grad()
    def forward(self, lightness: Tensor) -> Tensor:
        """Compute embeddings (B, dimensions), float32, from CIE L* (B, 1, H, W) in 0..100."""
        if self.model is None:
            return lightness.new_zeros(len(lightness), 0)
        if self.name == "resnet34-grey":
            embedding: Tensor = self.model.features(lightness)
        else:
            embedding = self.model(_PUBLISHED[self.name].prepare(lightness))
        embedding = embedding.float()
        return embedding if self.selection is None else embedding[:, self.selection]


def _remember(extractor: nn.Module, _keys: object) -> None:
    extractor.given = True  # type: ignore[assignment]


def _made(name: ExtractorName, width: int, size: int) -> tuple[nn.Module | None, int]:
    """Make the untrained classifier, and return it with the number of dimensions of its embedding."""
    if name == "none":
        return None, 0
    if name == "resnet34-grey":
        from colorcli_pix2pix.resnet import ResNet34

        return ResNet34(width, _CATEGORIES, size), 8 * width
    return _PUBLISHED[name].make(), 1000


def _selection(available: int, dimensions: int) -> Tensor:
    chosen = torch.randperm(available, generator=torch.Generator().manual_seed(_SEED))[:dimensions]
    return chosen.sort().values


# Published classifiers


@dataclass(frozen=True)
class _Published:
    """An ImageNet classifier and its preprocessing."""

    make: Callable[[], nn.Module]
    size: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def prepare(self, lightness: Tensor) -> Tensor:
        """Convert CIE L* (B, 1, H, W) in 0..100 to normalized gray RGB (B, 3, size, size)."""
        small = functional.interpolate(lightness.float(), (self.size, self.size), mode="bilinear", antialias=True)
        gray = lightness_to_gray(small).clamp(0, 1)
        mean, deviation = (gray.new_tensor(values)[:, None, None] for values in (self.mean, self.deviation))
        return (gray - mean) / deviation


def _inception_resnet_v2() -> nn.Module:
    try:
        import timm
    except ImportError:
        raise UsageError(
            "The extractor inception-resnet-v2 needs timm, which is not installed.",
            'Install it: pip install "colorcli[timm]". Or choose another extractor.',
        ) from None
    model: nn.Module = timm.create_model("inception_resnet_v2", pretrained=False)
    return model


def _inception_v3() -> nn.Module:
    from torchvision.models import inception_v3

    model: nn.Module = inception_v3(weights=None, aux_logits=False, init_weights=True)
    return model


def _convnext_tiny() -> nn.Module:
    from torchvision.models import convnext_tiny

    model: nn.Module = convnext_tiny(weights=None)
    return model


def _efficientnet_lite0() -> nn.Module:
    return EfficientNetLite("efficientnet-lite0", classes=1000)


def _efficientnet_lite2() -> nn.Module:
    return EfficientNetLite("efficientnet-lite2", classes=1000)


_TO_UNIT = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)  # 0..1 to -1..1
_LITE = (127 / 255,) * 3, (128 / 255,) * 3
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_PUBLISHED = {
    "inception-resnet-v2": _Published(_inception_resnet_v2, 299, *_TO_UNIT),
    "inception-v3": _Published(_inception_v3, 299, *_TO_UNIT),
    "convnext-tiny": _Published(_convnext_tiny, 224, *_IMAGENET),
    "efficientnet-lite0": _Published(_efficientnet_lite0, 224, *_LITE),
    "efficientnet-lite2": _Published(_efficientnet_lite2, 260, *_LITE),
}
