"""The pipeline of a run, made from its options here or on another machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from colorcli.cli.hints import HintOptions
    from colorcli.cli.model_options import ModelOptions
    from colorcli.inference.pipeline import Pipeline


@dataclass(frozen=True)
class PipelineMaker:
    """Loads the model of a run and makes its pipeline; can be sent to other machines.

    Attributes:
        name: name of the model.
        model: options that choose the weights and the device.
        hints: hint options, including the photograph to take colors from.
        strength: amount of color, 0..1.
        shadows: how much chroma to remove from the darkest tones, 0..1.
        splashes: how much to dim splashes, 0..1.
        batch_size: pictures per batch; None for what suits the device.
    """

    name: str
    model: ModelOptions
    hints: HintOptions
    strength: float
    shadows: float
    splashes: float
    batch_size: int | None

    def __call__(self) -> Pipeline:
        """Load the model.

        Raises:
            ColorcliError: it cannot be loaded, or an option does not fit it.
        """
        model = self.model.load(self.name)
        values = model.read_options(self.model.pairs)
        from colorcli.inference.pipeline import Pipeline  # after `load`, whose import of torch is quicker
        from colorcli.inference.taming import Taming

        taming = Taming(shadows=self.shadows, splashes=self.splashes)
        made = Pipeline(model, strength=self.strength, taming=taming, options=values, batch_size=self.batch_size)
        return self.hints.alike(made)

    def on(self, options: ModelOptions) -> PipelineMaker:
        """Return one that loads the same model with other options, such as another device."""
        return replace(self, model=options)

    def of_shot(self, name: str) -> Pipeline:
        """Load the model that a shot has of its own.

        Raises:
            ColorcliError: as for the model of the run.
        """
        return replace(self, name=name, model=replace(self.model, weights=None, pairs=()))()
