"""The end of an experiment, when its runs are trained: evaluation, curves, sheets and the page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from colorcli.errors import ColorcliError
from colorcli.experiments.classes import recognize
from colorcli.experiments.declaration import FULL
from colorcli.experiments.measured import RunOptions, load_epochs, load_variants, measure
from colorcli.experiments.page import Picture, Result, write_result
from colorcli.experiments.stopping import METRICS, kept_epochs, rules_by_epoch, study_epochs
from colorcli.experiments.tables import Figures
from colorcli.experiments.training import first_run, photographs_of
from colorcli.files import replacing
from colorcli.pages.sheet import PictureVersions, write_sheet
from colorcli.pages.versions import versions
from colorcli.training.curves import draw_lines, draw_panels
from colorcli.training.held_out import held_out
from colorcli.training.report import read_runs
from colorcli.training.selection import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from colorcli.evaluation.tables import Report
    from colorcli.experiments.declaration import Curves, Experiment, Sheet, Stopping
    from colorcli.experiments.stopping import EpochStudy
    from colorcli.experiments.tables import FilledTable
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.photographs import Photograph
    from colorcli.training.report import RunLosses

RUNS = "runs"  # folder of the runs in the folder of an experiment
_HEIGHT = 200  # height of the pictures on a sheet, in pixels


@dataclass(frozen=True)
class Conclusion:
    """What an experiment has written.

    Attributes:
        result: everything on the page.
        files: the page and the Markdown file.
        problems: an error for each model or photograph that was left out.
    """

    result: Result
    files: Sequence[Path]
    problems: Sequence[ColorcliError]


def conclude(
    experiment: Experiment,
    folder: Path,
    *,
    options: RunOptions,
    problems: Iterable[ColorcliError] = (),
    command: str = "",
    watch: Callable[[str, Sequence[Photograph]], Iterable[Photograph]] = lambda _, all_: all_,
) -> Conclusion:
    """Evaluate the models of an experiment whose runs are trained, and write its page.

    Args:
        experiment: experiment at its scale.
        folder: folder of the experiment.
        options: device and precision, and whether downloads are allowed.
        problems: the runs that could not be trained.
        command: the command that makes the page.
        watch: passes on photographs, and may report progress under a title.

    Raises:
        DataError: the photographs cannot be read.
        UsageError: no run is trained, or a metric is unknown.
        UnwritableMedia: a file cannot be written.
    """
    study = _Study(experiment, folder, list(problems), watch)
    pipelines, left_out = load_variants(experiment, folder / RUNS, options)
    study.problems += left_out
    report = study.measure(pipelines, offline=options.offline)
    figures = Figures(study.losses, report)
    tables = [table for each in experiment.file.tables if not (table := figures.fill(each)).is_empty]
    tables += study.recognized(pipelines, options)
    pictures = [*study.curves(), *study.sheets(pipelines)]
    for number, declared in enumerate(experiment.file.stopping):
        more_tables, more_pictures = study.stopping(declared, number + 1, options)
        tables += more_tables
        pictures += more_pictures
    result = Result(
        title=experiment.file.title,
        source=experiment.file.source,
        question=experiment.file.question,
        facts=study.facts,
        tables=tables,
        pictures=pictures,
        report=replace(report, command=command) if report else None,
        problems=[str(problem) for problem in study.problems],
        notes=experiment.file.notes,
        command=command,
    )
    return Conclusion(result, write_result(result, folder), study.problems)


class _Study:
    """An experiment in its folder."""

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        problems: list[ColorcliError],
        watch: Callable[[str, Sequence[Photograph]], Iterable[Photograph]],
    ) -> None:
        self.experiment = experiment
        self.folder = folder
        self.problems = problems
        self._watch = watch
        folders = [folder / RUNS / run.name for run in experiment.runs]
        self.folders = [each for each in folders if (each / "best.safetensors").is_file()]
        self.losses: dict[str, RunLosses] = {run.name: run for run in read_runs(self.folders)} if self.folders else {}

    @property
    def facts(self) -> dict[str, str]:
        """What readers need to know about the scale and the data."""
        file, scale = self.experiment.file, self.experiment.scale
        summary = "as in the paper" if self.experiment.scale_name == FULL else scale.summary
        data = {"Data of the paper": file.data} if file.data else {}
        named = f"{self.experiment.scale_name}, {summary}" if summary else self.experiment.scale_name
        return {**data, "Scale": named, "Photographs here": self._photographs()}

    def _photographs(self) -> str:
        """How many photographs the first run has learned from, and how many are evaluated."""
        part = self.experiment.file.part
        if not self.folders:
            return "none, because no run is trained"
        learned = len(held_out(first_run(self.folders), "training"))
        evaluated = len(photographs_of(self.experiment, self.folders, part))
        return f"{learned:,} for training; {evaluated:,} of the {part} split for the figures"

    def measure(self, pipelines: Sequence[Pipeline], *, offline: bool) -> Report | None:
        """Evaluate the models on the split that the experiment names."""
        if not pipelines:
            return None
        photographs = photographs_of(self.experiment, self.folders, self.experiment.file.part)
        kept = self.folder / "evaluation.json"
        return measure(
            self.experiment,
            pipelines,
            photographs,
            kept,
            metrics=self.experiment.file.metrics,
            offline=offline,
            watch=self._watch,
        )

    def recognized(self, pipelines: Sequence[Pipeline], options: RunOptions) -> list[FilledTable]:
        """Let a classifier name what is in each version of some pictures."""
        tables = []
        for declared in self.experiment.file.classes:
            chosen = [pipeline for pipeline in pipelines if pipeline.name in declared.variants]
            if not chosen:
                continue
            found = photographs_of(self.experiment, self.folders, self.experiment.file.part)
            rows = versions(chosen, self._watch("recognizing", sample(found, declared.pictures)), self.problems.append)
            try:
                tables.append(recognize(declared, rows, self.experiment.judge, options))
            except ColorcliError as error:  # the classifier is not available
                self.problems.append(error)
        return tables

    def curves(self) -> Iterator[Picture]:
        """Draw losses by epoch."""
        for number, declared in enumerate(self.experiment.file.curves):
            lines = self._lines(declared)
            if not lines:
                continue
            path = self.folder / "figures" / f"curves-{number + 1}.png"
            with replacing(path) as temporary:
                draw_lines(temporary, lines, declared.title, "epoch")
            yield Picture(declared.title, f"figures/{path.name}", "; ".join(lines), declared.note)

    def _lines(self, declared: Curves) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
        lines: dict[str, tuple[Sequence[float], Sequence[float]]] = {}
        for name in declared.runs:
            for loss in declared.losses:
                values = sorted(self.losses[name].losses.get(loss, {}).items()) if name in self.losses else []
                if values:
                    label = f"{name}: {loss}" if len(declared.runs) > 1 else loss
                    lines[label] = [epoch for epoch, _ in values], [value for _, value in values]
        return lines

    def sheets(self, pipelines: Sequence[Pipeline]) -> Iterator[Picture]:
        """Draw pictures in gray, by each model, and in their original colors."""
        for number, declared in enumerate(self.experiment.file.sheets):
            by_name = {pipeline.name: pipeline for pipeline in pipelines}
            chosen = [by_name[name] for name in declared.variants or by_name if name in by_name]
            if not chosen:
                continue
            path = self.folder / "figures" / f"sheet-{number + 1}.png"
            with replacing(path) as temporary:
                write_sheet(temporary, self._rows(declared, chosen), height=_HEIGHT)
            names = ", ".join(pipeline.name for pipeline in chosen)
            yield Picture(
                declared.title, f"figures/{path.name}", f"Pictures in gray, by {names}, and originals", declared.note
            )

    def _rows(self, declared: Sheet, pipelines: Sequence[Pipeline]) -> Iterator[PictureVersions]:
        part = declared.part or self.experiment.file.part
        photographs = photographs_of(self.experiment, self.folders, part)
        shown = self._watch("drawing", sample(photographs, declared.pictures))
        for row in versions(pipelines, shown, self.problems.append):
            yield PictureVersions("", row.versions)

    def stopping(
        self, declared: Stopping, number: int, options: RunOptions
    ) -> tuple[list[FilledTable], list[Picture]]:
        """Measure the epochs of a run, and show what each rule for when to stop would have chosen."""
        if declared.run not in self.losses:
            return [], []
        run = self.losses[declared.run]
        epochs = kept_epochs(len(run.losses[run.deciding]), declared.epochs)
        pipelines = load_epochs(self.experiment, self.folder / RUNS, declared.run, epochs, options)
        photographs = photographs_of(self.experiment, self.folders, self.experiment.file.part)
        report = measure(
            self.experiment,
            pipelines,
            photographs,
            self.folder / f"evaluation-{declared.run}.json",
            metrics=METRICS,
            offline=options.offline,
            watch=self._watch,
        )
        found = study_epochs(declared, run, report, {f"epoch {epoch}": epoch for epoch in epochs})
        panels = {
            heading: (list(values), list(values.values())) for heading, values in found.columns.items() if values
        }
        curves = self.folder / "figures" / f"stopping-{number}.png"
        with replacing(curves) as temporary:
            draw_panels(temporary, panels, declared.title, "epoch")
        sheet = curves.with_name(f"stopping-{number}-sheet.png")
        with replacing(sheet) as temporary:
            write_sheet(temporary, self._chosen(found, declared, photographs, options), height=_HEIGHT)
        rules = rules_by_epoch(found.choices)
        legend = "; ".join(f"epoch {epoch}: {', '.join(names)}" for epoch, names in rules.items())
        return found.tables(declared), [
            Picture(f"{declared.title}, by epoch", f"figures/{curves.name}", ", ".join(panels)),
            Picture(f"{declared.title}: the chosen epochs", f"figures/{sheet.name}", legend, legend),
        ]

    def _chosen(
        self, found: EpochStudy, declared: Stopping, photographs: Sequence[Photograph], options: RunOptions
    ) -> Iterator[PictureVersions]:
        """Show pictures by the weights that the rules choose."""
        epochs = list(rules_by_epoch(found.choices))
        pipelines = load_epochs(self.experiment, self.folder / RUNS, declared.run, epochs, options)
        shown = self._watch("drawing", sample(photographs, declared.pictures))
        for row in versions(pipelines, shown, self.problems.append):
            yield PictureVersions("", row.versions)
