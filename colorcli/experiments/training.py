"""The training runs of an experiment: their recipes at its scale, and their photographs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from colorcli.errors import UsageError
from colorcli.experiments.declaration import ScaledRun
from colorcli.training.held_out import held_out
from colorcli.training.recipes import RecipeFile, TrainingSettings, find_recipe, read_recipe
from colorcli.training.selection import sample
from colorcli.validation import find_problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from colorcli.colorizer import Colorizer
    from colorcli.experiments.declaration import Experiment, TrainingRun
    from colorcli.media.photographs import Photograph
    from colorcli.training.held_out import Part


def recipe_of(experiment: Experiment, run: TrainingRun, colorizer: Colorizer) -> RecipeFile:
    """Read the recipe of a run, at the scale of its experiment.

    Raises:
        NotTrainable: the colorizer does not have the recipe.
        UsageError: the recipe is not valid, or the scale does not fit it.
    """
    if run.recipe.endswith(".toml"):
        file = read_recipe(experiment.path.parent / run.recipe)
    else:
        file = read_recipe(find_recipe(colorizer, run.recipe))
    scale = experiment.scale
    own = scale.runs.get(run.name, ScaledRun())
    training = {**run.training, **scale.training, **own.training}
    if problems := find_problems({"epochs": 1, "batch_size": 1, **training}, TrainingSettings, "training"):
        place = f"{experiment.path}, scale {experiment.scale_name}"
        raise UsageError("\n".join([f"{place} is not valid:", *problems]))
    network, recipe = {**scale.network, **own.network}, {**scale.recipe, **own.recipe}
    return _scaled(file, network, recipe, training, scale.input_size)


def _scaled(
    file: RecipeFile,
    network: Mapping[str, Any],
    recipe: Mapping[str, Any],
    training: Mapping[str, Any],
    input_size: int | None,
) -> RecipeFile:
    """Replace what differs at a scale, in a recipe and in its stages."""
    stages = (replace(stage, file=_scaled(stage.file, network, recipe, training, input_size)) for stage in file.stages)
    return replace(
        file,
        network=_replaced(file.network, network),
        recipe=_replaced(file.recipe, recipe),
        training=msgspec.convert({**msgspec.to_builtins(file.training), **training}, TrainingSettings),
        input_size=input_size or file.input_size,
        stages=tuple(stages),
    )


def _replaced(table: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace values that a table has; the others belong to other networks."""
    return {**table, **{key: value for key, value in values.items() if key in table}}


def photographs_of(experiment: Experiment, folders: Sequence[Path], part: Part) -> list[Photograph]:
    """List the photographs of a split, evenly chosen if the scale limits their number.

    Args:
        experiment: the experiment whose runs share their splits.
        folders: folders of its trained runs, in order; a recipe with stages has a folder for each stage.
        part: the split.

    Raises:
        DataError: the photographs cannot be read.
        UsageError: no run is trained, the photographs have changed, or the split does not exist.
    """
    photographs = held_out(first_run(folders), part)
    limit = experiment.scale.limit
    return photographs if limit is None else list(sample(photographs, limit))


def first_run(folders: Sequence[Path]) -> Path:
    """Find the folder of the first run with a single stage, or else of the first stage.

    Raises:
        UsageError: no run has been trained.
    """
    runs = [folder for folder in folders if (folder / "run.json").is_file()]
    runs += sorted(path.parent for folder in folders for path in folder.glob("*/run.json"))
    if not runs:
        raise UsageError(
            "No run of this experiment has been trained.", "Run the same command again when the weights are available."
        )
    return runs[0]
