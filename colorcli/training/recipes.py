"""Recipe files: every setting of a training run in one TOML file that can be held against its paper."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from colorcli.errors import UsageError


@dataclass(frozen=True)
class TrainingSettings:
    """The table `[training]`: what the loop does, whatever the model."""

    epochs: int  # passes over the training pictures
    batch_size: int  # pictures a step
    sizes: tuple[tuple[float, int], ...] = ((0.0, 256),)  # (from this fraction of the run on, side in pixels)
    crop: tuple[float, float] = (0.3, 1.0)  # share of the picture's area that a random crop has
    contrast: float = 0.0  # how much the contrast and the mean of the lightness vary, as a share
    average: float = 0.0  # decay a step of the exponential moving average of the weights; 0 keeps none
    workers: int = 1  # processes that decode pictures
    seed: int = 0

    def size_at(self, progress: float) -> int:
        """Give the side of the training squares at a point of the run in 0..1."""
        return [size for start, size in self.sizes if start <= progress][-1]


@dataclass(frozen=True)
class RecipeFile:
    """A recipe file, read and checked."""

    name: str
    source: str  # the paper or the reason
    network: Mapping[str, Any]  # for Colorizer.build
    recipe: Mapping[str, Any]  # for Colorizer.recipe
    training: TrainingSettings
    options: Mapping[str, Any]  # defaults of predict's options for the weights that come of it


def read_recipe(path: Path) -> RecipeFile:
    """Read a recipe file.

    Raises:
        UsageError: the file is not TOML, or has a table or key that does not exist.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: the recipe cannot be read: {error}.") from None
    known = {"source", "network", "recipe", "training", "options"}
    _expect(path, "the file", set(tables), known)
    training = tables.get("training", {})
    _expect(path, "[training]", set(training), {f.name for f in fields(TrainingSettings)})
    for required in ("epochs", "batch_size"):
        if required not in training:
            raise UsageError(f"{path}: [training] has no {required}.")
    return RecipeFile(
        name=path.stem,
        source=tables.get("source", ""),
        network=tables.get("network", {}),
        recipe=tables.get("recipe", {}),
        training=TrainingSettings(**{key: _frozen(value) for key, value in training.items()}),
        options=tables.get("options", {}),
    )


def _expect(path: Path, place: str, found: set[str], known: set[str]) -> None:
    if unknown := found - known:
        raise UsageError(
            f"{path}: {place} has {', '.join(sorted(unknown))}, which does not exist.",
            f"It knows {', '.join(sorted(known))}.",
        )


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
