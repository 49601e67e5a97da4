"""What `colorcli run --dry-run` shows: the outputs that would be written, and those that are done."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from colorcli.cli.messages import report_error, report_note
from colorcli.cli.outcomes import report_problems, row
from colorcli.errors import ColorcliError, LicenseNotAccepted, WeightsError
from colorcli.files import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from colorcli.cli.outcomes import MessageOptions
    from colorcli.cli.passes import Pass
    from colorcli.film.colorize import FilmSettings
    from colorcli.film.shot_list import Shot
    from colorcli.hints.files import HintSet
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job, Plan
    from colorcli.media.pictures.files import Provenance

    Reader = Callable[[Path], Provenance | None]
    Maker = Callable[[Job], Provenance]
    OwnPipelines = Callable[[Pipeline], Mapping[Shot, Pipeline]]


def show_plan(
    planned: Plan,
    passes: Sequence[Pass],
    settings: FilmSettings | None,
    hints: HintSet,
    max_pixels: int,
    options: MessageOptions,
    load: Callable[[], Pipeline] | None,
    own_pipelines: OwnPipelines,
) -> int:
    """Print what would be written.

    Args:
        planned: films, and what cannot be done.
        passes: over the pictures.
        settings: settings for the films; None if there are no films.
        hints: hints for the pictures.
        max_pixels: the most that a picture may have.
        options: what to print.
        load: loads the model without the network. Only its weights tell whether an existing output is up to date, so
            it is called only if an output exists. None if existing outputs are replaced anyway.
        own_pipelines: loads the models of shots that have one of their own, given the pipeline of the run.

    Returns:
        The exit code: 1 if something cannot be done.
    """
    jobs = [job for each in passes for job in each.jobs] + planned.films
    pipeline = _loaded(load) if load and any(job.target.exists() for job in jobs) else None
    states = Counter(failed=len(planned.problems))
    for each in passes:
        made_by = _picture_maker(each, pipeline, hints, max_pixels) if pipeline else None
        states.update(_show(job, made_by, _read_picture, options) for job in each.jobs)
    made_by = _film_maker(settings, pipeline, hints, own_pipelines) if settings and pipeline else None
    states.update(_show(job, made_by, _read_film, options) for job in planned.films)
    code = report_problems(planned, options)
    if not options.quiet:
        parts = [
            f"{states['to write']} to write",
            *(f"{states[s]} {s}" for s in ("done before", "failed") if states[s]),
        ]
        click.echo(", ".join(parts), err=True)
    return 1 if states["failed"] else code


def _loaded(load: Callable[[], Pipeline]) -> Pipeline | None:
    try:
        return load()
    except LicenseNotAccepted:
        raise
    except WeightsError as error:
        report_note(f"Existing outputs cannot be checked without the weights. {error}")
        return None


def _picture_maker(each: Pass, pipeline: Pipeline, hints: HintSet, max_pixels: int) -> Maker:
    """Return a function that says what would make the output of a job of a pass."""
    from colorcli.hints.files import HintSet
    from colorcli.inference.hinted import pipeline_for

    own, used = each.pipeline_of(pipeline), hints if each.kind == "color" else HintSet()
    return lambda job: pipeline_for(job, own, used, max_pixels=max_pixels).provenance


def _film_maker(settings: FilmSettings, pipeline: Pipeline, hints: HintSet, own_pipelines: OwnPipelines) -> Maker:
    own = own_pipelines(pipeline).values()
    return lambda job: replace(settings, hints=hints.of(job.relative)).provenance(pipeline, own)


def _show(job: Job, made_by: Maker | None, read: Reader, options: MessageOptions) -> str:
    """Print a job; return what it is."""
    done = False
    if made_by is not None:
        from colorcli.inference.batch import is_done

        try:
            done = is_done(job.source, job.target, read, made_by(job), copies=not job.film)
        except ColorcliError as error:
            report_error(error)
            if options.as_json:
                click.echo(row(job.source, None, error=str(error)))
            return "failed"
    if options.as_json:
        click.echo(row(job.source, job.target, **({"done_before": True} if done else {})))
    elif not done:
        click.echo(f"{shown(job.source)} -> {shown(job.target)}")
    return "done before" if done else "to write"


def _read_picture(path: Path) -> Provenance | None:
    from colorcli.media.pictures.provenance import read_provenance

    return read_provenance(path)


def _read_film(path: Path) -> Provenance | None:
    from colorcli.media.films.provenance import read_provenance

    return read_provenance(path)
