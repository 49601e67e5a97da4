"""`colorcli evaluate`: how near the colours of models are to those of photographs."""

from __future__ import annotations

from pathlib import Path

import click

from colorcli.cli.lines import command_line, load_lines, model_options, watched


@click.command()
@model_options
@click.argument("data", metavar="DATA", type=click.Path(path_type=Path))
@click.option(
    "--size",
    type=click.IntRange(min=16),
    default=256,
    show_default=True,
    help="Square that the photographs are scaled to.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Take only the first so many photographs, by name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    models: tuple[str, ...],
    data: Path,
    weights: str | None,
    pairs: tuple[str, ...],
    device: str,
    precision: str,
    engine: str,
    offline: bool,
    size: int,
    limit: int | None,
    as_json: bool,
) -> int:
    """Compare the colours of MODEL... with those of the colour photographs in the folder DATA (tar files count).

    Every photograph is made grey, colorized and compared; grey itself and the mean colour of the photographs stand
    beside the models.
    """
    from colorcli.errors import DataError
    from colorcli.evaluation.evaluate import evaluate as table_of
    from colorcli.media.photographs import find_photographs

    photographs = find_photographs(data)[:limit]
    if not photographs:
        raise DataError(f"{data}: there are no photographs in this folder.", "Give a folder of colour photographs.")
    lines = load_lines(
        models, weights=weights, pairs=pairs, device=device, precision=precision, engine=engine, offline=offline
    )
    table = table_of(lines, photographs, size=size, watch=watched)
    for message in table.unreadable:
        click.echo(f"error: {message}", err=True)
    if table.grey:
        click.echo(f"note: left out because they are grey: {', '.join(table.grey)}", err=True)
    write = table.json if as_json else table.markdown
    click.echo(write(data.resolve().name, command_line(ctx)))
    return 1 if table.unreadable else 0
