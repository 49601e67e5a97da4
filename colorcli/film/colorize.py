"""Colorizes films: frames -> small lightness -> network -> stable chroma -> U and V beside Y -> film.

Decoding, prediction, stabilization and encoding run concurrently on successive frames.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from colorcli.errors import UnwritableMedia
from colorcli.film.colorizer import FilmColorizer
from colorcli.film.export import export
from colorcli.film.hinted import hinted_frames
from colorcli.film.pipelines import ShotPipelines
from colorcli.film.prepare import prepare_shots, read_lead_in
from colorcli.film.references import Corrections
from colorcli.film.remote import colorize_by_copy, is_remote
from colorcli.film.stills import find_stills, still_digests
from colorcli.inference.batch import explained, is_done
from colorcli.inference.outcomes import FilmFigures, FilmOutcome
from colorcli.inference.transfer import download
from colorcli.media import shown
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.hardware import choose_decoder
from colorcli.media.films.luma_md5 import write_luma_md5
from colorcli.media.films.parts import Parts
from colorcli.media.films.probe import probe
from colorcli.media.films.provenance import read_provenance, read_record, write_record
from colorcli.media.films.reader import read_frames
from colorcli.media.films.sequences import RECORD, find_sequence, is_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping
    from pathlib import Path

    from colorcli.film.colorizer import Colored
    from colorcli.film.references import Reference
    from colorcli.film.shot_list import Shot
    from colorcli.film.stabilizer import Method
    from colorcli.hints.hint import WrittenHint
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job
    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.containers import Destination
    from colorcli.media.films.display import Deinterlace
    from colorcli.media.films.film import Film, Stream
    from colorcli.media.films.hardware import HardwareDecoding
    from colorcli.media.pictures.metadata import Provenance

    OnFrame = Callable[[int, int], None]
    OnStart = Callable[[Film, int], None]
    OnSearch = Callable[[Fraction], None]


@dataclass(frozen=True)
class FilmSettings:
    """The options of a film.

    Attributes:
        codec: an ffmpeg encoder, or h264, h265, av1, vp9; None for the default.
        crf: the quality on the encoder's own scale; None for one that is hard to tell from the source.
        preset: the encoder's speed preset; None for a fast one.
        deinterlace: deinterlace interlaced frames ("auto"), all frames ("on") or none ("off").
        hwaccel: decode with a graphics card if its frames are those of the CPU ("auto"), or on the CPU ("off").
        start: where the output begins, in seconds; None for the beginning.
        end: where it ends; None for the end.
        stabilize: how chroma is smoothed over time.
        keyframes: predict one frame in this many; 0 for key frames where needed; None for every frame.
        references: frames corrected by a person.
        hints: colors of places at times, each of which colors its shot like a corrected frame.
        stills: a folder of frames in color, whose names tell their times; None for none.
        shots: the shots, with models and strengths of their own; empty to detect them.
        frame_rate: frame rate of a sequence of pictures; None for 24.
        luma_md5: write the checksums of the luma of the film and of the output.
    """

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    deinterlace: Deinterlace = "auto"
    hwaccel: HardwareDecoding = "off"
    start: Fraction | None = None
    end: Fraction | None = None
    stabilize: Method = "flow"
    keyframes: int | None = None
    references: tuple[Reference, ...] = ()
    hints: tuple[WrittenHint, ...] = ()
    stills: Path | None = None
    shots: tuple[Shot, ...] = ()
    frame_rate: Fraction | None = None
    luma_md5: bool = False

    @property
    def cuts(self) -> list[Fraction]:
        """The times at which given shots begin or end."""
        return sorted({time for each in self.shots for time in (each.start, each.end)})

    def shot_at(self, time: Fraction) -> Shot | None:
        """Return the given shot that a frame at a time belongs to."""
        return next((each for each in self.shots if each.start < time + Fraction(1, 1000) <= each.end), None)

    def provenance(self, pipeline: Pipeline, own: Iterable[Pipeline] = ()) -> Provenance:
        """Return the provenance that the output records; its `settings` is a digest of everything that affects it.

        Args:
            pipeline: pipeline of the film.
            own: the pipelines of given shots that have a model or strength of their own, in order.
        """
        deciding = [
            *(pipeline.provenance.settings, self.codec, self.crf, self.preset, str(self.start), str(self.end)),
            *(self.deinterlace, self.stabilize, self.keyframes, [each.digest for each in self.references]),
            *([still_digests(self.stills)] if self.stills else []),
            *([repr(self.shots), *(each.provenance.settings for each in own)] if self.shots else []),
            *([["hints", *map(str, self.hints)]] if self.hints else []),
            *([str(self.frame_rate)] if self.frame_rate else []),
        ]
        digest = hashlib.sha256(json.dumps(deciding).encode()).hexdigest()[:16]
        return replace(pipeline.provenance, settings=digest)


def colorize_film(
    pipeline: Pipeline,
    job: Job,
    settings: FilmSettings,
    *,
    own_pipelines: Mapping[Shot, Pipeline] | None = None,
    overwrite: bool = False,
    reserved: Collection[Path] = (),
    on_search: OnSearch = lambda time: None,
    on_start: OnStart = lambda film, frames: None,
    on_frame: OnFrame = lambda frames, shot: None,
) -> FilmOutcome:
    """Colorize a film, or resume one that was stopped.

    If it is stopped, by Ctrl-C or another BaseException that a callback raises, the finished parts stay beside the
    output, and the same call resumes.

    Args:
        pipeline: the model, strength and options.
        job: what to read and where to write.
        settings: the options of the film.
        own_pipelines: the pipelines of given shots that have a model or strength of their own.
        overwrite: replace an existing output.
        reserved: files that other jobs write.
        on_search: called, while the shots of references are looked for, with the time of every frame, in seconds.
        on_start: called before the first frame, with the film and the number of frames made by an earlier run.
        on_frame: called after every frame, with the number of frames so far and the number of the shot, from 0.

    Returns:
        The outcome, with figures if the film was colorized now. Errors are part of it and are not raised.
    """
    began = time.perf_counter()
    try:
        pipelines = ShotPipelines(pipeline, settings, own_pipelines or {})

        def colorize_here(local: Job) -> FilmOutcome:
            task = _Task(pipelines, local, settings, overwrite, reserved, on_search, on_start, on_frame, began)
            outcome = task.write_sequence() if is_pattern(local.target) else task.write_film()
            if settings.luma_md5:
                outcome = replace(outcome, remarks=(*outcome.remarks, _compare_luma(local, outcome.output, settings)))
            return outcome

        if is_remote(job):
            provenance = settings.provenance(pipeline, pipelines.own.values())
            return colorize_by_copy(job, provenance, colorize_here, overwrite=overwrite)
        return colorize_here(job)
    except Exception as error:  # one bad film never stops the others
        return FilmOutcome(job, time.perf_counter() - began, error=explained(job, error))


def film_chroma(pipeline: Pipeline, film: Film, settings: FilmSettings) -> Generator[Colored]:
    """Color a film as `colorize_film` does without writing it: yield each frame with its chroma.

    Chroma is (2, h, w) ab, upright, of the size of the frame's small lightness. Closing the generator ends all work.

    Raises:
        UnreadableMedia: no frame can be decoded.
        PluginError: the colorizer returned something other than finite chroma.
    """
    start, end = Fraction(settings.start or 0), settings.end
    pipelines = ShotPipelines(pipeline, settings, {})
    corrections = find_corrections(film, settings, pipelines, start, end)
    with (
        read_frames(film, start, end) as reader,
        contextlib.closing(
            FilmColorizer(pipelines, film, settings, corrections).colored(
                prepare_shots(film, reader, pipelines.size_at, cuts=settings.cuts, uploads=pipeline.model.uploads)
            )
        ) as colored,
    ):
        for prepared, ab in colored:
            yield prepared, download(torch.as_tensor(ab)).numpy()


def open_film(job: Job, settings: FilmSettings) -> tuple[Film, Encoding, Destination]:
    """Probe a film, and choose how and where its output is written.

    Raises:
        MediaError: it cannot be read, or its output cannot be written as requested.
    """
    film = choose_decoder(probe(job.source, settings.deinterlace, settings.frame_rate), settings.hwaccel)
    encoding = choose_encoding(film, job.target.suffix, settings.codec, settings.crf, settings.preset)
    return film, encoding, choose_destination(film, job.target, encoding, settings.start, settings.end)


def find_corrections(
    film: Film,
    settings: FilmSettings,
    pipelines: ShotPipelines,
    start: Fraction,
    end: Fraction | None,
    on_search: OnSearch = lambda time: None,
) -> Corrections:
    """Gather the corrected frames, stills and hints of a film."""
    references = [*settings.references, *hinted_frames(film, settings.hints, pipelines.at)]
    if settings.stills:
        references += find_stills(film, settings.stills, settings.shots)
    return Corrections(film, references, pipelines.size_at, start, end, settings.cuts, on_search)


@dataclass(frozen=True)
class _Task:
    """What `colorize_film` was called for, and when."""

    pipelines: ShotPipelines
    job: Job
    settings: FilmSettings
    overwrite: bool
    reserved: Collection[Path]
    on_search: OnSearch
    on_start: OnStart
    on_frame: OnFrame
    began: float

    def write_film(self) -> FilmOutcome:
        """Colorize a film, or resume one that was stopped."""
        job, settings, pipelines = self.job, self.settings, self.pipelines
        provenance = settings.provenance(pipelines.usual, pipelines.own.values())
        if not self.overwrite and is_done(job.source, job.target, read_provenance, provenance):
            return FilmOutcome(job, done_before=True, target=job.target)
        film, encoding, destination = open_film(job, settings)
        if destination.path != job.target:
            if destination.path in self.reserved:
                raise UnwritableMedia(
                    f"{film.name} must be written to {shown(destination.path)}, as another input is.",
                    "Colorize it separately, and choose another output with -o.",
                )
            if not self.overwrite and is_done(job.source, destination.path, read_provenance, provenance):
                return FilmOutcome(job, done_before=True, target=destination.path)
        start, end = destination.start, destination.end
        corrections = find_corrections(film, settings, pipelines, start, end, self.on_search)
        with (
            Parts(film, destination, encoding, provenance) as parts,
            read_frames(film, start, end, after=parts.after, number=parts.frames, alpha=encoding.alpha) as reader,
        ):
            made_before = number = parts.frames
            self.on_start(film, made_before)
            colorizer = FilmColorizer(pipelines, film, settings, corrections)
            shots = 0
            before = read_lead_in(film, parts.after, made_before) if parts.after is not None and parts.runs_on else ()
            uploads = pipelines.usual.model.uploads
            found = prepare_shots(film, reader, pipelines.size_at, before, settings.cuts, uploads)
            with contextlib.closing(colorizer.with_chroma_planes(found)) as finished:
                for number, (prepared, (u, v)) in enumerate(finished, made_before + 1):
                    if prepared.begins_part:
                        parts.end_shot(runs_on=prepared.runs_on)
                    parts.write(prepared.frame.luma, u, v, prepared.frame.time, prepared.frame.alpha)
                    shots = prepared.shot + 1
                    self.on_frame(number, prepared.shot)
            parts.finish(reader.jumps)
        seconds = time.perf_counter() - self.began
        figures = FilmFigures(
            frames=number,
            made_before=made_before,
            predicted=colorizer.predicted,
            shots=shots,
            fps=round((number - made_before) / seconds, 2),
            codec=encoding.codec,
            copied=tuple(_described(each) for each in destination.copied),
        )
        remarks = (*film.notes, *corrections.notes, *encoding.notes, *destination.notes, *reader.notes)
        return FilmOutcome(job, seconds, remarks=remarks, target=destination.path, figures=figures)

    def write_sequence(self) -> FilmOutcome:
        """Colorize a film losslessly, and write that as numbered pictures with a record of what made them."""
        job, settings, pipelines = self.job, self.settings, self.pipelines
        provenance = settings.provenance(pipelines.usual, pipelines.own.values())
        first = find_sequence(job.source, settings.frame_rate).first if is_pattern(job.source) else 1
        record = job.target.with_name(RECORD)
        sources = [*job.source.parent.iterdir()] if is_pattern(job.source) else [job.source]
        newest = max((each for each in sources if each.is_file()), key=lambda each: each.stat().st_mtime)
        if not self.overwrite and is_done(newest, record, read_record, provenance):
            return FilmOutcome(job, done_before=True, target=job.target)
        lossless = replace(job, target=job.target.with_name(".colorcli.mkv"))
        outcome = replace(self, job=lossless, settings=replace(settings, codec="ffv1", crf=None)).write_film()
        assert outcome.target is not None
        film = probe(outcome.target)
        export(film, job.target, first)
        write_record(record, provenance)
        outcome.target.unlink()
        left = ", ".join(each.kind for each in film.streams if each.index != film.index)
        remark = (f"streams left out, because a sequence contains only pictures: {left}",) if left else ()
        return replace(outcome, job=job, target=job.target, remarks=(*outcome.remarks, *remark))


def _compare_luma(job: Job, output: Path, settings: FilmSettings) -> str:
    """Write the checksums of the luma before and after, beside the output, and say whether they are equal."""
    name = output.parent.name if is_pattern(output) else output.name
    folder = output.parent.parent if is_pattern(output) else output.parent
    source = probe(job.source, settings.deinterlace, settings.frame_rate)
    before = write_luma_md5(source, folder / f"{name}.before.framemd5", settings.start, settings.end)
    written = probe(output, "off", settings.frame_rate)
    after = write_luma_md5(written, folder / f"{name}.after.framemd5")
    if before == after:
        return f"the luma of all {len(before)} frames is that of the source"
    if source.depth != written.depth:
        return f"luma has {written.depth} bits instead of {source.depth}, so its checksums differ"
    equal = sum(one == other for one, other in zip(before, after, strict=False))
    return f"the luma of {equal} of {len(before)} frames is that of the source; use a lossless --codec such as ffv1"


def _described(stream: Stream) -> str:
    words = [stream.kind, stream.codec, stream.language and f"({stream.language})"]
    return " ".join(word for word in words if word)
