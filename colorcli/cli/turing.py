"""`colorcli turing`: can people tell colorized pictures from real photographs?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.command_line import command_line
from colorcli.cli.messages import report_error, report_note
from colorcli.cli.model_options import ModelOptions, load_pipelines, models_options
from colorcli.cli.output_files import PAGE
from colorcli.cli.progress import tracked
from colorcli.errors import ColorcliError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY = ".key.json"


@click.group()
def turing() -> None:
    """Ask people which pictures are real, and score their answers."""


@turing.command()
@models_options
@click.argument("pictures", metavar="PICTURES", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="PAGE", type=PAGE, default="turing.html", show_default=True, help="The page to write."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 60),
    default=1.0,  # as in Zhang 2016
    show_default=True,
    help="How long each picture is shown; 0 until it is answered.",
)
@click.option(
    "--practice",
    type=click.IntRange(min=0),
    help="Number of scenes for practice.  [default: a fifth of all, at most 10]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed for who sees which version of a scene, and in which order.",
)
@click.option(
    "--max-side",
    type=click.IntRange(64, 4096),
    default=512,
    show_default=True,
    help="Longest side of a picture, in pixels; larger pictures are scaled down.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Use only the first LIMIT pictures, by name.")
@click.option("--overwrite", is_flag=True, help="Replace an existing page and key.")
@click.pass_context
def make(
    ctx: click.Context,
    models: tuple[str, ...],
    pictures: Path,
    model_options: ModelOptions,
    output: Path,
    seconds: float,
    practice: int | None,
    seed: int,
    max_side: int,
    limit: int | None,
    overwrite: bool,
) -> int:
    """Write a survey of real and colorized photographs.

    PICTURES is a folder of color photographs, which are shown in their real colors and colorized by each MODEL. MODEL
    is COLORIZER, COLORIZER.TAG, COLORIZER:FILE or COLORIZER:RUN, the folder of a training run; NAME=MODEL names it in
    the score. PAGE is a single HTML file to send to participants, who see every scene once, real or colorized, and
    send back a small file. Keep the key, which is written next to it (survey.html has survey.key.json), for `colorcli
    turing score`.
    """
    from colorcli.evaluation.protocol import describe, made_by
    from colorcli.media.photographs import find_photographs
    from colorcli.pages import check_free
    from colorcli.pages.versions import versions
    from colorcli.turing.survey import make_survey, write_survey

    key = output.with_suffix(_KEY)
    for path in (output, key):
        check_free(path, overwrite=overwrite)
    if not pictures.exists():
        raise DataError(
            f"Folder not found: {pictures}.", "The last argument must be PICTURES, a folder of color photographs."
        )
    photographs = find_photographs(pictures)[:limit]
    pipelines, problems = load_pipelines(models, model_options)
    if problems:  # a survey that lacks a model is not the one that was designed
        raise problems[0]
    rows = versions(pipelines, tracked("colorizing", photographs), problems.append)
    try:
        survey = make_survey(
            rows, [pipeline.name for pipeline in pipelines], practice=practice, seed=seed, max_side=max_side
        )
    finally:
        _print_errors(problems)
    if survey.gray:
        report_note(f"skipped because they are gray: {', '.join(survey.gray)}")
    facts = {
        "models": {pipeline.name: describe(pipeline) for pipeline in pipelines},
        "max_side": max_side,
        "data": pictures.resolve().name,
        "made_by": made_by(),
        "command": command_line(ctx),
    }
    write_survey(survey, output, key, seconds=seconds, facts=facts)
    click.echo(f"{output}\n{key}")
    return 1 if problems else 0


@turing.command()
@click.argument("results", metavar="RESULTS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Key of the page.  [default: the *.key.json near the results]",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def score(ctx: click.Context, results: tuple[Path, ...], key: Path | None, as_json: bool) -> int:
    """Score the answers of the participants.

    RESULTS are the files that they sent back, or folders of them.
    """
    from colorcli.turing.answers import find_key, find_results, read_key, read_results
    from colorcli.turing.score import score as score_results

    found = find_results(results)
    solutions = read_key(key or find_key(found))
    counted, problems = read_results(found, solutions)
    _print_errors(problems)
    if not counted:
        raise DataError("None of the results can be counted.", "The errors above say why.")
    scored = score_results(solutions, counted, problems)
    write = scored.json if as_json else scored.markdown
    click.echo(write(command_line(ctx)))
    return 1 if problems else 0


def _print_errors(problems: Sequence[ColorcliError]) -> None:
    for problem in problems:
        report_error(problem)
