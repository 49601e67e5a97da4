"""Zhang et al., "Real-Time User-Guided Image Colorization with Learned Deep Priors" (SIGGRAPH 2017): takes hints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli import Colorizer, hookimpl, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from colorcli import Recipe
    from colorcli_siggraph17.encoder_network import EncodedSiggraph17Network
    from colorcli_siggraph17.network import Siggraph17Network

    Network = Siggraph17Network | EncodedSiggraph17Network


class Siggraph17(Colorizer):
    """Regresses ab from lightness and from the colors of the places that the user has given."""

    name = "siggraph17"
    summary = "Zhang 2017: a network that takes color hints, and colors without them, too."
    weights = read_manifest("siggraph17")
    recipe_folder = Path(__file__).parent / "recipes"

    def build(self, *, encoder: str = "", **network: Any) -> Network:
        if encoder:
            from colorcli_siggraph17.encoder_network import EncodedSiggraph17Network

            return EncodedSiggraph17Network(encoder, **network)
        from colorcli_siggraph17.network import Siggraph17Network

        return Siggraph17Network(**network)

    def predict(self, network: Network, lightness: Tensor) -> Tensor:
        none = lightness.new_zeros(len(lightness), 3, *lightness.shape[-2:])
        return self.predict_with_hints(network, lightness, none)

    def predict_with_hints(self, network: Network, lightness: Tensor, hints: Tensor) -> Tensor:
        ab: Tensor = network(lightness, hints)
        return ab

    def recipe(self, **settings: Any) -> Recipe:
        from colorcli_siggraph17.recipe import Siggraph17Recipe

        return Siggraph17Recipe(**settings)


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the colorizer siggraph17."""
    register(Siggraph17())
