"""Zhang, Isola and Efros, "Colorful Image Colorization" (ECCV 2016): color as a classification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli import SMOOTHING, Colorizer, Option, hookimpl, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from colorcli import Recipe
    from colorcli_zhang.encoder_network import EncodedZhangNetwork
    from colorcli_zhang.network import ZhangNetwork


class Zhang(Colorizer):
    """Classifies every fourth pixel's color into 313 bins and takes the annealed mean of the distribution."""

    name = "zhang"
    summary = "Zhang 2016: vivid colors by classification, with a temperature from mean to mode."
    weights = read_manifest("zhang")
    options = (
        Option(
            "temperature",
            0.38,
            "0 for the most likely color, vivid and patchy; 1 for the mean color, calm; above 1, paler still",
            minimum=0.0,
            maximum=2.0,
        ),
        SMOOTHING,
    )
    recipe_folder = Path(__file__).parent / "recipes"

    def build(self, *, encoder: str = "", **network: Any) -> ZhangNetwork | EncodedZhangNetwork:
        if encoder:
            from colorcli_zhang.encoder_network import EncodedZhangNetwork

            return EncodedZhangNetwork(encoder, **network)
        from colorcli_zhang.network import ZhangNetwork

        return ZhangNetwork(**network)

    def predict(
        self,
        network: ZhangNetwork | EncodedZhangNetwork,
        lightness: Tensor,
        *,
        temperature: float,
        smoothing: float = 0.0,
    ) -> Tensor:
        from torch.nn import functional

        from colorcli_zhang.bins import annealed_mean

        ab = annealed_mean(self._logits(network, lightness, smoothing), network.centers, temperature)
        # As published, upsample four times bilinearly; the host does the rest.
        return functional.interpolate(ab, scale_factor=4, mode="bilinear", align_corners=False)

    def explain(
        self,
        network: ZhangNetwork | EncodedZhangNetwork,
        lightness: Tensor,
        *,
        temperature: float,
        smoothing: float = 0.0,
    ) -> Tensor:
        from colorcli_zhang.bins import entropy

        return entropy(self._logits(network, lightness, smoothing))

    def likely_colors(
        self,
        network: ZhangNetwork | EncodedZhangNetwork,
        lightness: Tensor,
        place: tuple[float, float],
        *,
        temperature: float,
        smoothing: float = 0.0,
    ) -> Tensor:
        import torch

        from colorcli_zhang.bins import distribution_at

        probabilities = distribution_at(self._logits(network, lightness, smoothing), place)
        return torch.cat([network.centers.float(), probabilities[:, None]], dim=1)

    def sample(
        self,
        network: ZhangNetwork | EncodedZhangNetwork,
        lightness: Tensor,
        seed: int,
        *,
        temperature: float,
        smoothing: float = 0.0,
    ) -> Tensor:
        from torch.nn import functional

        from colorcli_zhang.bins import annealed_mean
        from colorcli_zhang.preferences import preference

        logits = self._logits(network, lightness, smoothing)
        tones = functional.interpolate(lightness, logits.shape[-2:], mode="area")
        ab = annealed_mean(logits + preference(tones, network.centers, seed), network.centers, temperature)
        return functional.interpolate(ab, scale_factor=4, mode="bilinear", align_corners=False)

    def _logits(self, network: ZhangNetwork | EncodedZhangNetwork, lightness: Tensor, smoothing: float) -> Tensor:
        """Compute the logits (B, Q, h, w) of the distribution that the colors come from, at temperature 1."""
        if smoothing:
            logits: Tensor = network(lightness, lightness.new_full((len(lightness), 1), smoothing))
        else:
            logits = network(lightness)
        folded = network.folded_temperature
        return logits if folded == 1 else logits.float() * folded

    def recipe(self, **settings: Any) -> Recipe:
        from colorcli_zhang.recipe import ZhangRecipe

        return ZhangRecipe(**settings)


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the Zhang colorizer."""
    register(Zhang())


@hookimpl
def register_experiments(register: Callable[[Path], None]) -> None:
    """Register the experiments of the Liège and the Rome paper."""
    for name in ("liege", "rome"):
        register(Path(__file__).parent / "experiments" / f"{name}.toml")
