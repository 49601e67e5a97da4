"""The kinds of network that `build` makes, and how each of them colors pictures."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from colorcli import Prediction, defer
from colorcli.errors import UsageError
from colorcli_pix2pix.categories import CATEGORIES
from colorcli_pix2pix.dynamic_unet import DynamicUnet
from colorcli_pix2pix.resnet import ResNet34
from colorcli_pix2pix.spaces import Space, decode_color, encode_gray
from colorcli_pix2pix.unet import UnetGenerator

AUTO = "auto"


class Ensemble(nn.Module):
    """A router that classifies pictures, and a generator for each category (Edinburgh paper, section 3.3).

    Its members are moved to the device when a picture first needs them. Their keys are those of the members under
    `router.` and `generators.CATEGORY.`.

    Args:
        width: width of the generators, see `UnetGenerator`.
        levels: likewise.
        space: likewise.
        router_width: see `ResNet34`.
        router_size: likewise.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        width: int = 64,
        levels: int = 8,
        space: Space = "lab",
        router_width: int = 64,
        router_size: int = 224,
    ) -> None:
        super().__init__()
        self.space = space
        self.router = defer(ResNet34(router_width, len(CATEGORIES), router_size))
        self.generators = nn.ModuleDict({name: defer(UnetGenerator(width, levels, space)) for name in CATEGORIES})

    def forward(self, lightness: Tensor, category: str = AUTO, *, blend: bool = False) -> Prediction:
        """Color pictures.

        Args:
            lightness: (B, 1, H, W), L* in 0..100.
            category: category of all pictures; with `auto`, the router chooses one for each picture.
            blend: mix all generators' colors by the router's probabilities, if `category` is `auto`.

        Returns:
            ab (B, 2, H, W), and for each picture its category, with the probability where the router chose it.
        """
        if category != AUTO:
            ab = self.color_by(category, self.encode(lightness))
            return Prediction(ab, [{"category": category}] * len(lightness))
        probabilities = self.router(lightness).softmax(dim=1)  # (B, 6)
        likeliest, chosen = probabilities.max(dim=1)
        notes = [
            {"category": CATEGORIES[index], "probability": probability}
            for index, probability in zip(chosen.tolist(), likeliest.tolist(), strict=True)
        ]
        features = self.encode(lightness)
        return Prediction(self._blended(features, probabilities) if blend else self._routed(features, chosen), notes)

    def encode(self, lightness: Tensor) -> Sequence[Tensor]:
        """Compute the features (B, ...) of pictures (B, 1, H, W) that all generators color them by."""
        return (lightness,)

    def color_by(self, category: str, features: Sequence[Tensor]) -> Tensor:
        """Predict ab (B, 2, h, w) from the features of `encode`, with the generator of one category."""
        return color_by(self.generators[category], *features)

    def _routed(self, features: Sequence[Tensor], chosen: Tensor) -> Tensor:
        """Color each picture by its own generator, with one pass for all that have the same; chosen is (B,)."""
        parts: dict[int, Tensor] = {}
        for index in sorted(set(chosen.tolist())):
            mine = (chosen == index).nonzero()[:, 0]
            ab = self.color_by(CATEGORIES[index], [each[mine] for each in features])
            parts |= zip(mine.tolist(), ab, strict=True)
        return torch.stack([parts[index] for index in range(len(chosen))])

    def _blended(self, features: Sequence[Tensor], probabilities: Tensor) -> Tensor:
        return torch.stack(
            [
                share[:, None, None, None] * self.color_by(name, features)
                for name, share in zip(CATEGORIES, probabilities.unbind(dim=1), strict=True)
            ]
        ).sum(dim=0)


def make_router(router_width: int = 64, router_size: int = 224) -> ResNet34:
    """Make the router of an ensemble, by the names that its hyperparameters have there."""
    return ResNet34(router_width, len(CATEGORIES), router_size)


KINDS: Mapping[str, Callable[..., nn.Module]] = {
    "ensemble": Ensemble,
    "generator": UnetGenerator,
    "dynamic-unet": DynamicUnet,
    "router": make_router,
}


def color_by(generator: nn.Module, lightness: Tensor) -> Tensor:
    """Let a generator color pictures: L* (B, 1, H, W) in 0..100 to ab (B, 2, H, W)."""
    space: Space = generator.space  # type: ignore[assignment]
    return decode_color(lightness, generator(encode_gray(lightness, space)), space)


def color(network: nn.Module, lightness: Tensor, category: str, *, blend: bool) -> Tensor | Prediction:
    """Let a network of any kind color pictures, as `Ensemble` does.

    Raises:
        UsageError: a category is requested of a single generator, or colors of a router.
    """
    if isinstance(network, Ensemble):
        prediction: Prediction = network(lightness, category, blend=blend)
        return prediction
    if isinstance(network, ResNet34):
        raise UsageError(
            "These weights of pix2pix are for a router, which classifies pictures and cannot colorize them.",
            "Use the weights of its ensemble.",
        )
    if category != AUTO:
        raise UsageError(
            f"-p category={category}: these weights of pix2pix are for a single generator, which has no categories.",
            "Leave it out, or choose weights of an ensemble.",
        )
    return color_by(network, lightness)
