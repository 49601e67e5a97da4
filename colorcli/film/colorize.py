"""Colorizes films: frames -> small lightness -> network -> stable chroma -> U and V beside Y -> film.

Decoding, prediction, stabilization and encoding run concurrently on successive frames.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections import deque
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch.nn import functional

from colorcli.errors import UnwritableMedia
from colorcli.film.chroma import Coding, chroma_planes
from colorcli.film.concurrency import ordered_map, prefetched
from colorcli.film.hinted import hinted_frames
from colorcli.film.keyframes import Keyframes
from colorcli.film.pipelines import ShotPipelines
from colorcli.film.prepare import prepare_shots, read_lead_in, upright
from colorcli.film.references import Corrections
from colorcli.film.stabilizer import Stabilizer
from colorcli.film.stills import find_stills, still_digests
from colorcli.inference.batch import explained, is_done
from colorcli.inference.outcomes import FilmFigures, FilmOutcome
from colorcli.media import shown
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.parts import Parts
from colorcli.media.films.probe import probe
from colorcli.media.films.provenance import read_provenance
from colorcli.media.films.reader import read_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from colorcli.film.keyframes import References
    from colorcli.film.prepare import PreparedFrame
    from colorcli.film.references import Reference
    from colorcli.film.shot_list import Shot
    from colorcli.film.stabilizer import Method
    from colorcli.hints.hint import WrittenHint
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job
    from colorcli.media.films.display import Deinterlace
    from colorcli.media.films.probe import Film, Stream
    from colorcli.media.pictures.metadata import Provenance

    Plane = NDArray[np.float32]
    Colored = tuple[PreparedFrame, Plane]
    Chroma = tuple[NDArray[Any], NDArray[Any]]
    OnFrame = Callable[[int, int], None]
    OnStart = Callable[[Film, int], None]

Item = TypeVar("Item")

_PREFETCH = 8  # frames waiting between two stages
_MAX_COPY_DIFFERENCE = 0.25  # L*, of any pixel between a frame and its copy
_MAX_BATCH_FRAMES = 32  # including copies
_KEY_FRAMES_AT_ONCE = 4
_GPU_WORKERS = 2
_MAX_CHROMA_WORKERS = 4  # threads that compute U and V


@dataclass(frozen=True)
class FilmSettings:
    """The options of a film.

    Attributes:
        codec: an ffmpeg encoder, or h264, h265, av1, vp9; None for the default.
        crf: the quality on the encoder's own scale; None for one that is hard to tell from the source.
        preset: the encoder's speed preset; None for a fast one.
        deinterlace: deinterlace interlaced frames ("auto"), all frames ("on") or none ("off").
        start: where the output begins, in seconds; None for the beginning.
        end: where it ends; None for the end.
        stabilize: how chroma is smoothed over time.
        keyframes: predict one frame in this many; 0 for key frames where needed; None for every frame.
        references: frames corrected by a person.
        hints: colors of places at times, each of which colors its shot like a corrected frame.
        stills: a folder of frames in color, whose names tell their times; None for none.
        shots: the shots, with models and strengths of their own; empty to detect them.
    """

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    deinterlace: Deinterlace = "auto"
    start: Fraction | None = None
    end: Fraction | None = None
    stabilize: Method = "flow"
    keyframes: int | None = None
    references: tuple[Reference, ...] = ()
    hints: tuple[WrittenHint, ...] = ()
    stills: Path | None = None
    shots: tuple[Shot, ...] = ()

    @property
    def cuts(self) -> list[Fraction]:
        """The times at which given shots begin or end."""
        return sorted({time for each in self.shots for time in (each.start, each.end)})

    def shot_at(self, time: Fraction) -> Shot | None:
        """Return the given shot that a frame at a time belongs to."""
        return next((each for each in self.shots if each.start < time + Fraction(1, 1000) <= each.end), None)

    def provenance(self, pipeline: Pipeline) -> Provenance:
        """Return the provenance that the output records; its `settings` is a digest of everything that affects it."""
        deciding = [
            *(pipeline.provenance.settings, self.codec, self.crf, self.preset, str(self.start), str(self.end)),
            *(self.deinterlace, self.stabilize, self.keyframes, [each.digest for each in self.references]),
            *([still_digests(self.stills)] if self.stills else []),
            *([repr(self.shots)] if self.shots else []),
            *([["hints", *map(str, self.hints)]] if self.hints else []),
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
    on_start: OnStart = lambda film, frames: None,
    on_frame: OnFrame = lambda frames, shot: None,
) -> FilmOutcome:
    """Colorize a film, or resume one that was stopped.

    If it is stopped, by Ctrl-C for example, the finished parts stay beside the output, and the same call resumes.

    Args:
        pipeline: the model, strength and options.
        job: what to read and where to write.
        settings: the options of the film.
        own_pipelines: those of given shots that have a model or strength of their own.
        overwrite: replace an existing output.
        reserved: files that other jobs write.
        on_start: called before the first frame, with the film and the number of frames made by an earlier run.
        on_frame: called after every frame, with the number of frames so far and the number of the shot, from 0.

    Returns:
        The outcome, with figures if the film was colorized now. Errors are part of it and are not raised.
    """
    began = time.perf_counter()
    try:
        pipelines = ShotPipelines(pipeline, settings, own_pipelines or {})
        return _colorize(pipelines, job, settings, overwrite, reserved, on_start, on_frame, began)
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
    corrections = _corrections(film, settings, pipelines, start, end)
    with (
        read_frames(film, start, end) as reader,
        contextlib.closing(
            _FilmColorizer(pipelines, film, settings, corrections).colored(
                prepare_shots(film, reader, pipelines.size_at, cuts=settings.cuts)
            )
        ) as colored,
    ):
        yield from colored


def _corrections(
    film: Film, settings: FilmSettings, pipelines: ShotPipelines, start: Fraction, end: Fraction | None
) -> Corrections:
    references = [*settings.references, *hinted_frames(film, settings.hints, pipelines.at)]
    if settings.stills:
        references += find_stills(film, settings.stills, settings.shots)
    return Corrections(film, references, pipelines.size_at, start, end, settings.cuts)


def _colorize(
    pipelines: ShotPipelines,
    job: Job,
    settings: FilmSettings,
    overwrite: bool,
    reserved: Collection[Path],
    on_start: OnStart,
    on_frame: OnFrame,
    began: float,
) -> FilmOutcome:
    provenance = settings.provenance(pipelines.usual)
    if not overwrite and is_done(job.source, job.target, read_provenance, provenance):
        return FilmOutcome(job, done_before=True, target=job.target)
    film = probe(job.source, settings.deinterlace)
    encoding = choose_encoding(film, job.target.suffix, settings.codec, settings.crf, settings.preset)
    destination = choose_destination(film, job.target, encoding, settings.start, settings.end)
    if destination.path != job.target:
        if destination.path in reserved:
            raise UnwritableMedia(
                f"{film.name} must be written as {shown(destination.path)}, which another input is written to.",
                "Colorize it separately, and choose another output with -o.",
            )
        if not overwrite and is_done(job.source, destination.path, read_provenance, provenance):
            return FilmOutcome(job, done_before=True, target=destination.path)
    start, end = destination.start, destination.end
    corrections = _corrections(film, settings, pipelines, start, end)
    with (
        Parts(film, destination, encoding, provenance) as parts,
        read_frames(film, start, end, after=parts.after, number=parts.frames, alpha=encoding.alpha) as reader,
    ):
        made_before = number = parts.frames
        on_start(film, made_before)
        colorizer = _FilmColorizer(pipelines, film, settings, corrections)
        shots = 0
        before = read_lead_in(film, parts.after, made_before) if parts.after is not None and parts.runs_on else ()
        with contextlib.closing(
            colorizer.with_chroma_planes(prepare_shots(film, reader, pipelines.size_at, before, settings.cuts))
        ) as finished:
            for number, (prepared, (u, v)) in enumerate(finished, made_before + 1):
                if prepared.begins_part:
                    parts.end_shot(runs_on=prepared.runs_on)
                parts.write(prepared.frame.luma, u, v, prepared.frame.time, prepared.frame.alpha)
                shots = prepared.shot + 1
                on_frame(number, prepared.shot)
        parts.finish(reader.jumps)
    seconds = time.perf_counter() - began
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


def _described(stream: Stream) -> str:
    words = [stream.kind, stream.codec, stream.language and f"({stream.language})"]
    return " ".join(word for word in words if word)


@dataclass(frozen=True)
class _Batch:
    """Pictures predicted together, and the frames that show them.

    Attributes:
        pictures: the input of the network.
        frames: each frame, with the index of the picture it shows; -1 for the last one of the previous batch.
    """

    pictures: list[PreparedFrame] = field(default_factory=list)
    frames: list[tuple[PreparedFrame, int]] = field(default_factory=list)


class _FilmColorizer:
    """Colors the frames of a film between its decoder and its encoder.

    Attributes:
        predicted: how many frames went through the network.
    """

    def __init__(self, pipelines: ShotPipelines, film: Film, settings: FilmSettings, corrections: Corrections) -> None:
        self.predicted = 0
        self._pipelines = pipelines
        self._film = film
        self._settings = settings
        self._corrections = corrections
        self._coding = Coding.of(film)
        self._threads = torch.get_num_threads()

    def with_chroma_planes(self, found: Generator[PreparedFrame]) -> Generator[tuple[PreparedFrame, Chroma]]:
        """Yield every written frame with its U and V planes."""
        workers = max(1, min(_MAX_CHROMA_WORKERS, self._threads // 2))
        with contextlib.closing(self.colored(found)) as colored:
            yield from ordered_map(self._chroma_planes, colored, workers)

    def colored(self, found: Generator[PreparedFrame]) -> Generator[Colored]:
        """Yield every written frame with its chroma (2, h, w), of the size of its lightness."""
        with contextlib.ExitStack() as stack:  # an error would otherwise keep generators and threads alive

            def closed_later(items: Generator[Item]) -> Generator[Item]:
                return stack.enter_context(contextlib.closing(items))

            prepared_frames = closed_later(prefetched(found, _PREFETCH))
            if self._settings.keyframes is None:
                colored = self._stabilized(closed_later(self._all_predicted(prepared_frames)))
            else:
                colored = self._from_key_frames(prepared_frames)
            yield from closed_later(prefetched(self._tinted(closed_later(colored)), _PREFETCH))

    def _stabilized(self, predicted: Iterable[Colored]) -> Generator[Colored]:
        """Stabilize the predictions of all frames."""
        stabilizer = Stabilizer(self._settings.stabilize)

        def push(prepared: PreparedFrame, ab: Plane) -> list[Plane]:
            return stabilizer.push(prepared.lightness, ab)

        return _paired(predicted, push, stabilizer.finish)

    def _from_key_frames(self, found: Iterable[PreparedFrame]) -> Generator[Colored]:
        """Predict key frames and carry their colors to the frames between."""
        waiting: dict[int, PreparedFrame] = {}

        def predict(lightness: Sequence[Plane]) -> list[Plane]:
            pictures = [waiting[id(each)] for each in lightness]
            waiting.clear()
            return self._predict(pictures)

        together = min(_KEY_FRAMES_AT_ONCE, self._pipelines.batch_size)
        carried = Keyframes(predict, self._settings.keyframes or None, batch=together)

        def push(prepared: PreparedFrame, lightness: Plane) -> list[Plane]:
            waiting[id(lightness)] = prepared
            return carried.push(lightness)

        return _paired(((prepared, prepared.lightness) for prepared in found), push, carried.finish)

    def _all_predicted(self, found: Iterable[PreparedFrame]) -> Generator[Colored]:
        on_cpu = self._pipelines.usual.model.device.device.type == "cpu"
        workers = self._threads if on_cpu else _GPU_WORKERS
        size = self._pipelines.batch_size
        last: Plane | None = None
        with contextlib.closing(ordered_map(self._predict_batch, _batches(found, size), workers)) as results:
            for batch, predicted in results:
                for prepared, picture in batch.frames:
                    last = last if picture < 0 else predicted[picture]
                    assert last is not None
                    yield prepared, last

    def _predict_batch(self, batch: _Batch) -> tuple[_Batch, list[Plane]]:
        return batch, self._predict(batch.pictures) if batch.pictures else []

    def _predict(self, pictures: Sequence[PreparedFrame]) -> list[Plane]:
        """Predict (2, h, w) ab for each frame, of the size of its lightness."""
        self.predicted += len(pictures)
        inputs = torch.from_numpy(np.stack([each.network_input for each in pictures]))
        pipeline = self._pipelines.at(pictures[0].frame.time)  # all of one shot
        ab = pipeline.predict_lightness(inputs.to(pipeline.model.device.device)).values
        size = pictures[0].lightness.shape[-2:]
        larger = ab.shape[-1] > size[-1] or ab.shape[-2] > size[-2]
        if ab.shape[-2:] != size:
            ab = functional.interpolate(ab, size, mode="bilinear" if larger else "bicubic", antialias=larger)
        return list(ab.cpu().numpy())

    def _tinted(self, colored: Iterable[Colored]) -> Generator[Colored]:
        """Apply the colors of corrected frames to their shots."""
        references: References | None = None
        for prepared, ab in colored:
            if prepared.place == 0:
                references = self._corrections.of(prepared)
            tinted = references.tint(prepared.lightness, ab) if references else ab
            if prepared.written:
                yield prepared, tinted

    def _chroma_planes(self, colored: Colored) -> tuple[PreparedFrame, Chroma]:
        prepared, ab = colored
        return prepared, chroma_planes(prepared.frame.luma, upright(ab, -self._film.rotation), self._coding)


def _batches(found: Iterable[PreparedFrame], size: int) -> Generator[_Batch]:
    """Group frames that are predicted together; copies of the last picture are not predicted again.

    No batch spans two shots, so that a resumed run forms the same batches.
    """
    batch, last = _Batch(), None
    for prepared in found:
        is_copy = (
            prepared.place > 0 and last is not None and np.abs(prepared.lightness - last).max() <= _MAX_COPY_DIFFERENCE
        )
        full = len(batch.pictures) == size and not is_copy
        if batch.frames and (full or prepared.place == 0 or len(batch.frames) == _MAX_BATCH_FRAMES):
            yield batch
            batch = _Batch()
        if not is_copy:
            batch.pictures.append(prepared)
            last = prepared.lightness
        batch.frames.append((prepared, len(batch.pictures) - 1))
    if batch.frames:
        yield batch


def _paired(
    items: Iterable[Colored], push: Callable[[PreparedFrame, Plane], list[Plane]], finish: Callable[[], list[Plane]]
) -> Generator[Colored]:
    """Push frames, shot by shot, to something that returns their chroma later, and pair each frame with its own."""
    waiting: deque[PreparedFrame] = deque()
    for prepared, item in items:
        if prepared.place == 0:
            yield from [(waiting.popleft(), ab) for ab in finish()]
        waiting.append(prepared)
        yield from [(waiting.popleft(), ab) for ab in push(prepared, item)]
    yield from [(waiting.popleft(), ab) for ab in finish()]
