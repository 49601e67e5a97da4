"""`colorcli evaluate`: compare the colors that models predict with the true ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.command_line import command_line
from colorcli.cli.film import FilmOptions, coloring_options
from colorcli.cli.messages import report_error, report_note
from colorcli.cli.model_options import ModelOptions, load_pipelines, models_options
from colorcli.cli.progress import Progress, tracked
from colorcli.errors import ColorcliError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.evaluation.photographs import Evaluation
    from colorcli.evaluation.tables import Report
    from colorcli.film.colorize import FilmSettings
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.photographs import Photograph

_FORMATS = (".md", ".json", ".csv", ".html")


def _check_formats(_context: click.Context, _parameter: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Check that each file's suffix names a format."""
    for path in paths:
        if path.suffix.lower() not in _FORMATS:
            raise click.BadParameter(f"{path} must end in {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}.")
    return paths


@click.command()
@models_options
@click.argument("data", metavar="DATA", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    callback=_check_formats,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the tables to FILE: .md, .json, .csv or .html. Can be repeated.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option(
    "--metrics",
    metavar="NAME[=FILE][,...]",
    default="",
    help="Add metrics: lpips, fid, vgg16 (with the extra colorcli[metrics]; =FILE for local weights), "
    "colorfulness_unsigned, or a plugin's.",
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
    data: Path,
    model_options: ModelOptions,
    outputs: tuple[Path, ...],
    overwrite: bool,
    metrics: str,
    by_category: bool,
    size: int,
    limit: int | None,
    film_options: FilmOptions,
) -> int:
    """Compare the colors that each MODEL predicts for DATA with the true ones.

    DATA is a color film, or a folder of color photographs (tar files are read as folders) and films. Each is turned
    gray, colorized and compared. Gray itself and the mean color of the photographs are the baselines.
    """
    from colorcli.evaluation.film.table import find_films
    from colorcli.evaluation.markdown import to_markdown
    from colorcli.media.photographs import find_photographs
    from colorcli.pages import check_free

    for path in outputs:
        check_free(path, overwrite=overwrite)
    settings = film_options.settings()
    films = find_films(data)
    photographs = find_photographs(data)[:limit] if data not in films else []
    if not photographs and not films:
        raise DataError(f"{data}: no photographs or films found.", "Give a folder of color photographs.")
    pipelines, problems = load_pipelines(models, model_options)
    found: list[Evaluation] = []
    if photographs:
        asked = [each for each in metrics.split(",") if each]
        found.append(
            _of_photographs(
                pipelines, photographs, asked, size, offline=model_options.offline, by_category=by_category
            )
        )
    if films:
        found.append(_of_films(pipelines, films, data, settings, size))
    problems += [problem for each in found for problem in (*each.failed, *each.unreadable)]
    report = _report(ctx, data, pipelines, found, metrics, problems)
    for problem in problems:
        report_error(problem)
    if report.gray:
        report_note(f"skipped because they are gray: {', '.join(report.gray)}")
    for path in outputs:
        _write(report, path)
    click.echo(to_markdown(report))
    missing = any(column.missing for table in report.tables for column in table.columns)
    return 1 if report.problems or missing else 0


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


def _of_films(
    pipelines: Sequence[Pipeline], films: Sequence[Path], data: Path, settings: FilmSettings, size: int
) -> Evaluation:
    from colorcli.evaluation.film.table import evaluate_films

    with Progress("evaluating", None, unit="fps") as progress:
        folder = data if data.is_dir() else data.parent
        return evaluate_films(pipelines, films, settings, folder=folder, size=size, watch=progress.advance)


def _report(
    ctx: click.Context,
    data: Path,
    pipelines: Sequence[Pipeline],
    found: Sequence[Evaluation],
    metrics: str,
    problems: Sequence[ColorcliError],
) -> Report:
    from colorcli.evaluation.protocol import describe, package_versions
    from colorcli.evaluation.tables import Report

    return Report(
        data=data.resolve().name,
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
    from colorcli.files import replacing
    from colorcli.pages.evaluation import to_html

    write = {".md": to_markdown, ".json": to_json, ".csv": to_csv, ".html": to_html}[path.suffix.lower()]
    text = write(report)
    with replacing(path, "Check the disk and its permissions, or choose another folder.") as temporary:
        temporary.write_text(f"{text.rstrip()}\n", encoding="utf-8", newline="\n")
