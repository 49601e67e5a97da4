"""`colorcli run`: black-and-white photographs and films in, colored ones out."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.film import check_films, colorize_films, film_options, film_settings
from colorcli.cli.model_options import command_line
from colorcli.cli.outcomes import OutcomeReporter, finish, show_plan
from colorcli.cli.page import open_report
from colorcli.cli.passes import check_declared, round_options, rounds_of
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from colorcli.cli.passes import Round
    from colorcli.inference.pipeline import Pipeline

STDIN = Path("-")


def _shard(text: str) -> tuple[int, int]:
    """Read `I/N`, the I-th of N parts."""
    index, slash, count = text.partition("/")
    if slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
        return int(index), int(count)
    raise click.BadParameter(f"{text!r} is not I/N with 1 <= I <= N, as in 1/4.")


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-m", "--model", "name", default="zhang", show_default=True, help="COLORIZER or COLORIZER.TAG.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder (or file, for one input) to write to.")
@click.option("--format", "file_format", help="Write pictures in this format: jpeg, png, tiff, webp, ...")
@click.option("-p", "--option", "pairs", multiple=True, metavar="NAME=VALUE", help="Option of the colorizer.")
@click.option(
    "--strength", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="How much color, 0 to 1."
)
@click.option("--weights", metavar="TAG|FILE|hf://...", help="Weights to use instead of the best that can be had.")
@click.option("--accept-license", is_flag=True, help="Accept that the weights may not be used for everything.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default="auto",
    show_default=True,
    help="In which the network computes.",
)
@click.option(
    "--engine",
    type=click.Choice(["torch", "openvino"]),
    default="torch",
    show_default=True,
    help="What computes the network; openvino is an extra, for CPUs.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Pictures that share a pass through the network.")
@click.option("--offline", is_flag=True, help="Never touch the network.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that are there already.")
@click.option("--shard", type=_shard, metavar="I/N", help="Do only the I-th of N parts, for several machines.")
@click.option("--max-pixels", type=click.IntRange(min=1), help="Refuse larger pictures. [default: 250 million]")
@film_options
@round_options
@click.option(
    "--report",
    metavar="PAGE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page, one HTML file, that shows every picture before and after.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each picture and film.")
@click.option("-v", "--verbose", is_flag=True, help="Say what the colorizer has to tell about each picture.")
@click.pass_context
def run(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    *,
    name: str,
    output: Path | None,
    file_format: str | None,
    pairs: tuple[str, ...],
    strength: float,
    weights: str | None,
    accept_license: bool,
    device: str,
    precision: str,
    engine: str,
    batch_size: int | None,
    offline: bool,
    overwrite: bool,
    shard: tuple[int, int] | None,
    max_pixels: int | None,
    codec: str | None,
    crf: float | None,
    preset: str | None,
    start: Fraction | None,
    end: Fraction | None,
    stabilize: str,
    keyframes: int | None,
    references: tuple[tuple[Path, Fraction], ...],
    samples: int | None,
    seed: int,
    explain: bool,
    report: Path | None,
    dry_run: bool,
    as_json: bool,
    verbose: bool,
) -> int:
    """Colorize photographs and films: files, folders with all their sub-folders, or - for standard input to output.

    a.jpg becomes a-color.jpg, film.mp4 becomes film-color.mp4, and photos/ becomes photos-color/, unless -o says
    where else. What is done already is skipped, so a run that was stopped goes on where it was.
    """
    from colorcli.jobs import plan
    from colorcli.media.pictures.files import DEFAULT_MAX_PIXELS
    from colorcli.pages import check_free, is_page
    from colorcli.plugin.registry import Registry, split_name
    from colorcli.weights import licenses

    limit = max_pixels or DEFAULT_MAX_PIXELS
    colorizer_name, tag = split_name(name)
    registry = Registry()
    colorizer = registry.get(colorizer_name)  # a misspelled name is told at once, and in a dry run, too
    check_declared(registry, colorizer, samples=samples is not None, explain=explain)
    if accept_license:
        licenses.accept(colorizer, tag or weights)

    def pipeline() -> Pipeline:
        from colorcli.inference.model import load
        from colorcli.inference.pipeline import Pipeline

        model = load(name, weights=weights, device=device, precision=precision, engine=engine, offline=offline)
        if model.note:
            click.echo(f"note: {model.note}", err=True)
        return Pipeline(model, strength=strength, options=model.read_options(pairs), batch_size=batch_size)

    if STDIN in inputs:
        _check_alone(inputs, output, report, samples, explain, as_json, dry_run)
        _stream(pipeline(), file_format, limit)
        return 0
    planned = plan(inputs, output, format=file_format, shard=shard)
    if shard is None and not planned.problems:
        check_films(ctx, planned.jobs, file_format)
    rounds = rounds_of(planned.jobs, samples, seed, explain=explain)
    if dry_run:
        return show_plan([job for each in rounds for job in each.jobs] + planned.films, planned, as_json=as_json)
    if not planned.jobs:
        return finish([], planned, as_json=as_json)
    settings = None
    if planned.films:
        settings = film_settings(codec, crf, preset, start, end, stabilize, keyframes, references)
    if report:
        check_free(report, overwrite=overwrite or is_page(report))  # a run that goes on writes its page anew
    tell = OutcomeReporter(pipeline(), as_json=as_json, verbose=verbose)
    with contextlib.ExitStack() as stack:
        if report:
            page = open_report(report, tell.pipeline, planned, command_line(ctx), max_pixels=limit)
            tell.report = stack.enter_context(page)
        _colorize_pictures(tell, rounds, overwrite=overwrite, max_pixels=limit)
        if settings is not None:
            for outcome in colorize_films(tell.pipeline, planned.films, settings, overwrite=overwrite):
                tell(outcome)
    return finish(tell.outcomes, planned, as_json=as_json)


def _check_alone(inputs: Sequence[Path], *others: object) -> None:
    if len(inputs) > 1 or any(others):
        raise UsageError(
            "- reads one picture from standard input and writes it to standard output.",
            "Give it alone, without -o, --report, --samples, --explain, --json and --dry-run.",
        )


def _stream(pipeline: Pipeline, file_format: str | None, max_pixels: int) -> None:
    import sys

    from colorcli.errors import UnwritableMedia
    from colorcli.media.pictures.files import open_picture, write_picture

    if sys.stdout.isatty():
        raise UsageError("A picture on a terminal is of no use.", "Send it to a file: colorcli run - < a.jpg > b.jpg")
    picture = open_picture(sys.stdin.buffer, max_pixels=max_pixels)
    frames = pipeline.colorize(picture.frames())
    try:
        with open(sys.stdout.fileno(), "wb", closefd=False) as stdout:
            write_picture(stdout, frames, picture, format=file_format, provenance=pipeline.provenance)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnwritableMedia(f"standard output: {error.strerror or error}.") from error


def _colorize_pictures(tell: OutcomeReporter, rounds: Sequence[Round], *, overwrite: bool, max_pixels: int) -> None:
    from colorcli.cli.progress import Progress
    from colorcli.inference.batch import colorize_files

    count = sum(len(each.jobs) for each in rounds)
    if not count:
        return
    with Progress("colorizing", count) as progress:
        try:
            for each in rounds:
                pipeline = each.pipeline(tell.pipeline)
                running = colorize_files(pipeline, each.jobs, overwrite=overwrite, max_pixels=max_pixels)
                with contextlib.closing(running):
                    for outcome in running:
                        progress.advance()
                        tell(replace(outcome, kind=each.kind, seed=each.seed), progress)
        except KeyboardInterrupt:
            done = f"{len(tell.outcomes)} of {count}"
            progress.note(f"Stopped: {done} done. The same command goes on from here.")
            raise
