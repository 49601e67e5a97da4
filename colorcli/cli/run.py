"""`colorcli run`: black-and-white photographs and films in, colored ones out."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.cluster import ClusterOptions, cluster_options
from colorcli.cli.command_line import command_line
from colorcli.cli.dry_run import show_plan
from colorcli.cli.film import FilmOptions, check_films, colorize_films, film_options
from colorcli.cli.hints import HintOptions, hint_options
from colorcli.cli.messages import report_note
from colorcli.cli.model_options import ModelOptions, complete_model, model_options
from colorcli.cli.option_groups import option_group
from colorcli.cli.outcomes import MessageOptions, OutcomeReporter, Tally, finish, message_options
from colorcli.cli.output_files import PAGE
from colorcli.cli.passes import PassOptions, check_capabilities, pass_options, plan_passes
from colorcli.cli.paths import PathOrURL
from colorcli.cli.pipelines import PipelineMaker
from colorcli.cli.report import open_report
from colorcli.cli.shard import read_shard
from colorcli.errors import UsageError
from colorcli.files import user_data
from colorcli.film.pipelines import pipelines_of_shots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.cli.cluster import Cluster
    from colorcli.cli.passes import Pass
    from colorcli.hints.files import HintSet
    from colorcli.inference.pipeline import Pipeline

STDIN = STDOUT = Path("-")
DEFAULT_MODEL = "zhang"


@dataclass(frozen=True)
class OutputOptions:
    """Which outputs are written, where, and how."""

    output: Path | None
    file_format: str | None
    overwrite: bool
    recolor: bool
    shard: tuple[int, int] | None
    max_pixels: int | None
    report: Path | None
    dry_run: bool

    @property
    def pixel_limit(self) -> int:
        """The most pixels that a picture may have."""
        from colorcli.media.pictures.files import DEFAULT_MAX_PIXELS

        return self.max_pixels or DEFAULT_MAX_PIXELS


_output_options = option_group(
    "output_options",
    OutputOptions,
    [
        click.option(
            "-o", "--output", type=PathOrURL(), help="Output folder or URL, or output file for a single input."
        ),
        click.option("--format", "file_format", help="Format of output pictures: jpeg, png, tiff, webp, ..."),
        click.option("--overwrite", is_flag=True, help="Replace existing outputs."),
        click.option(
            "--recolor", is_flag=True, help="Recolor pictures that are already in color; by default, they are copied."
        ),
        click.option(
            "--shard",
            type=read_shard,
            metavar="I/N|auto[/N]",
            help="Process only part I of N, for several machines; auto: what Slurm or Kubernetes assigned.",
        ),
        click.option(
            "--max-pixels", type=click.IntRange(min=1), help="Refuse larger pictures. [default: 250 million]"
        ),
        click.option(
            "--report",
            metavar="PAGE",
            type=PAGE,
            help="Write an HTML page that shows every picture before and after.",
        ),
        click.option("--dry-run", is_flag=True, help="Show what would be written without writing anything."),
    ],
)


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=PathOrURL())
@click.option(
    "-m",
    "--model",
    "name",
    metavar="COLORIZER[.TAG]",
    shell_complete=complete_model,
    help="Colorizer, and the tag of its weights; A+B mixes two, A:0.7+B:0.3 with shares. "
    f"[default: {DEFAULT_MODEL}, or what --weights FILE is for]",
)
@model_options
@click.option(
    "--strength", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Amount of color, 0 to 1."
)
@click.option(
    "--tame-shadows",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Amount of color to remove from the darkest tones, 0 to 1.",
)
@click.option(
    "--tame-splashes",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Amount by which to dim spots much more colorful than the rest of a picture, 0 to 1.",
)
@hint_options
@click.option("--batch-size", type=click.IntRange(min=1), help="Pictures per batch. [default: depends on the device]")
@_output_options
@cluster_options
@film_options
@pass_options
@message_options
@click.pass_context
def run(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    *,
    name: str | None,
    model_options: ModelOptions,
    strength: float,
    tame_shadows: float,
    tame_splashes: float,
    hint_options: HintOptions,
    batch_size: int | None,
    output_options: OutputOptions,
    cluster_options: ClusterOptions,
    film_options: FilmOptions,
    pass_options: PassOptions,
    message_options: MessageOptions,
) -> int:
    """Colorize photographs and films.

    INPUTS are files, folders with their subfolders, or - for standard input. a.jpg becomes a-color.jpg, film.mp4
    becomes film-color.mp4, and photos/ becomes photos-color/, unless -o names another place. Finished outputs are
    skipped, so the same command resumes a run that was stopped.
    """
    from colorcli.cli.pipes import pipes_as_files
    from colorcli.jobs import plan
    from colorcli.plugin.registry import Registry, split_mixture, split_name

    name = name or model_options.named_by_weights() or _default_model(quiet=message_options.quiet)
    # A misspelled name is reported at once, even in a dry run.
    members = [Registry().get(split_name(model)[0]) for model, _ in split_mixture(name)]
    check_capabilities(members, pass_options)
    if hint_options.like and pass_options.samples:
        raise UsageError("--like and --samples cannot be used together.", "Leave out one of them.")

    on_workers = PipelineMaker(name, model_options, hint_options, strength, tame_shadows, tame_splashes, batch_size)
    cluster_options.check(on_workers)
    maker = cluster_options.local(on_workers)
    if STDIN in inputs or output_options.output == STDOUT:
        _check_alone(inputs, output_options, cluster_options, pass_options, message_options)
        from colorcli.cli.film_stream import stdin_is_film, stream_film

        if STDIN not in inputs or stdin_is_film():
            stream_film(maker(), film_options.settings(), None if STDIN in inputs else inputs[0])
        else:
            _stream(maker(), output_options, hint_options)
        return 0
    with pipes_as_files(inputs, output_options.output) as files:
        planned = plan(
            files,
            output_options.output,
            format=output_options.file_format,
            shard=output_options.shard,
            sequences=film_options.frame_rate is not None,
        )
        if output_options.shard is None and not planned.problems:
            check_films(ctx, planned.jobs, output_options.file_format)
        passes = plan_passes(planned, pass_options)
        hints = hint_options.gather(planned.jobs, complete=output_options.shard is None and not planned.problems)
        settings = film_options.settings() if planned.films else None
        if output_options.dry_run:
            offline = maker.on(replace(maker.model, offline=True))
            load = None if output_options.overwrite else offline
            shots = partial(pipelines_of_shots, settings.shots if settings else (), load=offline.of_shot)
            return show_plan(
                planned, passes, settings, hints, output_options.pixel_limit, message_options, load, shots
            )
        if not planned.jobs:
            return finish(Tally(), planned, message_options)
        report = output_options.report
        if report:
            from colorcli.pages import check_free, is_page

            check_free(
                report, overwrite=output_options.overwrite or is_page(report)
            )  # a resumed run replaces its page
        reporter = OutcomeReporter(maker(), message_options)
        with contextlib.ExitStack() as stack:
            cluster = stack.enter_context(cluster_options.open(on_workers, reporter.pipeline))
            if report:
                limit = output_options.pixel_limit
                page = open_report(report, reporter.pipeline, planned, command_line(ctx), max_pixels=limit)
                reporter.page = stack.enter_context(page)
            _colorize_pictures(reporter, passes, output_options, hints, cluster, quiet=message_options.quiet)
            if settings is not None:
                outcomes = colorize_films(
                    reporter.pipeline,
                    planned.films,
                    settings,
                    maker.of_shot,
                    hints,
                    cluster,
                    overwrite=output_options.overwrite,
                    quiet=message_options.quiet,
                    verbose=message_options.verbose,
                )
                for outcome in outcomes:
                    reporter(outcome)
        reporter.report_repeated()
        return finish(reporter.tally, planned, message_options)


def _check_alone(
    inputs: Sequence[Path],
    output: OutputOptions,
    cluster: ClusterOptions,
    passes: PassOptions,
    messages: MessageOptions,
) -> None:
    others = (
        cluster.on,
        output.output not in {None, STDOUT},
        output.report,
        output.dry_run,
        passes.samples,
        passes.explain,
        messages.as_json,
    )
    if len(inputs) > 1 or any(others):
        raise UsageError(
            "- reads one picture or film from standard input, or writes one to standard output.",
            "Use it alone, without -o, --on, --report, --samples, --explain, --json and --dry-run.",
        )


def _stream(pipeline: Pipeline, output: OutputOptions, hints: HintOptions) -> None:
    import sys

    from colorcli.errors import UnwritableMedia
    from colorcli.media.formats import FORMATS, named
    from colorcli.media.pictures.files import open_picture
    from colorcli.media.pictures.tone import is_in_color
    from colorcli.media.pictures.write import write_picture

    if sys.stdout.isatty():
        raise UsageError(
            "Standard output is a terminal, which cannot show a picture.",
            "Redirect it to a file: colorcli run - < a.jpg > b.jpg",
        )
    picture = open_picture(sys.stdin.buffer, max_pixels=output.pixel_limit)
    copied = not output.recolor and all(is_in_color(frame.pixels) for frame in picture.frames())
    if copied and output.file_format and named(output.file_format) is not FORMATS[picture.format]:
        raise UsageError(
            "Standard input is already in color, and a copy keeps its format.", "Recolor it with --recolor."
        )
    if hints:
        from colorcli.inference.hinted import HintedPipeline

        written = hints.gather((), complete=False).of("")
        pipeline = HintedPipeline(pipeline, [hint.placed(*picture.size) for hint in written])
    frames = pipeline.colorize(picture.frames())
    try:
        with open(sys.stdout.fileno(), "wb", closefd=False) as stdout:
            if copied:
                report_note("standard input is already in color and was copied; use --recolor to recolor it.")
                stdout.write(picture.read())
                return
            remarks = write_picture(stdout, frames, picture, format=output.file_format, provenance=pipeline.provenance)
        for remark in (*picture.remarks, *remarks):
            report_note(f"standard input: {remark}.")
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnwritableMedia(f"standard output: {error.strerror or error}.") from error


def _colorize_pictures(
    reporter: OutcomeReporter,
    passes: Sequence[Pass],
    output: OutputOptions,
    hints: HintSet,
    cluster: Cluster | None,
    *,
    quiet: bool,
) -> None:
    from colorcli.cli.progress import Progress
    from colorcli.cluster.worker import PictureTask

    count = sum(len(each.jobs) for each in passes)
    if not count:
        return
    with Progress("colorizing", count, quiet=quiet) as progress:
        try:
            for each in passes:
                task = PictureTask(
                    replace(each, jobs=[]).pipeline_of,
                    kind=each.kind,
                    overwrite=output.overwrite,
                    recolor=output.recolor,
                    max_pixels=output.pixel_limit,
                    hints=hints if each.kind == "color" else None,
                )
                pipeline, jobs = reporter.pipeline, each.jobs
                running = cluster.colorize_files(jobs, task) if cluster else task.colorize(pipeline, jobs)
                with contextlib.closing(running):
                    for outcome in running:
                        progress.advance()
                        reporter(replace(outcome, seed=each.seed), progress)
        except KeyboardInterrupt:
            progress.note(f"Stopped after {reporter.tally.count} of {count}. Run the same command to resume.")
            raise


def _default_model(*, quiet: bool) -> str:
    """Return the name of the model for runs that name none; the first time, on a terminal, mention a better one."""
    mentioned = user_data("ddcolor-mentioned")
    if sys.stderr.isatty() and not quiet and not mentioned.exists():
        report_note(f"Using {DEFAULT_MODEL}. `--model ddcolor` has better colors, and downloads 220 MB.")
        with contextlib.suppress(OSError):
            mentioned.parent.mkdir(parents=True, exist_ok=True)
            mentioned.touch()
    return DEFAULT_MODEL
