"""The line for films: frames -> small lightness -> network -> steady chroma -> U and V beside Y -> film.

Decoding, the network, steadying and encoding work at the same time on frames that follow one another.
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
from colorcli.film.concurrency import ahead, in_order
from colorcli.film.keyframes import Keyframes
from colorcli.film.references import Corrections
from colorcli.film.shot_frames import lead_in, stills, upright
from colorcli.film.stabilizer import Stabilizer
from colorcli.inference.batch import explained, is_done
from colorcli.inference.outcomes import FilmFigures, FilmOutcome
from colorcli.media import shown
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.parts import open_parts
from colorcli.media.films.probe import probe
from colorcli.media.films.provenance import read_provenance
from colorcli.media.films.source import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from colorcli.film.keyframes import References
    from colorcli.film.references import Reference
    from colorcli.film.shot_frames import Still
    from colorcli.film.stabilizer import Method
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job
    from colorcli.media.films.probe import Film, Stream
    from colorcli.media.pictures.metadata import Provenance

    Plane = NDArray[np.float32]
    Colored = tuple[Still, Plane]
    Watch = Callable[[int, int], None]
    Begun = Callable[[Film, int], None]

Item = TypeVar("Item")

_AHEAD = 8  # frames that wait between two threads
_SAME = 0.25  # L*: no pixel differs by more between a frame and its copy
_LONGEST_BATCH = 32  # frames, copies and all
_KEY_FRAMES_AT_ONCE = 4
_GPU_WORKERS = 2
_MOST_PAINTERS = 4  # threads that compute U and V


@dataclass(frozen=True)
class FilmSettings:
    """What can be asked for of a film.

    Attributes:
        codec: an encoder of ffmpeg's, or h264, h265, av1, vp9; None for the default.
        crf: the quality in the encoder's own scale; None for one that hardly anybody sees.
        preset: the encoder's word for speed against size; None for a quick one.
        start: the first moment wanted, in seconds; None for the beginning.
        end: the first not wanted any more; None for the end.
        stabilize: how chroma is steadied.
        keyframes: a frame in so many is predicted, 0 for those that need it; None for all.
        references: frames that a person has corrected.
    """

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    start: Fraction | None = None
    end: Fraction | None = None
    stabilize: Method = "flow"
    keyframes: int | None = None
    references: tuple[Reference, ...] = ()

    def provenance(self, pipeline: Pipeline) -> Provenance:
        """What a film says of its making; `settings` digests all that decides it."""
        deciding = [
            *(pipeline.provenance.settings, self.codec, self.crf, self.preset, str(self.start), str(self.end)),
            *(self.stabilize, self.keyframes, [each.digest for each in self.references]),
        ]
        digest = hashlib.sha256(json.dumps(deciding).encode()).hexdigest()[:16]
        return replace(pipeline.provenance, settings=digest)


def colorize_film(
    pipeline: Pipeline,
    job: Job,
    settings: FilmSettings,
    *,
    overwrite: bool = False,
    taken: Collection[Path] = (),
    watch: Watch = lambda frames, shot: None,
    begun: Begun = lambda film, frames: None,
) -> FilmOutcome:
    """Colorize a film, or go on with one that was stopped.

    Whatever stops it, Ctrl-C too, leaves the finished parts beside the output: the same call goes on from there.

    Args:
        pipeline: model, strength and options.
        job: what to read and where to write.
        settings: of the film.
        overwrite: replace an output that is there already.
        taken: files that other jobs write.
        watch: called after every frame with how many there are now, and with the number of the shot, from 0.
        begun: called before the first frame, with the film and with how many frames an earlier run has made.

    Returns:
        The outcome, with figures if the film was colorized now. An error is part of it and is not raised.
    """
    began = time.perf_counter()
    try:
        return _colorize(pipeline, job, settings, overwrite, taken, watch, begun, began)
    except Exception as error:  # whatever is wrong with one film, the others go on
        return FilmOutcome(job, time.perf_counter() - began, error=explained(job, error))


def chroma_of(pipeline: Pipeline, film: Film, settings: FilmSettings) -> Generator[Colored]:
    """Color a film as `colorize_film` does, and write nothing: each frame, and its chroma.

    Chroma is (2, h, w) ab, upright, of the size of the frame's small lightness. Closing the generator ends all work.

    Raises:
        UnreadableMedia: not one frame can be decoded.
        PluginError: the colorizer gave something else than finite chroma.
    """
    start, end = Fraction(settings.start or 0), settings.end
    corrections = Corrections(film, settings.references, pipeline.model.size, start, end)
    with (
        frames(film, start, end) as reader,
        contextlib.closing(
            _Work(pipeline, film, settings, corrections).colored(stills(film, reader, pipeline.model.size))
        ) as all_,
    ):
        yield from all_


def _colorize(
    pipeline: Pipeline,
    job: Job,
    settings: FilmSettings,
    overwrite: bool,
    taken: Collection[Path],
    watch: Watch,
    begun: Begun,
    began: float,
) -> FilmOutcome:
    provenance = settings.provenance(pipeline)
    if not overwrite and is_done(job.source, job.target, read_provenance, provenance):
        return FilmOutcome(job, done_before=True, target=job.target)
    film = probe(job.source)
    encoding = choose_encoding(film, job.target.suffix, settings.codec, settings.crf, settings.preset)
    destination = choose_destination(film, job.target, encoding, settings.start, settings.end)
    if destination.path != job.target:
        if destination.path in taken:
            raise UnwritableMedia(
                f"{film.name} has to become {shown(destination.path)}, and so has another film.",
                "Run it alone, and write elsewhere with -o.",
            )
        if not overwrite and is_done(job.source, destination.path, read_provenance, provenance):
            return FilmOutcome(job, done_before=True, target=destination.path)
    start, end = destination.start, destination.end
    corrections = Corrections(film, settings.references, pipeline.model.size, start, end)
    with (
        open_parts(film, destination, encoding, provenance) as parts,
        frames(film, start, end, after=parts.after, number=parts.frames) as reader,
    ):
        made_before = number = parts.frames
        begun(film, made_before)
        work = _Work(pipeline, film, settings, corrections)
        shots = 0
        before = lead_in(film, parts.after, made_before) if parts.after is not None and parts.runs_on else ()
        with contextlib.closing(work.painted(stills(film, reader, pipeline.model.size, before))) as painted:
            for number, (still, (u, v)) in enumerate(painted, made_before + 1):
                if still.begins_part:
                    parts.end_shot(runs_on=still.runs_on)
                parts.write(still.frame.luma, u, v, still.frame.time)
                shots = still.shot + 1
                watch(number, still.shot)
        parts.finish()
    seconds = time.perf_counter() - began
    figures = FilmFigures(
        frames=number,
        made_before=made_before,
        predicted=work.predicted,
        shots=shots,
        fps=round((number - made_before) / seconds, 2),
        codec=encoding.codec,
        copied=tuple(_described(each) for each in destination.copied),
    )
    remarks = (*film.notes, *encoding.notes, *destination.notes, *reader.notes)
    return FilmOutcome(job, seconds, remarks=remarks, target=destination.path, figures=figures)


def _described(stream: Stream) -> str:
    words = [stream.kind, stream.codec, stream.language and f"({stream.language})"]
    return " ".join(word for word in words if word)


@dataclass(frozen=True)
class _Batch:
    """Pictures that share a pass through the network, and the frames that show them.

    Attributes:
        pictures: what the network is asked with.
        frames: each frame, and which of the pictures it shows; -1 for the last one of the batch before.
    """

    pictures: list[Still] = field(default_factory=list)
    frames: list[tuple[Still, int]] = field(default_factory=list)


class _Work:
    """What happens to a film between its decoder and its encoder.

    Attributes:
        predicted: how many frames the network has seen.
    """

    def __init__(self, pipeline: Pipeline, film: Film, settings: FilmSettings, corrections: Corrections) -> None:
        self.predicted = 0
        self._pipeline = pipeline
        self._film = film
        self._settings = settings
        self._corrections = corrections
        self._coding = Coding.of(film)
        self._threads = torch.get_num_threads()

    def painted(self, found: Generator[Still]) -> Generator[tuple[Still, tuple[NDArray[Any], NDArray[Any]]]]:
        """Give every frame that is written its U and V."""
        painters = max(1, min(_MOST_PAINTERS, self._threads // 2))
        with contextlib.closing(self.colored(found)) as colored:
            yield from in_order(self._paint, colored, painters)

    def colored(self, found: Generator[Still]) -> Generator[Colored]:
        """Give every frame that is written its chroma (2, h, w), of the size of its lightness."""
        with contextlib.ExitStack() as stack:  # an error keeps what it went through alive, threads and all

            def closed_at_the_end(items: Generator[Item]) -> Generator[Item]:
                return stack.enter_context(contextlib.closing(items))

            looked_at = closed_at_the_end(ahead(found, _AHEAD))
            if self._settings.keyframes is None:
                colored = self._every(closed_at_the_end(self._all_predicted(looked_at)))
            else:
                colored = self._from_key_frames(looked_at)
            yield from closed_at_the_end(ahead(self._tinted(closed_at_the_end(colored)), _AHEAD))

    def _every(self, predicted: Iterable[Colored]) -> Generator[Colored]:
        """Steady what was predicted for every frame."""
        steady = Stabilizer(self._settings.stabilize)

        def push(still: Still, ab: Plane) -> list[Plane]:
            return steady.push(still.lightness, ab)

        return _in_step(predicted, push, steady.finish)

    def _from_key_frames(self, found: Iterable[Still]) -> Generator[Colored]:
        """Predict key frames, and carry their colors to the others."""
        waiting: dict[int, Still] = {}

        def predict(lightness: Sequence[Plane]) -> list[Plane]:
            pictures = [waiting[id(each)] for each in lightness]
            waiting.clear()
            return self._predict(pictures)

        together = min(_KEY_FRAMES_AT_ONCE, self._pipeline.batch_size) if self._pipeline.model.size else 1
        carried = Keyframes(predict, self._settings.keyframes or None, batch=together)

        def push(still: Still, lightness: Plane) -> list[Plane]:
            waiting[id(lightness)] = still
            return carried.push(lightness)

        return _in_step(((still, still.lightness) for still in found), push, carried.finish)

    def _all_predicted(self, found: Iterable[Still]) -> Generator[Colored]:
        on_cpu = self._pipeline.model.device.device.type == "cpu"
        workers = self._threads if on_cpu else _GPU_WORKERS
        size = self._pipeline.batch_size if self._pipeline.model.size else 1
        last: Plane | None = None
        with contextlib.closing(in_order(self._predict_batch, _batches(found, size), workers)) as results:
            for batch, predicted in results:
                for still, picture in batch.frames:
                    last = last if picture < 0 else predicted[picture]
                    assert last is not None
                    yield still, last

    def _predict_batch(self, batch: _Batch) -> tuple[_Batch, list[Plane]]:
        return batch, self._predict(batch.pictures) if batch.pictures else []

    def _predict(self, pictures: Sequence[Still]) -> list[Plane]:
        """Ask the network: (2, h, w) ab for each, of the size of its lightness."""
        self.predicted += len(pictures)
        seen = torch.from_numpy(np.stack([each.seen for each in pictures]))
        ab = self._pipeline.predict_lightness(seen.to(self._pipeline.model.device.device)).ab
        size = pictures[0].lightness.shape[-2:]
        larger = ab.shape[-1] > size[-1] or ab.shape[-2] > size[-2]
        if ab.shape[-2:] != size:
            ab = functional.interpolate(ab, size, mode="bilinear" if larger else "bicubic", antialias=larger)
        return list(ab.cpu().numpy())

    def _tinted(self, colored: Iterable[Colored]) -> Generator[Colored]:
        """Give the colors of corrected frames to their shots."""
        references: References | None = None
        for still, ab in colored:
            if still.place == 0:
                references = self._corrections.of(still)
            tinted = references.tint(still.lightness, ab) if references else ab
            if still.written:
                yield still, tinted

    def _paint(self, colored: Colored) -> tuple[Still, tuple[NDArray[Any], NDArray[Any]]]:
        still, ab = colored
        return still, chroma_planes(still.frame.luma, upright(ab, -self._film.rotation), self._coding)


def _batches(found: Iterable[Still], size: int) -> Generator[_Batch]:
    """Put frames together that share a pass through the network; copies of the last picture are not pictures.

    No batch spans two shots, so that a run which goes on from a part has the same ones.
    """
    batch, last = _Batch(), None
    for still in found:
        copies = still.place > 0 and last is not None and np.abs(still.lightness - last).max() <= _SAME
        full = len(batch.pictures) == size and not copies
        if batch.frames and (full or still.place == 0 or len(batch.frames) == _LONGEST_BATCH):
            yield batch
            batch = _Batch()
        if not copies:
            batch.pictures.append(still)
            last = still.lightness
        batch.frames.append((still, len(batch.pictures) - 1))
    if batch.frames:
        yield batch


def _in_step(
    items: Iterable[Colored], push: Callable[[Still, Plane], list[Plane]], finish: Callable[[], list[Plane]]
) -> Generator[Colored]:
    """Push frames to what gives their chroma later, shot by shot, and pair each with its own."""
    waiting: deque[Still] = deque()
    for still, item in items:
        if still.place == 0:
            yield from [(waiting.popleft(), ab) for ab in finish()]
        waiting.append(still)
        yield from [(waiting.popleft(), ab) for ab in push(still, item)]
    yield from [(waiting.popleft(), ab) for ab in finish()]
