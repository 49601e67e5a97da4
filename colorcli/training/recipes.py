"""Recipe files: all settings of a training run in one TOML file that can be compared with its paper."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from colorcli.documents import read_toml
from colorcli.errors import NotTrainable, UsageError
from colorcli.validation import find_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from colorcli.colorizer import Colorizer

_TAG = r"^[A-Za-z0-9_-]+$"

_Positive = Annotated[int, Meta(ge=1, description="an integer from 1")]
_AboveZero = Annotated[float, Meta(gt=0)]
_Share = Annotated[float, Meta(ge=0, le=1, description="a number in 0..1")]


class TrainingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[training]`: settings of the training loop, the same for every model.

    Attributes:
        epochs: passes over the training photographs.
        batch_size: photographs per step.
        sizes: (from this fraction of the run on, side of the training squares in pixels).
        crop: smallest and largest share of a photograph's area in a random crop.
        contrast: how much contrast and mean of the lightness vary, as a share.
        aging: share of the photographs whose lightness gets faults of old photographs and copies.
        average: decay per step of the exponential moving average of the weights; 0 for no average.
        gray: how the network's gray pictures are made, by name; empty for the photographs' own lightness.
        flip: whether every other photograph is mirrored.
        keep_gray: whether gray photographs are learned from, too.
        only: the only category to learn from; empty for all photographs.
        exclude: words by columns of manifest.csv; photographs with one of them there are left out.
        names: a pattern for the names of the photographs to learn from, such as `*cat.*`; empty for all.
        most: the most photographs in all splits together, chosen by their names; None for all.
        split: shares for training, validation and test in each category; None for 1 in 20 for validation and no test.
        survey: the most training photographs whose colors are counted before the run; 0 for all, at the last size.
        early_stopping: k and mu of `colorcli.training.stopping`; None for none.
        stop_rising: n to stop when the mean validation loss of the last n epochs exceeds that of the n before; 0 for
            never.
        stop_on: the loss that early stopping watches; empty for the one that decides which weights are best.
        keep_epochs: whether the weights of every epoch are kept, for studies.
        workers: processes that decode photographs; None to choose automatically.
        seed: seed of all random numbers.
    """

    epochs: _Positive
    batch_size: _Positive
    sizes: Annotated[
        tuple[tuple[_Share, _Positive], ...],
        Meta(min_length=1, description="a list of [fraction of the run, side in pixels], such as [[0.0, 96]]"),
    ] = ((0.0, 256),)
    crop: Annotated[tuple[_Share, _Share], Meta(description="two shares in 0..1, such as [0.3, 1.0]")] = (0.3, 1.0)
    contrast: _Share = 0.0
    aging: _Share = 0.0
    average: Annotated[float, Meta(ge=0, lt=1, description="a number from 0 and below 1")] = 0.0
    gray: str = ""
    flip: bool = True
    keep_gray: bool = False
    only: str = ""
    exclude: Annotated[
        dict[str, tuple[Annotated[str, Meta(min_length=1)], ...]],
        Meta(description='a table of lists of words, such as {license = ["BY-SA", "GPL"]}'),
    ] = {}
    names: str = ""
    most: _Positive | None = None
    split: Annotated[
        tuple[_AboveZero, _AboveZero, _AboveZero] | None,
        Meta(description="three shares above 0, such as [80, 10, 10]"),
    ] = None
    early_stopping: Annotated[
        tuple[Annotated[int, Meta(ge=2)], _AboveZero] | None,
        Meta(description="a number of epochs from 2 and a limit above 0, such as [5, 0.5]"),
    ] = None
    stop_rising: Annotated[int, Meta(ge=0, description="an integer from 0")] = 0
    stop_on: str = ""
    keep_epochs: bool = False
    survey: Annotated[int, Meta(ge=0, description="an integer from 0")] = 4000
    workers: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="an integer from 0")] = None
    seed: Annotated[int, Meta(ge=0, description="an integer from 0")] = 0

    def size_at(self, progress: float) -> int:
        """Return the side of the training squares at a point of the run in 0..1."""
        return [size for start, size in self.sizes if start <= progress][-1]


class _StageTable(msgspec.Struct, forbid_unknown_fields=True, rename={"start": "from"}):
    name: Annotated[str, Meta(pattern=_TAG, description="letters, digits, - and _")]
    part: str = ""
    start: str = ""
    network: dict[str, Any] = {}
    recipe: dict[str, Any] = {}
    training: dict[str, Any] = {}


class _FileTable(msgspec.Struct, forbid_unknown_fields=True):
    source: str = ""
    input_size: Annotated[_Positive | None, Meta(description="a number of pixels from 1")] = None
    network: dict[str, Any] = {}
    recipe: dict[str, Any] = {}
    training: dict[str, Any] = {}
    options: dict[str, str | int | float | bool] = {}
    stages: list[dict[str, Any]] = []


