"""`colorcli evaluate`: compare the colors that models predict with the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from colorcli.cli.command_line import command_line
from colorcli.cli.film import FilmOptions, coloring_options
from colorcli.cli.messages import report_error, report_note
from colorcli.cli.model_options import ModelOptions, load_pipelines, models_options
from colorcli.cli.output_files import output_files
from colorcli.cli.progress import Progress, tracked
from colorcli.errors import ColorcliError, DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.evaluation.photographs import Evaluation
    from colorcli.evaluation.tables import Report
    from colorcli.film.colorize import FilmSettings
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.photographs import Photograph

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FORMATS = (".md", ".json", ".csv", ".html")


@click.command()
@models_options
@click.argument("data", metavar="[DATA]", required=False)
@click.option(
    "--run",
    "run_folder",
    metavar="RUN",
    type=_FOLDER,
    help="Evaluate on the photographs that a training run held out, instead of DATA.",
)
@click.option(
    "--part",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="Split of RUN to evaluate on.",
)
@output_files(_FORMATS, "Also write the tables to FILE: .md, .json, .csv or .html.")
@click.option(
    "--metrics",
    metavar="NAME[=FILE][,...]",
    default="",
    help="Add metrics: recognition, fd_lite2, lpips, fid, vgg16 (with the extra colorcli[metrics]; =FILE for local "
    "weights of the last three), colorfulness_unsigned, or a plugin's.",
)
@click.option(
    "--gray",
    "gray_name",
    metavar="NAME",
    help="Way to make the pictures gray: luminance, luma601, orthochromatic, ... or a plugin's.  [default: their "
    "lightness]",
)
@click.option("--by-category", is_flag=True, help="Add a table for each category of the photographs.")
@click.option(
    "--size",
    type=click.IntRange(min=16),
    default=256,
    show_default=True,
    help="Side of the square that photographs are scaled to, and longer side of films.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Use only the first LIMIT photographs, by name.")
@coloring_options
@click.pass_context
def evaluate(
    ctx: click.Context,
    models: tuple[str, ...],
    data: str | None,
    run_folder: Path | None,
    part: Literal["test", "validation"],
    model_options: ModelOptions,
    outputs: tuple[Path, ...],
    overwrite: bool,
    metrics: str,
    gray_name: str | None,
    by_category: bool,
    size: int,
    limit: int | None,
    film_options: FilmOptions,
) -> int:
    """Measure how close predicted colors are to the true ones.

    DATA is a color film, or a folder of color photographs (tar files are read as folders) and films. Each is turned
    gray, colorized and compared. Gray itself and the mean color of the photographs are the baselines.

    MODEL is COLORIZER, COLORIZER.TAG, COLORIZER:FILE or COLORIZER:RUN, the folder of a training run; NAME=MODEL names
    its row. With --run RUN instead of DATA, the photographs are those that the run held out, and RUN is the default
    MODEL.
    """
    from colorcli.evaluation.markdown import to_markdown
    from colorcli.pages import check_free
    from colorcli.training.held_out import colorizer_of, held_out

    for path in outputs:
        check_free(path, overwrite=overwrite)
    settings = film_options.settings()
    if run_folder:
        models = (*models, *([data] if data else [])) or (f"{colorizer_of(run_folder)}:{run_folder}",)
        found_data = _Data(f"{run_folder.resolve().name}, {part} split", held_out(run_folder, part))
    elif data is None:
        raise UsageError("No DATA given.", "Choose a folder of color photographs, or a training run with --run.")
    else:
        found_data = _find_data(Path(data))
    photographs = found_data.photographs[:limit]
    pipelines, problems = load_pipelines(models, model_options)
    if gray_name is not None and found_data.films:
        raise UsageError(f"--gray {gray_name} is for photographs, and {data} contains films.", "Move them elsewhere.")
    if gray_name is not None:
        pipelines = _of_gray(pipelines, gray_name)
    found: list[Evaluation] = []
    if photographs:
        asked = [each for each in metrics.split(",") if each]
        found.append(
            _of_photographs(
                pipelines, photographs, asked, size, offline=model_options.offline, by_category=by_category
            )
        )
    if found_data.films:
        found.append(_of_films(pipelines, found_data, settings, size))
    problems += [problem for each in found for problem in (*each.failed, *each.unreadable)]
    report = _report(ctx, found_data.name, pipelines, found, metrics, problems)
    for problem in problems:
        report_error(problem)
    if report.gray:
        report_note(f"skipped because they are gray: {', '.join(report.gray)}")
    for path in outputs:
        _write(report, path)
    click.echo(to_markdown(report))
    missing = any(column.missing for table in report.tables for column in table.columns)
    return 1 if report.problems or missing else 0


@dataclass(frozen=True)
class _Data:
    """What to evaluate on; `folder` is the one that the names of films are relative to."""

    name: str
    photographs: Sequence[Photograph]
    films: Sequence[Path] = ()
    folder: Path = Path()


def _find_data(path: Path) -> _Data:
    from colorcli.evaluation.film.table import find_films
    from colorcli.media.photographs import find_photographs

    if not path.exists():
        raise DataError(
            f"File or folder not found: {path}.",
            "The last argument must be DATA, a folder of color photographs or a color film.",
        )
    films = find_films(path)
    photographs = find_photographs(path) if path not in films else []
    if not photographs and not films:
        raise DataError(f"{path}: no photographs or films found.", "Choose a folder of color photographs.")
    return _Data(path.resolve().name, photographs, films, path if path.is_dir() else path.parent)


def _of_photographs(
    pipelines: Sequence[Pipeline],
    photographs: Sequence[Photograph],
    asked: Sequence[str],
    size: int,
    *,
    offline: bool,
    by_category: bool,
) -> Evaluation:
    from colorcli.evaluation.metrics.selection import choose
    from colorcli.evaluation.photographs import evaluate as table_of
    from colorcli.plugin.registry import Registry

    chosen = choose(
        asked,
        Registry().metrics,
        categories={photograph.category for photograph in photographs},
        device=pipelines[0].model.device.device,
        offline=offline,
    )
    return table_of(pipelines, photographs, metrics=chosen, size=size, by_category=by_category, watch=tracked)


def _of_gray(pipelines: Sequence[Pipeline], name: str) -> list[Pipeline]:
    """Let all models colorize pictures that become gray in a way that is named.

    Raises:
        UsageError: no plugin has this way of making gray.
    """
    from colorcli.inference.studies import StudyPipeline
    from colorcli.plugin.registry import Registry

    known = Registry().grays()
    if name not in known:
        raise UsageError(f"Way of making gray not found: {name}.", did_you_mean(name, known))
    return [StudyPipeline(pipeline, gray=known[name]) for pipeline in pipelines]


def _of_films(pipelines: Sequence[Pipeline], data: _Data, settings: FilmSettings, size: int) -> Evaluation:
    from colorcli.evaluation.film.table import evaluate_films

    with Progress("evaluating", None, unit="fps") as progress:
        return evaluate_films(pipelines, data.films, settings, folder=data.folder, size=size, watch=progress.advance)


def _report(
    ctx: click.Context,
    data: str,
    pipelines: Sequence[Pipeline],
    found: Sequence[Evaluation],
    metrics: str,
    problems: Sequence[ColorcliError],
) -> Report:
    from colorcli.evaluation.protocol import describe, package_versions
    from colorcli.evaluation.tables import Report

    return Report(
        data=data,
        command=command_line(ctx),
        models={pipeline.name: describe(pipeline) for pipeline in pipelines},
        versions=package_versions(*(["torchvision"] if metrics else [])),
        tables=[each.table for each in found],
        problems=[str(error) for error in problems],
        gray=[name for each in found for name in each.gray],
    )


def _write(report: Report, path: Path) -> None:
    """Write a report in the format of the file's suffix, atomically."""
    from colorcli.evaluation.export import to_csv, to_json
    from colorcli.evaluation.markdown import to_markdown
    from colorcli.files import write_text
    from colorcli.pages.evaluation import to_html

    write = {".md": to_markdown, ".json": to_json, ".csv": to_csv, ".html": to_html}[path.suffix.lower()]
    text = write(report)
    write_text(path, f"{text.rstrip()}\n")
