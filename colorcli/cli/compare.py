"""`colorcli compare`: show pictures colorized by several models side by side."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.command_line import command_line
from colorcli.cli.messages import report_error
from colorcli.cli.model_options import ModelOptions, load_pipelines, models_options
from colorcli.cli.output_files import PAGE, OutputFile
from colorcli.cli.progress import tracked
from colorcli.errors import ColorcliError, DataError, UnreadableMedia, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.photographs import Photograph
    from colorcli.pages.comparison import ComparisonPage
    from colorcli.pages.sheet import PictureVersions


@click.command()
@models_options
@click.argument("pictures", metavar="PICTURES", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="PAGE", type=PAGE, help="Write a page, one HTML file.")
@click.option("--sheet", metavar="FILE", type=OutputFile(".png"), help="Write a contact sheet, a PNG.")
@click.option("--limit", type=click.IntRange(min=1), help="Use only the first LIMIT pictures, by name.")
@click.option(
    "--max-side",
    type=click.IntRange(min=64),
    default=1280,
    show_default=True,
    help="Longest side of a picture on the page, in pixels; larger pictures are scaled down.",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=85,
    show_default=True,
    help="Image quality on the page.",
)
@click.option(
    "--height",
    type=click.IntRange(min=16),
    default=220,
    show_default=True,
    help="Height of each picture on the sheet, in pixels.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing page or sheet.")
@click.pass_context
def compare(
    ctx: click.Context,
    models: tuple[str, ...],
    pictures: Path,
    model_options: ModelOptions,
    output: Path | None,
    sheet: Path | None,
    limit: int | None,
    max_side: int,
    quality: int,
    height: int,
    overwrite: bool,
) -> int:
    """Show pictures by several models side by side.

    PICTURES, a file or a folder, are shown in gray, colorized by each MODEL, and in their original colors, if any.
    MODEL is COLORIZER, COLORIZER.TAG, COLORIZER:FILE or COLORIZER:RUN, the folder of a training run; NAME=MODEL names
    its version. The page is a single file that works without a server or a network. `-p temperature=0.05,0.38,1`
    compares several values of an option.
    """
    from colorcli.pages import check_free
    from colorcli.pages.comparison import open_comparison
    from colorcli.pages.sheet import write_sheet
    from colorcli.pages.versions import versions

    targets = [path for path in (output, sheet) if path]
    if not targets:
        raise UsageError("No output given.", "Write a page with -o page.html, or a sheet with --sheet sheet.png.")
    for path in targets:
        check_free(path, overwrite=overwrite)
    found = _found(pictures)[:limit]
    pipelines, problems = load_pipelines(models, model_options)
    rows = versions(pipelines, tracked("comparing", found), problems.append)
    with contextlib.ExitStack() as stack:
        stack.callback(_print_errors, problems)
        if output:
            opened = open_comparison(output, _title(pictures, pipelines), max_side=max_side, quality=quality)
            page = stack.enter_context(opened)
            rows = _add_to_page(page, rows)
        if sheet:
            write_sheet(sheet, rows, height=height)
        elif not sum(1 for _ in rows):
            raise DataError("No pictures to show.")
        if output:
            _describe_page(page, pictures, pipelines, problems, command_line(ctx))
    for path in targets:
        click.echo(str(path))
    return 1 if problems else 0


def _found(pictures: Path) -> list[Photograph]:
    from colorcli.media.photographs import Photograph, find_photographs

    if not pictures.exists():
        raise DataError(
            f"File or folder not found: {pictures}.", "The last argument must be PICTURES, a file or a folder."
        )
    found = [Photograph(pictures.name, pictures)] if pictures.is_file() else find_photographs(pictures)
    if not found:
        raise UnreadableMedia(f"{pictures}: no pictures found.")
    return found


def _title(pictures: Path, pipelines: Sequence[Pipeline]) -> str:
    names = ", ".join(pipeline.name for pipeline in pipelines)
    return f"{pictures.resolve().name} by {names if len(pipelines) <= 3 else f'{len(pipelines)} models'}"


def _add_to_page(page: ComparisonPage, rows: Iterable[PictureVersions]) -> Iterator[PictureVersions]:
    for row in rows:
        page.add(row)
        yield row


def _describe_page(
    page: ComparisonPage,
    pictures: Path,
    pipelines: Sequence[Pipeline],
    problems: Sequence[ColorcliError],
    command: str,
) -> None:
    from colorcli.evaluation.protocol import describe, made_by

    page.facts = {
        "Pictures": f"{page.count} from {pictures.resolve().name}",
        **{pipeline.name: describe(pipeline) for pipeline in pipelines},
        "Made by": made_by(),
    }
    page.problems = [str(problem) for problem in problems]
    page.command = command


def _print_errors(problems: Sequence[ColorcliError]) -> None:
    for problem in problems:
        report_error(problem)
