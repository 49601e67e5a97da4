"""`colorcli compare`: pictures coloured by several models, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.lines import load_lines, model_options, watched
from colorcli.errors import UnreadableMedia

if TYPE_CHECKING:
    from colorcli.media.photographs import Photograph


@click.command()
@model_options
@click.argument("pictures", metavar="PICTURES", type=click.Path(path_type=Path))
@click.option(
    "--sheet",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The contact sheet to write, a PNG.",
)
@click.option("--height", type=click.IntRange(min=16), default=220, show_default=True, help="Of each picture on it.")
@click.option("--limit", type=click.IntRange(min=1), help="Take only the first so many pictures, by name.")
def compare(
    models: tuple[str, ...],
    pictures: Path,
    weights: str | None,
    pairs: tuple[str, ...],
    device: str,
    precision: str,
    engine: str,
    offline: bool,
    sheet: Path,
    height: int,
    limit: int | None,
) -> int:
    """Draw a contact sheet of PICTURES (a file, or a folder): grey, by each MODEL, and as they are if in colour."""
    from colorcli.errors import ColorcliError
    from colorcli.evaluation.compare import versions
    from colorcli.evaluation.sheets import write_sheet

    found = _found(pictures)[:limit]
    lines = load_lines(
        models, weights=weights, pairs=pairs, device=device, precision=precision, engine=engine, offline=offline
    )
    problems: list[ColorcliError] = []
    write_sheet(sheet, versions(lines, watched("comparing", found), problems.append), height=height)
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    click.echo(str(sheet))
    return 1 if problems else 0


def _found(pictures: Path) -> list[Photograph]:
    from colorcli.media.photographs import Photograph, find_photographs

    found = [Photograph(pictures.name, pictures)] if pictures.is_file() else find_photographs(pictures)
    if not found:
        raise UnreadableMedia(f"{pictures}: there are no pictures in this folder.")
    return found
