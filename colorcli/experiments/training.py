"""The training runs of an experiment: their recipes at its scale, and their photographs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from colorcli.errors import UsageError
from colorcli.training.data import sample
from colorcli.training.held_out import held_out
from colorcli.training.recipes import RecipeFile, TrainingSettings, find_recipe, read_recipe
from colorcli.validation import find_problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from colorcli.colorizer import Colorizer
    from colorcli.experiments.declaration import Experiment, Scale, TrainingRun
    from colorcli.media.photographs import Photograph
    from colorcli.training.held_out import Part


def recipe_of(experiment: Experiment, run: TrainingRun, colorizer: Colorizer) -> RecipeFile:
    """Read the recipe of a run, at the scale of its experiment.

    Raises:
        NotTrainable: the colorizer has no such recipe.
        UsageError: the recipe is not valid, or the scale does not fit it.
    """
    if run.recipe.endswith(".toml"):
        file = read_recipe(experiment.path.parent / run.recipe)
    else:
        file = read_recipe(find_recipe(colorizer, run.recipe))
    if problems := find_problems(
        {"epochs": 1, "batch_size": 1, **experiment.scale.training}, TrainingSettings, "training"
    ):
        place = f"{experiment.path}, scale {experiment.scale_name}"
        raise UsageError("\n".join([f"{place}, is not valid:", *problems]))
    return _scaled(file, experiment.scale)


def _scaled(file: RecipeFile, scale: Scale) -> RecipeFile:
    """Replace what is smaller at a scale, in a recipe and in its stages."""
    training = {**msgspec.to_builtins(file.training), **scale.training}
    return replace(
        file,
        network=_replaced(file.network, scale.network),
        recipe=_replaced(file.recipe, scale.recipe),
        training=msgspec.convert(training, TrainingSettings),
        input_size=scale.input_size or file.input_size,
        stages=tuple(replace(stage, file=_scaled(stage.file, scale)) for stage in file.stages),
    )


def _replaced(table: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace values that a table has; the others belong to other networks."""
    return {**table, **{key: value for key, value in values.items() if key in table}}


def photographs_of(experiment: Experiment, folders: Sequence[Path], part: Part) -> list[Photograph]:
    """List the photographs of a split, evenly chosen if the scale limits their number.

    Args:
        experiment: whose runs share their splits.
        folders: of its trained runs, in order; those of recipes with stages have a folder for each stage.
        part: the split.

    Raises:
        DataError: the photographs cannot be read.
        UsageError: no run is trained, the photographs have changed, or there is no such split.
    """
    runs = [folder for folder in folders if (folder / "run.json").is_file()]
    runs += sorted(path.parent for folder in folders for path in folder.glob("*/run.json"))
    if not runs:
        raise UsageError(
            "No run of this experiment is trained.", "Run the same command again when the weights are there."
        )
    photographs = held_out(runs[0], part)
    limit = experiment.scale.limit
    return photographs if limit is None else list(sample(photographs, limit))