@dataclass(frozen=True)
class RecipeFile:
    """A recipe file.

    Attributes:
        name: name of the file, without its suffix; the tag of the weights.
        source: the paper, or the purpose.
        network: hyperparameters for `Colorizer.build`.
        recipe: settings for `Colorizer.recipe`.
        training: settings of the training loop.
        options: defaults of the colorizer's options for the resulting weights.
        input_size: side of the square at which the resulting weights work; None for the colorizer's own.
        stages: stages of a network whose parts are trained one after another.
    """

    name: str
    source: str
    network: Mapping[str, Any]
    recipe: Mapping[str, Any]
    training: TrainingSettings
    options: Mapping[str, Any]
    input_size: int | None
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True)
class Stage:
    """One of several runs that train a network together.

    Attributes:
        name: name of the stage, and of its run's folder.
        file: its settings.
        part: prefix of its weights in the state dict of the network; empty if they are not part of it.
        start: the earlier stage from whose best weights it starts; empty for none.
    """

    name: str
    file: RecipeFile
    part: str
    start: str


def find_recipe(colorizer: Colorizer, recipe: str) -> Path:
    """Find a recipe of a colorizer by its name, or take a TOML file.

    Raises:
        NotTrainable: the colorizer does not have the recipe.
    """
    if recipe.endswith(".toml"):
        return Path(recipe)
    recipes = recipes_of(colorizer)
    if not recipes:
        raise NotTrainable(f"The colorizer {colorizer.name} has no recipes.", "It cannot be trained with colorcli.")
    if recipe not in recipes:
        raise NotTrainable(f"{colorizer.name} has no recipe {recipe!r}.", f"Its recipes are {', '.join(recipes)}.")
    return recipes[recipe]


def recipes_of(colorizer: Colorizer) -> dict[str, Path]:
    """List the recipe files of a colorizer by name."""
    folder = colorizer.recipe_folder
    return {path.stem: path for path in sorted(folder.glob("*.toml"))} if folder else {}


def read_recipe(path: Path) -> RecipeFile:
    """Read a recipe file.

    Raises:
        UsageError: the file is not a valid recipe; the message lists every wrong field.
    """
    try:
        tables = read_toml(path)
    except FileNotFoundError:
        raise UsageError(f"Recipe not found: {path}.", "`colorcli train --list` lists the recipes.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path} cannot be read: {reason}.") from None
    if not re.match(_TAG, path.stem):
        raise UsageError(
            f"{path}: the name of the file, {path.stem!r}, becomes the tag of the weights.",
            "Use only letters, digits, - and _.",
        )
    if problems := list(_problems(tables)):
        raise UsageError("\n".join([f"{path} is not a valid recipe:", *problems]))
    file = msgspec.convert(tables, _FileTable)
    stages = [msgspec.convert(stage, _StageTable) for stage in file.stages]
    training = {"epochs": 1, "batch_size": 1, **file.training} if stages else file.training
    return RecipeFile(
        name=path.stem,
        source=file.source,
        network=file.network,
        recipe=file.recipe,
        training=msgspec.convert(training, TrainingSettings),
        options=file.options,
        input_size=file.input_size,
        stages=tuple(Stage(stage.name, _stage_file(path, file, stage), stage.part, stage.start) for stage in stages),
    )


def _stage_file(path: Path, file: _FileTable, stage: _StageTable) -> RecipeFile:
    """Make the recipe of a stage: its tables `recipe` and `training` override those of the file key by key."""
    return RecipeFile(
        name=f"{path.stem}-{stage.name}",
        source=file.source,
        network=stage.network,
        recipe={**file.recipe, **stage.recipe},
        training=msgspec.convert({**file.training, **stage.training}, TrainingSettings),
        options=file.options,
        input_size=file.input_size,
    )


def _problems(tables: Mapping[str, Any]) -> Iterator[str]:
    """List everything that is wrong with a recipe file, a line each."""
    yield from find_problems(tables, _FileTable, "")
    shared, stages = tables.get("training", {}), tables.get("stages", [])
    shared = shared if isinstance(shared, dict) else {}
    stages = [stage for stage in stages if isinstance(stage, dict)] if isinstance(stages, list) else []
    required = {"epochs": 1, "batch_size": 1} if stages else {}
    yield from _training_problems({**required, **shared}, "training")
    names: set[str] = set()
    for number, stage in enumerate(stages):
        place = f"stages[{number}]"
        yield from find_problems(stage, _StageTable, place)
        name, start, training = stage.get("name"), stage.get("from"), stage.get("training", {})
        if name in names:
            yield f"{place}.name must be unique, got {name!r}"
        if start and start not in names:
            yield f"{place}.from must be an earlier stage, got {start!r}"
        if isinstance(name, str):
            names.add(name)
        if isinstance(training, dict):
            yield from _training_problems({**shared, **training}, f"{place}.training")


def _training_problems(table: Mapping[str, Any], place: str) -> list[str]:
    problems = find_problems(table, TrainingSettings, place)
    if problems:
        return problems
    settings = msgspec.convert(table, TrainingSettings)
    return [f"{place}.{rule}" for rule, is_kept in _RULES.items() if not is_kept(settings)]


def _sizes_ascend(settings: TrainingSettings) -> bool:
    starts = [start for start, _ in settings.sizes]
    return starts[0] == 0 and starts == sorted(set(starts)) and starts[-1] < 1


_RULES: dict[str, Callable[[TrainingSettings], bool]] = {
    "sizes must start at 0.0 and ascend to less than 1": _sizes_ascend,
    "crop must be two shares above 0, the smaller one first": lambda s: 0 < s.crop[0] <= s.crop[1],
}
