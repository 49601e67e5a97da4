"""Iizuka, Simo-Serra and Ishikawa, "Let there be Color!" (SIGGRAPH 2016): fused local and global features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli import Colorizer, hookimpl, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from colorcli import Recipe
    from colorcli_iizuka.encoded import EncodedIizukaNetwork
    from colorcli_iizuka.network import IizukaNetwork


class Iizuka(Colorizer):
    """Regresses chroma from local features that are fused with one vector for the whole picture."""

    name = "iizuka"
    summary = "Iizuka 2016: calm colors that fit the scene, from fused local and global features."
    weights = read_manifest("iizuka")
    # The network supports any multiples of 8, and the paper uses the picture's own size. With squares, pictures of any
    # size share a batch, take the same time, and have the scale that the network was trained on.
    size = 256
    multiple_of = 8
    recipe_folder = Path(__file__).parent / "recipes"

    def build(self, *, encoder: str = "", **network: Any) -> IizukaNetwork | EncodedIizukaNetwork:
        if encoder:
            from colorcli_iizuka.encoded import EncodedIizukaNetwork

            return EncodedIizukaNetwork(encoder, **network)
        from colorcli_iizuka.network import IizukaNetwork

        return IizukaNetwork(**network)

    def predict(self, network: IizukaNetwork | EncodedIizukaNetwork, lightness: Tensor) -> Tensor:
        from colorcli_iizuka.gray import lightness_to_luma

        color, _ = network(lightness_to_luma(lightness))
        return network.to_ab(color)

    def recipe(self, **settings: Any) -> Recipe:
        from colorcli_iizuka.recipe import IizukaRecipe

        return IizukaRecipe(**settings)


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the Iizuka colorizer."""
    register(Iizuka())
