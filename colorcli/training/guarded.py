"""The recipe of a plugin during a run: what it does wrong is reported as the plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from colorcli.errors import PluginError
from colorcli.inference.transfer import is_out_of_memory
from colorcli.isolation.guard import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from lightning_fabric import Fabric

    from colorcli.colorizer import Colorizer
    from colorcli.recipe import Batch, Recipe


class GuardedRecipe:
    """Calls the methods of a `Recipe`, and checks what they return.

    Raises:
        PluginError: in every method, if that of the recipe raised anything but an error meant for the user, or
            returned something other than it must.
    """

    def __init__(self, recipe: Recipe, colorizer: Colorizer) -> None:
        self._recipe = recipe
        self._colorizer = colorizer

    @property
    def paints(self) -> bool:
        """Whether the network predicts chroma."""
        return self._recipe.paints

    def survey(self, colors: Iterable[Tensor], categories: Sequence[str]) -> dict[str, Any]:
        """Return hyperparameters of the network that follow from the data."""
        with self._guard("survey"):
            found = self._recipe.survey(colors, categories)
        return self._mapping("survey", found)

    def start(self, network: nn.Module, fabric: Fabric, steps: int) -> nn.Module:
        """Make optimizers and schedules, and return the network as `fabric.setup` returned it.

        Raises:
            TypeError, ValueError, IndexError: an optimizer rejects a setting.
        """
        with self._guard("start", lambda error: isinstance(error, (TypeError, ValueError, IndexError))):
            wrapped = self._recipe.start(network, fabric, steps)
        if not isinstance(wrapped, nn.Module):
            raise self._failure("start", "the network that fabric.setup returned", wrapped)
        return wrapped

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Make a step, and return its losses, detached scalars."""
        with self._guard("step"):
            losses = self._recipe.step(batch)
        found = self._tensors("step", losses)
        if any(loss.numel() != 1 for loss in found.values()):
            shapes = ", ".join(f"{name} of {tuple(loss.shape)}" for name, loss in found.items())
            raise self._failure("step", "scalars", shapes)
        return found

    def validate(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return means over the pictures of a batch."""
        with self._guard("validate"):
            means = self._recipe.validate(network, batch)
        return self._tensors("validate", means)

    def score(self, means: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the figures of a validation."""
        with self._guard("score"):
            figures = self._recipe.score(means)
        found = self._mapping("score", figures)
        if not found or not all(isinstance(figure, (int, float)) for figure in found.values()):
            raise self._failure("score", "a dict of at least one number", figures)
        return found

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs besides the network."""
        with self._guard("state"):
            found = self._recipe.state()
        return self._mapping("state", found)

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `state`."""
        with self._guard("load"):
            self._recipe.load(state)

    def _guard(
        self, method: str, passing: Callable[[BaseException], bool] = lambda _: False
    ) -> AbstractContextManager[None]:
        return guard(self._colorizer, method, passing=lambda error: is_out_of_memory(error) or passing(error))

    def _mapping(self, method: str, found: object) -> dict[str, Any]:
        if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
            raise self._failure(method, "a dict by names", found)
        return dict(found)

    def _tensors(self, method: str, found: object) -> dict[str, Tensor]:
        tensors = self._mapping(method, found)
        if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
            raise self._failure(method, "a dict of at least one tensor", found)
        return tensors

    def _failure(self, method: str, expected: str, found: object) -> PluginError:
        text = found if isinstance(found, str) else type(found).__name__
        return PluginError(
            f"The recipe of {self._colorizer.name} must return {expected} from `{method}`, got {text}.",
            "Report it to the plugin's author.",
        )
