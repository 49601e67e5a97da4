"""Frozen networks that say what is in a gray picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorcli.color import lab_to_linear, linear_to_srgb
from colorcli.errors import UsageError
from colorcli.training.optimization import expect_one_of

ExtractorName = Literal["inception-resnet-v2", "inception-v3", "convnext-tiny", "resnet34-grey", "none"]
_SEED = 0  # of the selection of dimensions
_CATEGORIES = 6  # of the router whose features `resnet34-grey` gives


class Extractor(nn.Module):
    """Turns a gray picture into an embedding, and never learns: no gradients, and its statistics stay.

    Its weights are in the state dict of the network that it is part of, so that a weights file is complete.

    Args:
        name: `inception-resnet-v2` (timm's) as published, `inception-v3` or `convnext-tiny` (torchvision's), whose
            1,000 logits are the embedding; `resnet34-grey`, the router of pix2pix, whose 8 `width` features are;
            or `none`.
        width: channels of the first layer of `resnet34-grey`.
        size: the square in pixels that `resnet34-grey` looks at; the others have sizes of their own.
        dimensions: how many are used, a random but fixed selection that the state dict has as `selection`; None = all.

    Attributes:
        dimensions: how long an embedding is.
        model: the network; None without one.
        given: whether a state dict has brought its weights.

    Raises:
        ValueError: an argument has a value that it cannot have.
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
            raise ValueError(f"dimensions is {dimensions}, and the extractor {name} has {available} to choose from")
        self.dimensions = available if dimensions is None else dimensions
        self.register_buffer("selection", None if dimensions is None else _selection(available, dimensions))
        self.given = False
        self.register_load_state_dict_post_hook(_remember)  # type: ignore[no-untyped-call]
        self.requires_grad_(requires_grad=False).train(mode=False)

    def train(self, mode: bool = True) -> "Extractor":
        """Stay in eval mode, whatever the network around it does."""
        return super().train(mode=False)

    @torch.no_grad()
    def forward(self, lightness: Tensor) -> Tensor:
        """Turn CIE L* (B, 1, H, W) in 0..100 into embeddings (B, dimensions) float32."""
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
    """Make the network, untrained, and say how many dimensions its embedding has."""
    if name == "none":
        return None, 0
    if name == "resnet34-grey":
        from colorcli_pix2pix.resnet import ResNet34

        return ResNet34(width, _CATEGORIES, size), 8 * width
    return _PUBLISHED[name].make(), 1000


def _selection(available: int, dimensions: int) -> Tensor:
    chosen = torch.randperm(available, generator=torch.Generator().manual_seed(_SEED))[:dimensions]
    return chosen.sort().values


# The published ones


@dataclass(frozen=True)
class _Published:
    """A classifier of ImageNet, and how it was given its pictures."""

    make: Callable[[], nn.Module]
    size: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def prepare(self, lightness: Tensor) -> Tensor:
        """Turn CIE L* (B, 1, H, W) in 0..100 into gray as red, green and blue (B, 3, size, size), scaled."""
        small = functional.interpolate(lightness, (self.size, self.size), mode="bilinear", antialias=True)
        gray = linear_to_srgb(lab_to_linear(small, small.new_zeros(1, 2, 1, 1)).clamp(0, 1))
        mean, deviation = (gray.new_tensor(values)[:, None, None] for values in (self.mean, self.deviation))
        return (gray - mean) / deviation


def _inception_resnet_v2() -> nn.Module:
    try:
        import timm
    except ImportError:
        raise UsageError(
            "The extractor inception-resnet-v2 needs timm, which is not installed.",
            "Run `pip install 'colorcli[timm]'`, or choose another extractor.",
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


_TO_UNIT = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)  # 0..1 to -1..1
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_PUBLISHED = {
    "inception-resnet-v2": _Published(_inception_resnet_v2, 299, *_TO_UNIT),
    "inception-v3": _Published(_inception_v3, 299, *_TO_UNIT),
    "convnext-tiny": _Published(_convnext_tiny, 224, *_IMAGENET),
}
