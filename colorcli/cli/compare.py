"""`colorcli compare`: pictures colored by several models, side by side."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.command_line import command_line
from colorcli.cli.messages import report_error
from colorcli.cli.model_options import ModelOptions, load_pipelines, models_options
from colorcli.cli.progress import tracked
from colorcli.errors import ColorcliError, DataError, UnreadableMedia, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.photographs import Photograph
    from colorcli.pages.comparison import Comparison
    from colorcli.pages.sheet import Row

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@models_options
@click.argument("pictures", metavar="PICTURES", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="PAGE", type=_FILE, help="The page to write, one HTML file.")
@click.option("--sheet", metavar="FILE", type=_FILE, help="The contact sheet to write, a PNG.")
@click.option("--limit", type=click.IntRange(min=1), help="Take only the first so many pictures, by name.")
@click.option(
    "--max-side",
    type=click.IntRange(min=64),
    default=1280,
    show_default=True,
    help="Of each picture on the page, in pixels: larger ones are scaled down.",
)
@click.option(
    "--quality", type=click.IntRange(1, 100), default=85, show_default=True, help="Of the pictures on the page."
)
@click.option(
    "--height", type=click.IntRange(min=16), default=220, show_default=True, help="Of each picture on the sheet."
)
@click.option("--overwrite", is_flag=True, help="Replace a page or a sheet that is there already.")
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
    """Show PICTURES (a file, or a folder) in gray, by each MODEL, and as they are if in color, on a page or a sheet.

    The page needs no server and loads nothing: send it to whom you like. `-p temperature=0.05,0.38,1` compares values
    of an option.
    """
    from colorcli.pages import check_free
    from colorcli.pages.comparison import open_comparison
    from colorcli.pages.sheet import write_sheet
    from colorcli.pages.versions import versions

    targets = [path for path in (output, sheet) if path]
    if not targets:
        raise UsageError("There is nothing to write to.", "Give a page, -o page.html, or a sheet, --sheet sheet.png.")
    for path in targets:
        check_free(path, overwrite=overwrite)
    found = _found(pictures)[:limit]
    pipelines = load_pipelines(models, model_options)
    problems: list[ColorcliError] = []
    rows = versions(pipelines, tracked("comparing", found), problems.append)
    with contextlib.ExitStack() as stack:
        stack.callback(_complain, problems)
        if output:
            opened = open_comparison(output, _title(pictures, pipelines), max_side=max_side, quality=quality)
            page = stack.enter_context(opened)
            rows = _added(page, rows)
        if sheet:
            write_sheet(sheet, rows, height=height)
        elif not sum(1 for _ in rows):
            raise DataError("There are no pictures to show.")
        if output:
            _tell(page, pictures, pipelines, problems, command_line(ctx))
    for path in targets:
        click.echo(str(path))
    return 1 if problems else 0


def _found(pictures: Path) -> list[Photograph]:
    from colorcli.media.photographs import Photograph, find_photographs

    found = [Photograph(pictures.name, pictures)] if pictures.is_file() else find_photographs(pictures)
    if not found:
        raise UnreadableMedia(f"{pictures}: there are no pictures in this folder.")
    return found


def _title(pictures: Path, pipelines: Sequence[Pipeline]) -> str:
    names = ", ".join(pipeline.name for pipeline in pipelines)
    return f"{pictures.resolve().name} by {names if len(pipelines) <= 3 else f'{len(pipelines)} models'}"


def _added(page: Comparison, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        page.add(row)
        yield row


def _tell(
    page: Comparison, pictures: Path, pipelines: Sequence[Pipeline], problems: Sequence[ColorcliError], command: str
) -> None:
    from colorcli.pages.versions import described, versions_used

    page.facts = {
        "Pictures": f"{page.count} from {pictures.resolve().name}",
        **{pipeline.name: described(pipeline) for pipeline in pipelines},
        "Made by": versions_used(),
    }
    page.problems = [str(problem) for problem in problems]
    page.command = command


def _complain(problems: Sequence[ColorcliError]) -> None:
    for problem in problems:
        report_error(problem)
