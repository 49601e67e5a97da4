"""Experiment files: what a paper trained, what is evaluated, and the tables and figures that come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from colorcli.documents import read_toml
from colorcli.errors import UsageError, did_you_mean
from colorcli.validation import find_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FULL = "full"  # the scale of the paper, at which recipes are as they are

_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="letters, digits, - and _")]
_Text = Annotated[str, Meta(min_length=1, description="text that is not empty")]
_Count = Annotated[int, Meta(ge=1, description="an integer from 1")]
Printed: TypeAlias = float | str


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class TrainingRun(_Table, frozen=True):
    """A run to train, an entry of `[[runs]]`.

    Attributes:
        name: name of the run and its folder.
        colorizer: colorizer to train.
        recipe: name of one of its recipes, or a TOML file relative to the experiment's.
        training: settings in [training] that replace those of the recipe, at every scale.
        scales: scales at which it is trained; all if empty.
    """

    name: _Name
    colorizer: _Text
    recipe: _Text
    training: dict[str, Any] = {}
    scales: tuple[str, ...] = ()


class Variant(_Table, frozen=True):
    """A model to evaluate, an entry of `[[variants]]`: weights of a run, or published ones.

    Attributes:
        name: name in tables and on sheets.
        run: the run whose weights it has; empty for published ones.
        weights: which weights of the run: those with the lowest validation loss, or the last ones.
        model: the published weights, such as `iizuka.starter`; empty for those of a run.
        file: weights for the model, in the folder of the experiment; the variant is left out without it.
        options: options of the colorizer.
        gray: how its pictures become gray, by name; empty for their own lightness.
        shown: `joined` with the lightness of the gray picture, or as the network `painted` the whole picture.
        scales: scales at which it is evaluated; all if empty.
    """

    name: _Text
    run: str = ""
    weights: Literal["best", "last"] = "best"
    model: str = ""
    file: str = ""
    options: dict[str, str | int | float | bool] = {}
    gray: str = ""
    shown: Literal["joined", "painted"] = "joined"
    scales: tuple[str, ...] = ()


class TableRow(_Table, frozen=True):
    """A row of a paper's table: what is in its cells, and the figures that the paper prints.

    Attributes:
        name: name of the row.
        loss: name of a loss in the logs of the runs, such as `validation l1`; `epoch` for the number of the epoch.
        metric: name of a metric; several for one in each column. Without a loss or a metric, the row is the paper's
            alone, such as answers of people.
        of: the run (`RUN`, `RUN/STAGE`, or `RUN/*` for the mean over its stages) or the variant of each column; those
            of the table if empty.
        at: the epoch of the loss.
        printed: the paper's figures, one for each column; none if it prints none.
        decimals: number of decimals to show.
    """

    name: _Text
    loss: str = ""
    metric: str | tuple[str, ...] = ""
    of: tuple[str, ...] = ()
    at: Literal["last", "best"] = "last"
    printed: tuple[Printed, ...] = ()
    decimals: Annotated[int, Meta(ge=0, le=6, description="an integer in 0..6")] = 3


class PaperTable(_Table, frozen=True):
    """A paper's table in its own form, an entry of `[[tables]]`.

    Attributes:
        title: title, such as "Table 1".
        columns: their headings.
        of: the run or variant of each column, for rows that name none.
        rows: rows from top to bottom.
        note: note below the table.
    """

    title: _Text
    columns: tuple[str, ...]
    of: tuple[str, ...] = ()
    rows: tuple[TableRow, ...] = ()
    note: str = ""


class Curves(_Table, frozen=True):
    """Losses by epoch, an entry of `[[curves]]`.

    Attributes:
        title: title, such as "Figure 3".
        runs: `RUN` or `RUN/STAGE`.
        losses: losses to draw for each run.
        note: note below the curves.
    """

    title: _Text
    runs: tuple[str, ...]
    losses: tuple[str, ...]
    note: str = ""


class Sheet(_Table, frozen=True):
    """Pictures in gray, by each variant, and in their original colors, an entry of `[[sheets]]`.

    Attributes:
        title: title, such as "Figure 6".
        variants: variants from left to right; all if empty.
        pictures: how many.
        part: the split of the pictures; that of the experiment if empty.
        note: note below the sheet.
    """

    title: _Text
    variants: tuple[str, ...] = ()
    pictures: _Count = 6
    part: Literal["test", "validation", "training", ""] = ""
    note: str = ""


class Classes(_Table, frozen=True):
    """What a classifier recognizes in each version of a picture, and how confidently, an entry of `[[classes]]`.

    Attributes:
        title: title, such as "Table 1".
        variants: the label of each variant in the table.
        gray: the label of the gray picture.
        original: the label of the original.
        pictures: how many.
        printed: the paper's rows: picture, label, class and confidence.
        note: note below the table.
    """

    title: _Text
    variants: dict[str, str]
    gray: str = "gray"
    original: str = "original"
    pictures: _Count = 6
    printed: tuple[tuple[str, str, str, float], ...] = ()
    note: str = ""


class Stopping(_Table, frozen=True):
    """What rules for when to stop would have chosen, an entry of `[[stopping]]`.

    Attributes:
        title: title of the study.
        run: the run that keeps the weights of every epoch (`keep_epochs`).
        losses: losses, each watched by GL / P_k, such as `generator` and `adversarial`.
        k: number of epochs of the training progress.
        limit: mu, of GL / P_k.
        epochs: the most epochs to evaluate, evenly spaced.
        pictures: number of pictures on the sheet.
        note: note below the study.
    """

    title: _Text
    run: _Text
    losses: Annotated[tuple[str, ...], Meta(min_length=1, description="a list of losses")]
    k: Annotated[int, Meta(ge=2, description="an integer from 2")] = 5
    limit: Annotated[float, Meta(gt=0, description="a number above 0")] = 0.75
    epochs: _Count = 12
    pictures: _Count = 6
    note: str = ""


class ScaledRun(_Table, frozen=True):
    """What a scale replaces in one run, beside what it replaces in all of them."""

    network: dict[str, Any] = {}
    recipe: dict[str, Any] = {}
    training: dict[str, Any] = {}


class Scale(_Table, frozen=True):
    """How much smaller than the paper's an experiment is, a table of `[scales]`.

    Attributes:
        summary: a phrase.
        input_size: input size of all weights.
        network: replaces hyperparameters that a recipe gives.
        recipe: replaces settings in [recipe] that a recipe gives.
        training: replaces settings in [training], or adds them.
        runs: replacements in single runs, by the names of the runs.
        limit: the most photographs to evaluate on.
        judge: classifier for `[[classes]]`.
    """

    summary: str = ""
    input_size: _Count | None = None
    network: dict[str, Any] = {}
    recipe: dict[str, Any] = {}
    training: dict[str, Any] = {}
    runs: dict[str, ScaledRun] = {}
    limit: _Count | None = None
    judge: Literal["vgg16", "lite2", ""] = ""


class _File(_Table, frozen=True):
    title: _Text
    source: _Text
    question: str = ""
    data: str = ""
    part: Literal["test", "validation"] = "test"
    size: Annotated[int, Meta(ge=16, description="an integer from 16")] = 256
    metrics: tuple[str, ...] = ()
    judge: Literal["vgg16", "lite2"] = "lite2"
    notes: tuple[str, ...] = ()
    runs: tuple[TrainingRun, ...] = ()
    variants: tuple[Variant, ...] = ()
    tables: tuple[PaperTable, ...] = ()
    curves: tuple[Curves, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    classes: tuple[Classes, ...] = ()
    stopping: tuple[Stopping, ...] = ()
    scales: dict[str, Scale] = {}


_LISTS: dict[str, type[msgspec.Struct]] = {
    "runs": TrainingRun,
    "variants": Variant,
    "tables": PaperTable,
    "curves": Curves,
    "sheets": Sheet,
    "classes": Classes,
    "stopping": Stopping,
}


@dataclass(frozen=True)
class Experiment:
    """An experiment at one scale.

    Attributes:
        name: name of its file, without the suffix.
        path: path of its file.
        scale_name: name of the scale, such as `short`.
        scale: what is smaller than in the paper.
        file: everything else.
    """

    name: str
    path: Path
    scale_name: str
    scale: Scale
    file: _File

    @property
    def runs(self) -> list[TrainingRun]:
        """The runs to train at this scale."""
        return [run for run in self.file.runs if not run.scales or self.scale_name in run.scales]

    @property
    def variants(self) -> list[Variant]:
        """The models to evaluate at this scale."""
        runs = {run.name for run in self.runs}
        return [
            variant
            for variant in self.file.variants
            if (not variant.scales or self.scale_name in variant.scales) and (variant.model or variant.run in runs)
        ]

    @property
    def judge(self) -> str:
        """The classifier of `[[classes]]`."""
        return self.scale.judge or self.file.judge


def read_title(path: Path) -> tuple[str, str]:
    """Read what an experiment is about, for a list: its title and its source.

    Raises:
        UsageError: the file is not an experiment.
    """
    file = _read(path)
    return file.title, file.source


def read_experiment(path: Path, scale: str) -> Experiment:
    """Read an experiment file.

    Args:
        path: the file.
        scale: `full`, or one that the file declares.

    Raises:
        UsageError: the file is not a valid experiment (the message lists every wrong field), or does not have the
            scale.
    """
    file = _read(path)
    known = {FULL: Scale(), **file.scales}
    if scale not in known:
        raise UsageError(f"{path.stem} has no scale {scale!r}.", did_you_mean(scale, known))
    return Experiment(path.stem, path, scale, known[scale], file)


def _read(path: Path) -> _File:
    try:
        tables = read_toml(path)
    except FileNotFoundError:
        raise UsageError(f"Experiment not found: {path}.", "`colorcli paper --list` lists the experiments.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path} cannot be read: {reason}.") from None
    problems = list(_wrong_fields(tables)) or list(_wrong_references(msgspec.convert(tables, _File)))
    if problems:
        raise UsageError("\n".join([f"{path} is not a valid experiment:", *problems]))
    return msgspec.convert(tables, _File)


def _wrong_fields(tables: Mapping[str, Any]) -> Iterator[str]:
    """List everything that is wrong with the fields of an experiment file, a line each."""
    yield from find_problems({key: value for key, value in tables.items() if key not in _LISTS}, _File, "")
    for name, kind in _LISTS.items():
        entries = tables.get(name, [])
        if not isinstance(entries, list):
            yield f"{name} must be a list of tables, written as [[{name}]]"
            continue
        for number, entry in enumerate(entries):
            yield from find_problems(entry, kind, f"{name}[{number}]")


def _wrong_references(file: _File) -> Iterator[str]:
    """List every name in an experiment file that refers to nothing, a line each."""
    runs, variants = [run.name for run in file.runs], [variant.name for variant in file.variants]
    for kind, names in (("runs", runs), ("variants", variants)):
        yield from (f"{kind}: {name} is given twice" for name in sorted(set(names)) if names.count(name) > 1)
    for variant in file.variants:
        if bool(variant.run) == bool(variant.model):
            yield f"variants: {variant.name} must have either a run or a model"
        elif variant.run and variant.run not in runs:
            yield f"variants: {variant.name} refers to the run {variant.run}, which is not declared"
    for table in file.tables:
        for row in table.rows:
            yield from _wrong_row(f"tables: {table.title}, {row.name}", table, row, runs, variants)
    for curves in file.curves:
        missing = [name for name in curves.runs if name.partition("/")[0] not in runs]
        yield from (f"curves: {curves.title} draws {name}, which is not a run" for name in missing)
    shown = [(sheet.title, sheet.variants) for sheet in file.sheets]
    shown += [(classes.title, tuple(classes.variants)) for classes in file.classes]
    for title, names_shown in shown:
        yield from (f"{title} shows {name}, which is not a variant" for name in names_shown if name not in variants)
    for study in file.stopping:
        if study.run not in runs:
            yield f"stopping: {study.title} refers to {study.run}, which is not a run"
    for scale_name, scale in file.scales.items():
        yield from (f"scales.{scale_name}: {name} is not a run" for name in scale.runs if name not in runs)
    scales = {FULL, *file.scales}
    given = [(run.name, run.scales) for run in file.runs] + [(each.name, each.scales) for each in file.variants]
    for name, declared in given:
        yield from (f"{name}: {each} is not a scale" for each in declared if each not in scales)


def _wrong_row(
    place: str, table: PaperTable, row: TableRow, runs: Sequence[str], variants: Sequence[str]
) -> Iterator[str]:
    of = row.of or table.of
    if row.loss and row.metric:
        yield f"{place} must have either a loss or a metric"
    if (row.loss or row.metric) and len(of) != len(table.columns):
        yield f"{place} must name {len(table.columns)} runs or variants, one for each column, got {len(of)}"
    if row.printed and len(row.printed) != len(table.columns):
        yield f"{place} must have {len(table.columns)} printed figures, got {len(row.printed)}"
    if isinstance(row.metric, tuple) and len(row.metric) != len(table.columns):
        yield f"{place} must have one metric, or {len(table.columns)}, got {len(row.metric)}"
    known = variants if row.metric else runs
    kind = "variant" if row.metric else "run"
    for name in of if row.loss or row.metric else ():
        if name and (name if row.metric else name.partition("/")[0]) not in known:
            yield f"{place} refers to {name}, which is not a {kind}"
