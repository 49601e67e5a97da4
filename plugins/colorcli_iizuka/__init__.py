"""Iizuka, Simo-Serra and Ishikawa, "Let there be Color!" (SIGGRAPH 2016): fused local and global features."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli import SMOOTHING, Colorizer, Gray, Weights, hookimpl, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from colorcli import Recipe
    from colorcli_iizuka.encoder_network import EncodedIizukaNetwork
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
    options = (SMOOTHING,)
    recipe_folder = Path(__file__).parent / "recipes"
    elsewhere = (
        Weights(
            file="colornet.t7",
            sha256="",  # the authors state the MD5 sum c88fa2bb6dc9f942a492a7dc7009b966
            size=0,
            license="CC-BY-NC-SA-4.0",
            source="https://github.com/satoshiiizuka/siggraph2016_colorization",
            trained_on="2.3 million pictures of Places",
            format="torch7",
        ),
    )

    def build(self, *, encoder: str = "", **network: Any) -> IizukaNetwork | EncodedIizukaNetwork:
        if encoder:
            from colorcli_iizuka.encoder_network import EncodedIizukaNetwork

            return EncodedIizukaNetwork(encoder, **network)
        from colorcli_iizuka.network import IizukaNetwork

        return IizukaNetwork(**network)

    def predict(
        self, network: IizukaNetwork | EncodedIizukaNetwork, lightness: Tensor, *, smoothing: float = 0.0
    ) -> Tensor:
        from colorcli.color import lightness_to_gray
        from colorcli.surfaces import smooth_surfaces

        color, _ = network(lightness_to_gray(lightness))
        return smooth_surfaces(network.to_ab(color), lightness, smoothing)

    def paint(
        self, network: IizukaNetwork | EncodedIizukaNetwork, lightness: Tensor, *, smoothing: float = 0.0
    ) -> Tensor:
        """Paint the picture that a network with RGB output predicts; its lightness is its own.

        Raises:
            UsageError: the network predicts ab.
        """
        if network.space != "rgb":
            return super().paint(network, lightness)
        from colorcli.color import lightness_to_gray

        color: Tensor = network(lightness_to_gray(lightness))[0]
        return color.clamp(0, 1)

    def adapt(self, state: Mapping[str, Tensor], network: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """Rename the layers of Iizuka's published Torch7 file to their names in the network."""
        from colorcli_iizuka.torch7 import converted, is_published

        return converted(state, network) if is_published(state) else state

    def recognize(self, state: Mapping[str, Tensor]) -> Mapping[str, Any] | None:
        """Determine the network of Iizuka's published Torch7 file, or of another one with its layers."""
        from colorcli_iizuka.torch7 import hyperparameters, is_published

        return hyperparameters(state) if is_published(state) else None

    def recipe(self, **settings: Any) -> Recipe:
        from colorcli_iizuka.recipe import IizukaRecipe

        return IizukaRecipe(**settings)


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the Iizuka colorizer."""
    register(Iizuka())


_GRAYS = {
    "luminance": "luminance, sRGB-encoded: what colorcli run uses",
    "lightness": "CIE lightness",
    "luma601": "luma of BT.601: television, JPEG",
    "luma709": "luma of BT.709: high-definition television",
    "average": "mean of red, green and blue",
    "hsl": "lightness of HSL",
    "value": "value of HSV",
    "orthochromatic": "film that is blind to red, like most film until about 1930",
}


@hookimpl
def register_grays(register: Callable[[Gray], None]) -> None:
    """Register eight ways of making gray, for the study of the Utrecht paper."""
    for name, summary in _GRAYS.items():
        register(Gray(name, summary, partial(_convert, name)))


def _convert(way: str, rgb: Tensor) -> Tensor:
    from colorcli_iizuka.gray import make_gray

    return make_gray(rgb, way)


@hookimpl
def register_experiments(register: Callable[[Path], None]) -> None:
    """Register the experiment of the Utrecht paper."""
    register(Path(__file__).parent / "experiments" / "utrecht.toml")
