"""The film part of `colorcli run`: its options, and colorizing films one by one."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import click
from click.core import ParameterSource

from colorcli.cli.option_groups import option_group
from colorcli.errors import FfmpegMissing, UsageError
from colorcli.files import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from colorcli.cli.cluster import Cluster
    from colorcli.cli.progress import Progress
    from colorcli.film.colorize import FilmSettings
    from colorcli.hints.files import HintSet
    from colorcli.inference.outcomes import FilmOutcome
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job
    from colorcli.media.films.film import Film


def _time(text: str) -> Fraction:
    from colorcli.film.shot_list import parse_time

    try:
        return parse_time(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def frames_per_second(text: str) -> Fraction:
    """Parse frames per second: 25, 23.976 or 24000/1001."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)(?:/(\d{1,5}))?", text)
    divisor = int(found[2] or 1) if found else 0
    rate = Fraction(found[1]) / divisor if found and divisor else Fraction(0)
    if not Fraction(1, 100) <= rate <= 1000:
        raise click.BadParameter(f"must be frames per second, such as 25 or 24000/1001, got {text!r}.")
    return rate


def _key_frames(text: str) -> int:
    """Parse `auto`, returned as 0, or the distance between key frames."""
    if text == "auto":
        return 0
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise click.BadParameter(f"must be auto or a number of frames of at least 1, got {text!r}.")


def frame_at_time(text: str) -> tuple[Path, Fraction]:
    """Parse `FILE@TIME`: a film, or a picture of one of its frames, and the time of the frame."""
    path, at, time = text.rpartition("@")
    if not at or not path:
        raise click.BadParameter(f"must be FILE@TIME, with a time such as 90 or 1:30, got {text!r}.")
    return Path(path), _time(time)


_OPTIONS = {
    "codec": click.option(
        "--codec", help="Films: the video encoder. [default: libx264; .webm: libvpx-vp9; .mxf: dnxhr]"
    ),
    "crf": click.option(
        "--crf", type=float, help="Films: quality on the scale of the encoder. [default: near-transparent]"
    ),
    "preset": click.option("--preset", help="Films: speed preset of the encoder."),
    "deinterlace": click.option(
        "--deinterlace",
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Films: deinterlace interlaced frames, all frames or none.",
    ),
    "hwaccel": click.option(
        "--hwaccel",
        type=click.Choice(["auto", "off"]),
        default="off",
        show_default=True,
        help="Films: decode with the graphics card, if it returns the same frames.",
    ),
    "frame_rate": click.option(
        "--fps",
        "frame_rate",
        type=frames_per_second,
        metavar="RATE",
        help="Films: the rate of numbered pictures: 25 or 24000/1001. A folder of them is then a film. [default: 24]",
    ),
    "luma_md5": click.option(
        "--luma-md5", is_flag=True, help="Films: write checksums of the luma before and after (framemd5)."
    ),
    "start": click.option(
        "--start", type=_time, metavar="TIME", help="Films: start at this time: 90, 1:30 or 1:02:03.5."
    ),
    "end": click.option("--end", type=_time, metavar="TIME", help="Films: stop at this time."),
    "stabilize": click.option(
        "--stabilize",
        type=click.Choice(["flow", "average", "off"]),
        default="flow",
        show_default=True,
        help="Films: smooth colors over time along the motion, in place, or not at all.",
    ),
    "keyframes": click.option(
        "--keyframes",
        type=_key_frames,
        metavar="auto|N",
        help="Films: predict only key frames, where needed or every N frames.",
    ),
    "references": click.option(
        "--reference",
        "references",
        type=frame_at_time,
        multiple=True,
        metavar="FILE@TIME",
        help="Films: a corrected frame that sets the colors of its shot.",
    ),
    "stills": click.option(
        "--references",
        "stills",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="Films: a folder of colored stills, named by time, that set the colors of their shots.",
    ),
    "shots": click.option(
        "--shots",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="CSV",
        help="Films: the shots, each with its model, strength and stills, as `colorcli film shots` writes them.",
    ),
}


_NAMES = {"references": "--reference", "stills": "--references", "frame_rate": "--fps", "luma_md5": "--luma-md5"}
"""The options that are not named like their parameters."""


@dataclass(frozen=True)
class FilmOptions:
    """Which part of a film is colorized, how its colors are kept stable, and how it is encoded."""

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    deinterlace: Literal["auto", "on", "off"] = "auto"
    hwaccel: Literal["auto", "off"] = "off"
    start: Fraction | None = None
    end: Fraction | None = None
    stabilize: Literal["flow", "average", "off"] = "flow"
    keyframes: int | None = None
    references: tuple[tuple[Path, Fraction], ...] = ()
    stills: Path | None = None
    shots: Path | None = None
    frame_rate: Fraction | None = None
    luma_md5: bool = False

    def settings(self) -> FilmSettings:
        """Check the options against each other.

        Raises:
            UsageError: two of them contradict each other.
        """
        from colorcli.film.colorize import FilmSettings
        from colorcli.film.references import Reference
        from colorcli.film.shot_list import read_shots

        if self.end is not None and self.end <= (self.start or 0):
            start, end = float(self.start or 0), float(self.end)
            raise UsageError(
                f"--end must be after --start, got --start {start:g} --end {end:g}.", "Write times as 90 or 1:30."
            )
        if self.keyframes is not None and self.stabilize != "flow":
            raise UsageError(
                f"--keyframes needs --stabilize flow, got --stabilize {self.stabilize}.", "Remove one of them."
            )
        shots = read_shots(self.shots) if self.shots else ()
        if self.shots and not self.stills and any(each.references for each in shots):
            raise UsageError(
                f"{shown(self.shots)} refers to stills, but no folder of stills was given.",
                "Pass it with --references.",
            )
        return FilmSettings(
            codec=self.codec,
            crf=self.crf,
            preset=self.preset,
            deinterlace=self.deinterlace,
            hwaccel=self.hwaccel,
            start=self.start,
            end=self.end,
            stabilize=self.stabilize,
            keyframes=self.keyframes,
            references=tuple(Reference(path, time) for path, time in self.references),
            stills=self.stills,
            shots=shots,
            frame_rate=self.frame_rate,
            luma_md5=self.luma_md5,
        )


