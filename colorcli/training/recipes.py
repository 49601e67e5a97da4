"""Recipe files: every setting of a training run in one TOML file that can be held against its paper."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from colorcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_OF_A_STAGE = {"network", "recipe", "training"}


@dataclass(frozen=True)
class TrainingSettings:
    """The table `[training]`: what the loop does, whatever the model.

    Raises:
        ValueError: a value makes no sense.
    """

    epochs: int  # passes over the training pictures
    batch_size: int  # pictures a step
    sizes: tuple[tuple[float, int], ...] = ((0.0, 256),)  # (from this fraction of the run on, side in pixels)
    crop: tuple[float, float] = (0.3, 1.0)  # share of the picture's area that a random crop has
    contrast: float = 0.0  # how much the contrast and the mean of the lightness vary, as a share
    average: float = 0.0  # decay a step of the exponential moving average of the weights; 0 keeps none
    only: str = ""  # the one category that is learned from; empty for all
    split: tuple[float, float, float] | None = None  # shares of training, validation and test in each category
    early_stopping: tuple[int, float] | None = None  # k and mu of colorcli.training.stopping
    workers: int | None = None  # processes that decode pictures; None = as many as suit the machine
    seed: int = 0

    def __post_init__(self) -> None:
        rules: dict[str, Callable[[], bool]] = {
            "epochs is a whole number from 1": lambda: _whole(self.epochs, 1),
            "batch_size is a whole number from 1": lambda: _whole(self.batch_size, 1),
            "sizes is a list of pairs, as in [[0.0, 96]]": lambda: {len(pair) for pair in self.sizes} == {2},
            "sizes begin at 0.0 and ascend to less than 1": lambda: _ascend_from_0([start for start, _ in self.sizes]),
            "sizes are whole numbers from 1": lambda: all(_whole(side, 1) for _, side in self.sizes),
            "crop is two shares in 0..1, the smaller one first": lambda: _are_shares(*self.crop),
            "contrast is in 0..1": lambda: 0 <= self.contrast <= 1,
            "average is 0 or more, and less than 1": lambda: 0 <= self.average < 1,
            "split is three shares above 0, as in [80, 10, 10]": lambda: (
                self.split is None or (len(self.split) == 3 and min(self.split) > 0)
            ),
            "early_stopping is a number of epochs from 2 and a limit above 0": lambda: (
                self.early_stopping is None or _are_k_and_mu(*self.early_stopping)
            ),
            "workers is a whole number": lambda: self.workers is None or _whole(self.workers, 0),
            "seed is a whole number": lambda: _whole(self.seed, 0),
        }
        for rule, is_kept in rules.items():
            try:
                kept = is_kept()
            except TypeError:  # of another type, or not as many as there should be
                kept = False
            if not kept:
                raise ValueError(rule)

    def size_at(self, progress: float) -> int:
        """Give the side of the training squares at a point of the run in 0..1."""
        return [size for start, size in self.sizes if start <= progress][-1]


def _whole(value: object, least: int) -> bool:
    return type(value) is int and value >= least


def _ascend_from_0(starts: Sequence[float]) -> bool:
    return starts[0] == 0 and list(starts) == sorted(set(starts)) and starts[-1] < 1


def _are_shares(low: float, high: float) -> bool:
    return 0 < low <= high <= 1


def _are_k_and_mu(k: int, mu: float) -> bool:
    return _whole(k, 2) and mu > 0


@dataclass(frozen=True)
class RecipeFile:
    """A recipe file, read and checked."""

    name: str
    source: str  # the paper or the reason
    network: Mapping[str, Any]  # for Colorizer.build
    recipe: Mapping[str, Any]  # for Colorizer.recipe
    training: TrainingSettings
    options: Mapping[str, Any]  # defaults of predict's options for the weights that come of it
    input_size: int | None  # the square that these weights work at, where it is not the colorizer's own
    stages: tuple[Stage, ...] = ()  # of a network whose parts are trained one after another


@dataclass(frozen=True)
class Stage:
    """One run of several that make a network together."""

    name: str  # also of its run's folder
    file: RecipeFile
    part: str  # what it is in the network: the prefix of its keys in the state dict; empty for none of it
    start: str  # the earlier stage whose best weights it starts from; empty for none


def read_recipe(path: Path) -> RecipeFile:
    """Read a recipe file.

    Raises:
        UsageError: the file is not TOML, or has a table, key or value that cannot be.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: the recipe cannot be read: {error}.") from None
    if not _NAME.fullmatch(path.stem):
        raise UsageError(
            f"{path}: {path.stem!r} cannot be the name of weights.", "Use letters, digits, - and _ in the file's name."
        )
    _expect(path, "the file", set(tables), {"source", "input_size", "options", "stages", *_OF_A_STAGE})
    if not _whole(tables.get("input_size", 1), 1):
        raise UsageError(f"{path}: input_size is to be a whole number of pixels from 1.")
    stages = tables.pop("stages", [])
    _expect_tables(path, tables, _OF_A_STAGE | {"options"})
    whole = _recipe_file(path, path.stem, tables, staged=bool(stages))
    return replace(whole, stages=tuple(_stages(path, tables, stages)))


