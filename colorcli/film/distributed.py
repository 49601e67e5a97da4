"""A film whose parts are colored by several machines: its parts are found first, and joined at the end.

The parts are those that one machine would write one after the other, so the film is the same, byte for byte. Each is
written into the folder of parts beside the output, which all machines must see; `colorize_film` then finds them there
and joins them, as it does after a run that was stopped.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.film.colorize import find_corrections, open_film
from colorcli.film.colorizer import FilmColorizer
from colorcli.film.pipelines import ShotPipelines
from colorcli.film.prepare import prepare_shots, read_lead_in
from colorcli.inference.batch import is_done
from colorcli.inference.outcomes import FilmOutcome
from colorcli.media.films.parts import Parts
from colorcli.media.films.provenance import read_provenance
from colorcli.media.films.reader import read_frames

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from fractions import Fraction

    from colorcli.film.colorize import FilmSettings
    from colorcli.film.prepare import PreparedFrame
    from colorcli.film.shot_list import Shot
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job


@dataclass(frozen=True)
class PlannedPart:
    """A part of a film.

    Attributes:
        number: number of the part, from 1.
        after: the time of the last frame before it, in seconds; None for the first part.
        before: how many frames are before it.
        runs_on: whether it begins in the middle of a shot.
        frames: how many it has.
        made_before: whether an earlier run has written it.
        notes: notes about what is wrong with the film up to here.
    """

    number: int
    after: Fraction | None
    before: int
    runs_on: bool
    frames: int
    made_before: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColoredPart:
    """What was counted while a part was colored.

    Attributes:
        part: the planned part.
        predicted: how many frames went through the network.
        shots: the shots that begin in the part.
    """

    part: PlannedPart
    predicted: int
    shots: int


class SharedFilm:
    """A film, as each of the machines that color it sees it.

    Args:
        pipeline: the model, strength and options.
        job: what to read and where to write.
        settings: the options of the film.
        own_pipelines: the pipelines of given shots that have a model or strength of their own.

    Raises:
        MediaError: the film cannot be read, or its output cannot be written as requested.
    """

    def __init__(
        self, pipeline: Pipeline, job: Job, settings: FilmSettings, own_pipelines: Mapping[Shot, Pipeline]
    ) -> None:
        self._pipelines = ShotPipelines(pipeline, settings, own_pipelines)
        self._settings = settings
        self._film, self._encoding, self._destination = open_film(job, settings)
        self._provenance = settings.provenance(pipeline, own_pipelines.values())

    def done_before(self, job: Job) -> FilmOutcome | None:
        """Return the outcome of a film that an earlier run has done; None if there is work to do.

        Raises:
            OutputExists: another file already exists where the output would be written.
        """
        for target in dict.fromkeys((job.target, self._destination.path)):
            if is_done(job.source, target, read_provenance, self._provenance):
                return FilmOutcome(job, done_before=True, target=target)
        return None

    def plan(self) -> Generator[PlannedPart]:
        """Find the parts, and yield each as soon as its end is known.

        Raises:
            UnreadableMedia: no frame can be decoded.
        """
        destination = self._destination
        written = Parts(self._film, destination, self._encoding, self._provenance)
        number, before, frames = 1, 0, 0
        began: tuple[Fraction | None, bool] = (None, False)
        last: Fraction | None = None
        with read_frames(self._film, destination.start, destination.end) as reader:

            def found() -> PlannedPart:
                made = written.is_written(number, began[0])
                return PlannedPart(number, *(began[0], before, began[1]), frames, made, tuple(reader.notes))

            prepared_frames = prepare_shots(self._film, reader, self._pipelines.size_at, cuts=self._settings.cuts)
            with contextlib.closing(prepared_frames) as prepared:
                for each in prepared:
                    if each.begins_part:
                        yield found()
                        number, before, frames = number + 1, before + frames, 0
                        began = (last, each.runs_on)
                    if each.written:
                        frames, last = frames + 1, each.frame.time
            if frames:
                yield found()

    def colorize(self, part: PlannedPart) -> ColoredPart:
        """Color a part and write it.

        Raises:
            UnwritableMedia: the disk is full or not writable.
            PluginError: the colorizer returned something other than finite chroma.
        """
        film, destination, settings = self._film, self._destination, self._settings
        corrections = find_corrections(film, settings, self._pipelines, destination.start, destination.end)
        colorizer, shots = FilmColorizer(self._pipelines, film, settings, corrections), 0
        start, end, after, alpha = destination.start, destination.end, part.after, self._encoding.alpha
        with (
            Parts(film, destination, self._encoding, self._provenance, alone=(part.number, after)) as parts,
            read_frames(film, start, end, after=after, number=part.before, alpha=alpha) as reader,
        ):
            before = read_lead_in(film, after, part.before) if after is not None and part.runs_on else ()
            uploads = self._pipelines.usual.model.uploads
            found = prepare_shots(film, reader, self._pipelines.size_at, before, settings.cuts, uploads)
            ends = _End()
            with contextlib.closing(colorizer.with_chroma_planes(_until(found, ends))) as finished:
                for prepared, (u, v) in finished:
                    parts.write(prepared.frame.luma, u, v, prepared.frame.time, prepared.frame.alpha)
                    shots = prepared.shot + (not part.runs_on)
            parts.end_alone(runs_on=ends.runs_on)
        return ColoredPart(part, colorizer.predicted, shots)


@dataclass
class _End:
    """How a part ends.

    Attributes:
        runs_on: whether its last shot continues in the next part.
    """

    runs_on: bool = False


def _until(found: Generator[PreparedFrame], end: _End) -> Generator[PreparedFrame]:
    """Yield the frames of a part, and say how it ends."""
    with contextlib.closing(found):
        for prepared in found:
            if prepared.begins_part:
                end.runs_on = prepared.runs_on
                return
            yield prepared