film_options = option_group("film_options", FilmOptions, list(_OPTIONS.values()))
# Those that decide which frames are colored, and how their colors are kept stable
coloring_options = option_group(
    "film_options", FilmOptions, [_OPTIONS[name] for name in ("start", "end", "stabilize", "keyframes")]
)


def check_films(ctx: click.Context, jobs: Sequence[Job], file_format: str | None) -> None:
    """Reject film options without a film, and options for a single film with several.

    Raises:
        UsageError: an option does not apply to the inputs.
    """
    films = [job for job in jobs if job.film]
    given = [each for each in _OPTIONS if ctx.get_parameter_source(each) is ParameterSource.COMMANDLINE]
    if given and not films:
        name = _NAMES.get(given[0], f"--{given[0]}")
        raise UsageError(f"{name} applies to films, but the inputs contain none.", f"Remove {name}.")
    single = [_NAMES.get(each, f"--{each}") for each in given if each in {"references", "stills", "shots"}]
    if single and len(films) > 1:
        raise UsageError(
            f"{single[0]} applies to a single film, got {len(films)} films.",
            "Colorize the film that the frame belongs to separately.",
        )
    if file_format and len(films) == len(jobs) > 0:
        raise UsageError(
            f"--format {file_format} applies to pictures, but the inputs contain none.",
            "The suffix of -o sets the container of a film: .mp4, .mov, .mkv, .webm or .mxf.",
        )


def colorize_films(
    pipeline: Pipeline,
    jobs: Sequence[Job],
    settings: FilmSettings,
    load_other: Callable[[str], Pipeline],
    hints: HintSet,
    cluster: Cluster | None = None,
    *,
    overwrite: bool,
    quiet: bool = False,
    verbose: bool = False,
) -> Iterator[FilmOutcome]:
    """Colorize films one by one, with a progress bar for each.

    Args:
        pipeline: pipeline of the run.
        jobs: films.
        settings: settings for all films, except for the hints.
        load_other: loads the model that a given shot has of its own.
        hints: hints of the run.
        cluster: the cluster that shares the work; None for this machine.
        overwrite: replace existing outputs.
        quiet: show no progress.
        verbose: describe ffmpeg, and what decodes each film if `hwaccel` is set.

    Raises:
        ColorcliError: the model of a shot cannot be loaded.
    """
    from colorcli.film.colorize import colorize_film
    from colorcli.film.pipelines import pipelines_of_shots
    from colorcli.media.films.ffmpeg import describe_ffmpeg

    if verbose and jobs:
        with contextlib.suppress(FfmpegMissing):  # the outcome of each film reports it
            click.echo(describe_ffmpeg(), err=True)
    own_pipelines = pipelines_of_shots(settings.shots, pipeline, load_other)
    colorize = cluster.colorize_film if cluster else colorize_film
    for job in jobs:
        own = replace(settings, hints=hints.of(job.relative))
        with _FilmProgress(job, settings, quiet=quiet, verbose=verbose) as progress:
            outcome = colorize(
                pipeline,
                job,
                own,
                own_pipelines=own_pipelines,
                overwrite=overwrite,
                reserved={other.target for other in jobs if other is not job},
                on_start=progress.begin,
                on_frame=progress.advance,
            )
        yield replace(outcome, hints=tuple(map(str, own.hints)))


class _FilmProgress:
    """The progress bar of a film, and on Ctrl-C a message on how to resume."""

    def __init__(self, job: Job, settings: FilmSettings, *, quiet: bool, verbose: bool) -> None:
        self._name = shown(job.source)
        self._settings = settings
        self._quiet = quiet
        self._verbose = verbose
        self._bar: Progress | None = None
        self._total: int | None = None
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            done = f"{self._done} of {self._total} frames" if self._total else f"{self._done} frames"
            click.echo(f"Stopped: {self._name}, {done} done.", err=True)
            click.echo("The same command resumes after the last finished part.", err=True)

    def begin(self, film: Film, done: int) -> None:
        """Show the bar, with the frames made by an earlier run."""
        from colorcli.cli.progress import Progress
        from colorcli.media.films.hardware import describe_decoder

        if self._verbose and (film.hardware or film.hardware_refused):
            click.echo(describe_decoder(film), err=True)
        self._done, self._total = done, _frames_wanted(film, self._settings)
        self._bar = Progress(self._name, self._total, done, unit="fps", quiet=self._quiet)
        self._bar.__enter__()

    def advance(self, done: int, shot: int) -> None:
        """Count a frame."""
        assert self._bar is not None
        self._done = done
        self._bar.advance(f"shot {shot + 1}")


def _frames_wanted(film: Film, settings: FilmSettings) -> int | None:
    """Estimate how many frames will be written; None if the duration is unknown."""
    if settings.start is None and settings.end is None and film.frames:
        return film.frames
    duration = film.duration if film.duration is not None else settings.end
    if duration is None:
        return None
    ends = min(duration, settings.end) if settings.end is not None else duration
    return max(1, round((ends - (settings.start or 0)) * film.frame_rate))