def _recipe_file(path: Path, name: str, tables: Mapping[str, Any], *, staged: bool = False) -> RecipeFile:
    training = tables.get("training", {})
    return RecipeFile(
        name=name,
        source=tables.get("source", ""),
        network=tables.get("network", {}),
        recipe=tables.get("recipe", {}),
        training=_training(path, {"epochs": 1, "batch_size": 1, **training} if staged else training),
        options=tables.get("options", {}),
        input_size=tables.get("input_size"),
    )


def _stages(path: Path, tables: Mapping[str, Any], stages: Any) -> Iterator[Stage]:
    """Read the stages; their tables recipe and training override those of the file key by key."""
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise UsageError(f"{path}: stages are to be tables, [[stages]].")
    before: set[str] = set()
    for stage in stages:
        _expect(path, "[[stages]]", set(stage), {"name", "part", "from", *_OF_A_STAGE})
        _expect_tables(path, stage, _OF_A_STAGE)
        name, start = stage.get("name", ""), stage.get("from", "")
        if not _NAME.fullmatch(name) or name in before:
            raise UsageError(f"{path}: every stage is to have a name of its own, not {name!r}.")
        if start and start not in before:
            raise UsageError(f"{path}: the stage {name} starts from {start!r}, which is no stage before it.")
        before.add(name)
        merged = {
            **tables,
            "network": stage.get("network", {}),
            "recipe": {**tables.get("recipe", {}), **stage.get("recipe", {})},
            "training": {**tables.get("training", {}), **stage.get("training", {})},
        }
        yield Stage(name, _recipe_file(path, f"{path.stem}-{name}", merged), stage.get("part", ""), start)


def _expect_tables(path: Path, tables: Mapping[str, Any], names: set[str]) -> None:
    for name in names & set(tables):
        if not isinstance(tables[name], dict):
            raise UsageError(f"{path}: {name} is to be a table, [{name}].")


def _training(path: Path, table: Mapping[str, Any]) -> TrainingSettings:
    _expect(path, "[training]", set(table), {f.name for f in fields(TrainingSettings)})
    for required in ("epochs", "batch_size"):
        if required not in table:
            raise UsageError(f"{path}: [training] has no {required}.")
    try:
        return TrainingSettings(**{key: _frozen(value) for key, value in table.items()})
    except ValueError as error:
        raise UsageError(f"{path}: [training] breaks a rule: {error}.") from None


def _expect(path: Path, place: str, found: set[str], known: set[str]) -> None:
    if unknown := found - known:
        raise UsageError(
            f"{path}: {place} has {', '.join(sorted(unknown))}, which does not exist.",
            f"It knows {', '.join(sorted(known))}.",
        )


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
