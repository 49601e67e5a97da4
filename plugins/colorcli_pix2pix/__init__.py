"""Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), one or six of them.

Six generators and a ResNet-34 that chooses among them: "Attaining Context Awareness in Image Colourisation: An
Ensemble of Pix2Pix Models" (Edinburgh).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from colorcli import SMOOTHING, Colorizer, Metric, Option, Prediction, hookimpl, read_manifest
from colorcli_pix2pix.categories import CATEGORIES
from colorcli_pix2pix.metrics import SpaceL1

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from colorcli import Recipe


class Pix2Pix(Colorizer):
    """Predicts colors with a generator that was trained as a GAN, selected by the category of the picture."""

    name = "pix2pix"
    summary = "Pix2Pix 2017: one GAN, or six of them, selected by a classifier of the picture."
    weights = read_manifest("pix2pix")
    options = (
        Option(
            "category",
            "auto",
            "category whose generator colorizes the picture; auto lets the classifier of the ensemble choose",
            choices=("auto", *CATEGORIES),
        ),
        Option(
            "blend",
            default=False,
            help="mix the colors of all generators by the probabilities of their categories; needs category=auto",
        ),
        Option(
            "noise",
            0,
            "seed of the dropout that Isola et al. keep active as noise, in networks that have any; 0 for no noise",
            minimum=0,
            maximum=2**31 - 1,
        ),
        SMOOTHING,
    )
    recipe_folder = Path(__file__).parent / "recipes"

    def build(self, kind: str = "generator", **network: Any) -> nn.Module:
        """Make a network.

        Args:
            kind: `ensemble`, `generator` (one of its U-Nets), `router` (its classifier), or `dynamic-unet` (the
                generator of the published weights).
            **network: hyperparameters of that kind: the arguments of `Ensemble`, `UnetGenerator`, `make_router` and
                `DynamicUnet`; with `encoder` among them, those of `EncodedEnsemble` and `EncodedGenerator`.

        Raises:
            ValueError: the kind is unknown.
        """
        from colorcli_pix2pix.network import KINDS

        if "encoder" in network and kind in {"generator", "ensemble"}:
            from colorcli_pix2pix.encoder_network import EncodedEnsemble, EncodedGenerator

            return (EncodedGenerator if kind == "generator" else EncodedEnsemble)(**network)
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        return KINDS[kind](**network)

    def adapt(self, state: Mapping[str, Tensor], network: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """Find the generator in the file of a whole GAN, as Shariatnia's model and its like are published.

        There the generator's keys begin with `net_G.`, and behind that are those of `UnetGenerator` or `DynamicUnet`;
        the discriminator (`net_D.`) and the loss (`GANcriterion.`) are not used for coloring. All other files are
        bare state dicts, whose keys are the network's.
        """
        generator = {key.removeprefix("net_G."): tensor for key, tensor in state.items() if key.startswith("net_G.")}
        return generator or state

    def recognize(self, state: Mapping[str, Tensor]) -> Mapping[str, Any] | None:
        """Determine the network that a file without a header needs; None unless it is a U-Net as in Pix2Pix.

        Width and depth are in the shapes and keys; the color space is not, and taken to be `lab`.
        """
        generator = self.adapt(state, {})
        if "model.model.0.weight" not in generator:
            return None
        levels = 1 + sum(key.endswith(".model.1.weight") for key in generator)  # except for the outermost level
        return {"kind": "generator", "width": len(generator["model.model.0.weight"]), "levels": levels}

    def predict(
        self,
        network: Any,
        lightness: Tensor,
        *,
        category: str,
        blend: bool,
        noise: int = 0,
        smoothing: float = 0.0,
    ) -> Tensor | Prediction:
        from colorcli.surfaces import smooth_surfaces
        from colorcli_pix2pix.network import color
        from colorcli_pix2pix.noise import with_noise

        predicted = color(with_noise(network, noise) if noise else network, lightness, category, blend=blend)
        if isinstance(predicted, Prediction):
            return Prediction(smooth_surfaces(predicted.ab, lightness, smoothing), predicted.notes)
        return smooth_surfaces(predicted, lightness, smoothing)

    def paint(
        self,
        network: Any,
        lightness: Tensor,
        *,
        category: str,
        blend: bool,
        noise: int = 0,
        smoothing: float = 0.0,
    ) -> Tensor:
        """Paint the picture that a network in YUV predicts: its U and V with the Y' of the gray picture.

        Raises:
            UsageError: the network predicts ab.
        """
        if network.space != "yuv":
            return super().paint(network, lightness)
        from torch.nn import functional

        from colorcli_pix2pix.spaces import paint

        predicted = self.predict(network, lightness, category=category, blend=blend, noise=noise, smoothing=smoothing)
        ab = (predicted.ab if isinstance(predicted, Prediction) else predicted).float()
        if ab.shape[-2:] != lightness.shape[-2:]:
            ab = functional.interpolate(ab, lightness.shape[-2:], mode="bicubic")
        return paint(lightness, ab)

    def recipe(self, *, kind: Literal["gan", "router"] = "gan", **settings: Any) -> Recipe:
        """Make the recipe of a generator (`gan`) or of the classifier (`router`).

        Raises:
            ValueError: the kind is unknown, or a setting is invalid.
        """
        from colorcli_pix2pix.recipe import GanRecipe
        from colorcli_pix2pix.router_recipe import RouterRecipe

        if kind not in {"gan", "router"}:
            raise ValueError(f"kind must be gan or router, got {kind!r}")
        return GanRecipe(**settings) if kind == "gan" else RouterRecipe(**settings)


@hookimpl
def register_colorizers(register: Callable[[Colorizer], None]) -> None:
    """Register the Pix2Pix colorizer."""
    register(Pix2Pix())


@hookimpl
def register_metrics(register: Callable[[Metric], None]) -> None:
    """Register the distance of the Edinburgh paper in both of its color spaces."""
    register(SpaceL1("lab"))
    register(SpaceL1("yuv"))


@hookimpl
def register_experiments(register: Callable[[Path], None]) -> None:
    """Register the experiment of the Edinburgh paper, and the study of when to stop that it asks for."""
    for name in ("edinburgh", "stopping"):
        register(Path(__file__).parent / "experiments" / f"{name}.toml")
