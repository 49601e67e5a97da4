"""The colorizer that a suite tests, with networks and pictures to test it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from colorcli.colorizer import chroma_of, declares
from colorcli.recipe import Batch, Recipe
from colorcli.testing.assertions import assert_tensor, seeded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from colorcli.colorizer import Colorizer, OptionValue, Prediction
    from colorcli.inference.model import Model


class Subject:
    """A colorizer under test, and what it is tried with."""

    colorizer: ClassVar[Colorizer]
    small: ClassVar[Mapping[str, Any]] = {}  # hyperparameters of a network that is fast to run
    side: ClassVar[int | None] = None  # side of the squares it is tried on, if its own size takes long
    settings: ClassVar[Mapping[str, Any]] = {}  # the table [recipe] that its recipe is tried with
    categories: ClassVar[Sequence[str]] = ("city", "people")  # categories of the data that its recipe is tried on

    def _network(self) -> nn.Module:
        import torch

        torch.manual_seed(0)
        return self.colorizer.build(**self.small).eval()

    def _model(self, network: nn.Module, size: int | None, device: str = "cpu", precision: str = "fp32") -> Model:
        from colorcli.inference.device import choose
        from colorcli.inference.model import Model

        return Model(self.colorizer, network, choose(device, precision), tag="", fingerprint="", size=size)

    def _predict(self, network: nn.Module, lightness: Tensor, **options: OptionValue) -> Tensor:
        ab = chroma_of(self._predicted(network, lightness, **options))
        assert_tensor("predict", ab, channels=2)
        return ab

    def _predicted(self, network: nn.Module, lightness: Tensor, **options: OptionValue) -> Tensor | Prediction:
        import torch

        defaults = {option.name: option.default for option in self.colorizer.options}
        with torch.inference_mode():
            return self.colorizer.predict(network, lightness, **{**defaults, **options})

    def _called(self, method: str, network: nn.Module, *inputs: Tensor, **arguments: int) -> Tensor:
        """Call an optional method with the options' defaults."""
        import torch

        defaults = {option.name: option.default for option in self.colorizer.options}
        with torch.inference_mode():
            returned = getattr(self.colorizer, method)(network, *inputs, **arguments, **defaults)
        planes = chroma_of(returned)
        assert_tensor(method, planes, channels=1 if method == "explain" else 2)
        return planes

    def _trainable(self) -> bool:
        if not declares(self.colorizer, "recipe"):
            return False
        from colorcli.training import require_extra

        require_extra()
        return True

    def _recipe(self) -> Recipe:
        recipe = self.colorizer.recipe(**self.settings)
        assert isinstance(recipe, Recipe), f"recipe must return a colorcli.Recipe, got {type(recipe).__name__}"
        return recipe

    def _start(self, recipe: Recipe, hyperparameters: Mapping[str, Any]) -> nn.Module:
        from lightning_fabric import Fabric

        network = self.colorizer.build(**{**self.small, **hyperparameters})
        recipe.start(network, Fabric(accelerator="cpu", devices=1), steps=10)
        return network

    def _examples(self) -> Batch:
        """Make two pictures for training."""
        import torch

        lightness = self._pictures()[-1][:2]
        ab = torch.rand(2, 2, *lightness.shape[-2:], generator=seeded()) * 120 - 60
        return Batch(lightness, ab, torch.tensor([0, 1]))

    def _square(self) -> int | None:
        """Return the side of the squares to try, rounded up to a multiple of `multiple_of`; None for its own size."""
        if self.side is None:
            return self.colorizer.size
        return -(-self.side // self.colorizer.multiple_of) * self.colorizer.multiple_of

    def _pictures(self, square: int | None = None) -> list[Tensor]:
        """Make batches (B, 1, H, W) of lightness at the sizes that the colorizer expects; the last has three."""
        import torch

        square = square or self._square()
        unit = self.colorizer.multiple_of
        side = square or -(-64 // unit) * unit
        width = square or side + unit
        noise = torch.rand(1, 1, side, width, generator=seeded()) * 100
        ramp = torch.linspace(0, 100, width).expand(1, 1, side, width)
        return [
            noise,
            torch.cat([torch.zeros_like(noise), noise, torch.full_like(noise, 100)]),
            torch.cat([ramp / 2, noise, 100 - ramp / 4]),  # means and extremes differ
        ]
