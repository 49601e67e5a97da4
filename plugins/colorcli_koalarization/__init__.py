"""Baldassarre, González Morín and Rodés-Guirao, "Deep Koalarization" (2017): color from the content of the picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli import SMOOTHING, Colorizer, Option, hookimpl, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from colorcli import Recipe
    from colorcli_koalarization.embedding import Embedding
    from colorcli_koalarization.encoder_network import EncodedKoalarizationNetwork
    from colorcli_koalarization.network import KoalarizationNetwork


class Koalarization(Colorizer):
    """Regresses chroma from local features fused with the embedding of a frozen, pretrained classifier."""

    name = "koalarization"
    summary = "Deep Koalarization 2017: calm colors, guided by a pretrained classifier."
    weights = read_manifest("koalarization")
    size = 224
    multiple_of = 8
    options = (
        Option(
            "embedding",
            "own",
            "embedding of the whole picture that the decoder gets: its own, zeroed, or with shuffled dimensions",
            choices=("own", "zeroed", "shuffled"),
        ),
        SMOOTHING,
    )
    recipe_folder = Path(__file__).parent / "recipes"

    def build(self, *, encoder: str = "", **network: Any) -> KoalarizationNetwork | EncodedKoalarizationNetwork:
        if encoder:
            from colorcli_koalarization.encoder_network import EncodedKoalarizationNetwork

            return EncodedKoalarizationNetwork(encoder, **network)
        from colorcli_koalarization.network import KoalarizationNetwork

        return KoalarizationNetwork(**network)

    def predict(
        self,
        network: KoalarizationNetwork | EncodedKoalarizationNetwork,
        lightness: Tensor,
        *,
        embedding: Embedding = "own",
        smoothing: float = 0.0,
    ) -> Tensor:
        from colorcli.surfaces import smooth_surfaces

        if embedding != "own":
            from colorcli_koalarization.embedding import with_embedding

            changed: Any = with_embedding(network, embedding)
            network = changed
        return smooth_surfaces(network.to_ab(network(lightness)), lightness, smoothing)

    def recipe(self, **settings: Any) -> Recipe:
        from colorcli_koalarization.recipe import KoalarizationRecipe

        return KoalarizationRecipe(**settings)


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the Koalarization colorizer."""
    register(Koalarization())


@hookimpl
def register_experiments(register: Callable[[Path], None]) -> None:
    """Register the experiment of the Georgia Tech paper."""
    register(Path(__file__).parent / "experiments" / "georgia-tech.toml")
