"""Many files at once through a pipeline, and what became of each.

Every worker takes a small batch through the whole pipeline: while one decodes, another is in the network and a third
encodes. On a CPU each has its share of the cores, which is quicker than one network with all of them.
"""

from __future__ import annotations

import contextlib
import filecmp
import itertools
import math
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

import torch

from colorcli.errors import ColorcliError, DeviceError, OutputExists, PluginError, UnreadableMedia
from colorcli.files import replacing, shown, sweep
from colorcli.hints.files import HintSet
from colorcli.inference.hinted import HintedPipeline, pipeline_for
from colorcli.inference.outcomes import PictureOutcome
from colorcli.inference.pipeline import BATCH_PIXELS
from colorcli.inference.transfer import is_out_of_memory, start_worker
from colorcli.jobs import of_copy
from colorcli.media.pictures.files import DEFAULT_MAX_PIXELS, Frame, Picture, Provenance, open_picture
from colorcli.media.pictures.provenance import read_provenance
from colorcli.media.pictures.tone import is_in_color, tone_of
from colorcli.media.pictures.write import write_picture
from colorcli.storage import RemotePath, refreshed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from colorcli.inference.outcomes import PictureKind
    from colorcli.inference.pipeline import Notes, Pipeline
    from colorcli.jobs import Job

_GPU_WORKERS = 4
_REMOTE_WORKERS = 2  # times as many where a worker also waits for downloads and uploads


def colorize_files(
    pipeline: Pipeline,
    jobs: Sequence[Job],
    *,
    kind: PictureKind = "color",
    overwrite: bool = False,
    recolor: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    hints: HintSet | None = None,
) -> Generator[PictureOutcome]:
    """Colorize files, many at once, and yield what became of each, in order.

    An output that the same model and settings made before, after its source was last changed, is left as it is. One
    bad file never stops the others. Memory does not grow with their number. Closing the generator finishes the
    pictures that are being worked on and starts no more.

    Args:
        pipeline: model and settings of the coloring.
        jobs: what to read and where to write.
        kind: "color", or "entropy" for a pipeline of it.
        overwrite: replace existing outputs.
        recolor: recolor pictures that are already in color; otherwise they are copied, and outputs of earlier runs are
            left out.
        max_pixels: the most pixels that a frame may have.
        hints: colors that the user gave to places of the pictures.
    """
    settings = _Settings(kind, overwrite, recolor, max_pixels, hints or HintSet())
    for folder in dict.fromkeys(job.target.parent for job in jobs):
        sweep(folder)
    size = group_size(pipeline, len(jobs))
    groups = [jobs[start : start + size] for start in range(0, len(jobs), size)]
    threads, workers = torch.get_num_threads(), count_workers(pipeline, len(jobs))
    own_threads = max(1, threads // workers)
    if any(isinstance(path, RemotePath) for job in jobs[:1] for path in (job.source, job.target)):
        workers *= _REMOTE_WORKERS
    device = pipeline.model.device.device
    pool = ThreadPoolExecutor(workers, "colorcli", start_worker, (device, own_threads))
    waiting: deque[Future[list[PictureOutcome]]] = deque()
    stop = Event()
    try:
        for group in groups:
            waiting.append(pool.submit(_colorize_group, pipeline, group, settings, stop))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def group_size(pipeline: Pipeline, pictures: int) -> int:
    """Return how many pictures a worker takes at a time: a batch, or less, so that no core is without work."""
    on_cpu = pipeline.model.device.device.type == "cpu"
    share = -(-pictures // torch.get_num_threads()) if on_cpu else pictures
    return max(1, min(pipeline.batch_size, share))


def pictures_at_once(pipeline: Pipeline) -> int:
    """Return how many pictures keep the device busy: a batch, on a CPU for each core."""
    on_cpu = pipeline.model.device.device.type == "cpu"
    return pipeline.batch_size * (torch.get_num_threads() if on_cpu else 1)


def count_workers(pipeline: Pipeline, pictures: int) -> int:
    """Return how many workers run the pipeline at the same time for this number of pictures."""
    on_cpu = pipeline.model.device.device.type == "cpu"
    groups = -(-pictures // group_size(pipeline, pictures))
    return max(1, min(torch.get_num_threads() if on_cpu else _GPU_WORKERS, groups))


@dataclass(frozen=True)
class _Settings:
    """The settings of `colorize_files`."""

    kind: PictureKind
    overwrite: bool
    recolor: bool
    max_pixels: int
    hints: HintSet


@dataclass(frozen=True)
class _Opened:
    """A job whose only frame is decoded and waits for others to share a batch."""

    job: Job
    pipeline: Pipeline
    picture: Picture
    frame: Frame
    replaces: bool
    seconds: float


def _colorize_group(pipeline: Pipeline, jobs: Sequence[Job], settings: _Settings, stop: Event) -> list[PictureOutcome]:
    """Colorize a few files, single pictures together in one batch."""
    with pipeline.timed("other"):
        return _Group(pipeline, settings, stop).colorize(jobs)


class _Group:
    """A few files that one worker colorizes."""

    def __init__(self, pipeline: Pipeline, settings: _Settings, stop: Event) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._stop = stop

    def colorize(self, jobs: Sequence[Job]) -> list[PictureOutcome]:
        """Return what became of each job; nothing if the run stops."""
        outcomes: dict[int, PictureOutcome] = {}  # by id: paths keep their hashes, and there may be millions
        together: list[_Opened] = []
        for job in jobs:
            try:
                opened = self._open(job)
            except Exception as error:  # a faulty file must not stop the others
                opened = self._failed(job, error)
            if isinstance(opened, PictureOutcome):
                outcomes[id(job)] = opened
            elif opened.pipeline is not self._pipeline:
                outcomes |= self._colorize_together([opened])
            else:
                together.append(opened)
            if sum(math.prod(each.frame.pixels.shape[:2]) for each in together) > BATCH_PIXELS:
                outcomes |= self._colorize_together(together)
                together = []
            if self._stop.is_set():
                return []
        outcomes |= self._colorize_together(together)
        return [outcomes[id(job)] for job in jobs]

    def _open(self, job: Job) -> _Opened | PictureOutcome:
        """Decode a picture of one frame, or do all of its work if it does not share a batch."""
        start, settings = time.perf_counter(), self._settings
        exists, pipeline = job.target.exists(), self._pipeline_of(job)
        if not settings.overwrite:
            if settings.kind == "color" and not settings.recolor:
                copy = of_copy(job).target
                for target in [job.target, *([copy] if copy != job.target else [])]:
                    if is_copy(job.source, target):
                        return PictureOutcome(job, done_before=True, kind="copy", copied_to=target)
            if is_done(job.source, job.target, read_provenance, pipeline.provenance):
                return PictureOutcome(job, done_before=True, kind=settings.kind, hints=_hints_of(pipeline))
        with self._pipeline.timed("decode"):
            picture = open_picture(job.source, max_pixels=settings.max_pixels)
            frames = picture.frames()
            frame = next(frames)
            if not settings.recolor and picture.provenance is not None and frame.pixels.ndim == 3:
                remark = "this is an output of colorcli, so it was left out; use --recolor to recolor it"
                return PictureOutcome(job, kind="skipped", remarks=(remark,))
            in_color = not settings.recolor and is_in_color(frame.pixels)
            if in_color and picture.count > 1:
                in_color = all(is_in_color(each.pixels) for each in frames)
        if in_color:
            return self._leave_in_color(job, picture, start)
        if picture.count == 1:
            return _Opened(job, pipeline, picture, frame, exists, time.perf_counter() - start)
        kept: list[None] = []
        pages = color_pages(pipeline, self._until_stopped(picture.frames()), kept, recolor=settings.recolor)
        remarks = self._write(job, pages, picture, pipeline.provenance, replaces=exists)
        if kept:
            remarks += (f"{len(kept)} of {picture.count} pages are already in color and stay as they are",)
        seconds = time.perf_counter() - start
        return PictureOutcome(job, seconds, remarks=remarks, kind=settings.kind, hints=_hints_of(pipeline))

    def _pipeline_of(self, job: Job) -> Pipeline:
        settings = self._settings
        return pipeline_for(job, self._pipeline, settings.hints, max_pixels=settings.max_pixels)

    def _leave_in_color(self, job: Job, picture: Picture, start: float) -> PictureOutcome:
        """Copy a picture that is already in color."""
        if self._settings.kind == "entropy":
            return PictureOutcome(job, kind="skipped")
        target = of_copy(job).target
        if target.exists() and not self._settings.overwrite:
            raise OutputExists(
                f"{shown(target)} already exists.", "Replace it with --overwrite, or write to another place with -o."
            )
        with self._pipeline.timed("encode"), replacing(target, overwrite=self._settings.overwrite) as temporary:
            temporary.write_bytes(picture.read())
        seconds, hinted = time.perf_counter() - start, bool(self._settings.hints.of(job.relative))
        remarks = (
            ("its hints were not used, because it is already in color; use --recolor to apply them",) if hinted else ()
        )
        return PictureOutcome(job, seconds, remarks=remarks, kind="copy", copied_to=target)

    def _until_stopped(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Stop within a file of many pages: the rest of them are not needed."""
        for frame in frames:
            if self._stop.is_set():
                raise InterruptedError
            yield frame

    def _colorize_together(self, together: Sequence[_Opened]) -> dict[int, PictureOutcome]:
        """Return what became of opened pictures, by the ids of their jobs."""
        if not together:
            return {}
        start = time.perf_counter()
        try:
            predicted = list(together[0].pipeline.predict([opened.frame for opened in together]))
        except Exception as error:
            if len(together) > 1:  # one by one shows which of them it is
                return {key: each for opened in together for key, each in self._colorize_together([opened]).items()}
            return {id(together[0].job): self._failed(together[0].job, error)}
        shared = (time.perf_counter() - start) / len(together)
        return {
            id(opened.job): self._finish(opened, chroma, notes, opened.seconds + shared)
            for opened, (chroma, notes) in zip(together, predicted, strict=True)
        }

    def _finish(self, opened: _Opened, chroma: Tensor, notes: Notes, seconds: float) -> PictureOutcome:
        job, start = opened.job, time.perf_counter()
        try:
            frames = [opened.pipeline.join(opened.frame, chroma)]
            provenance = opened.pipeline.provenance
            remarks = self._write(job, frames, opened.picture, provenance, replaces=opened.replaces)
        except Exception as error:  # such as a full disk
            return self._failed(job, error)
        if tone_of(opened.frame.pixels) == "tinted":
            notes = {"tone": "tinted, colored like a gray picture", **notes}
        return PictureOutcome(
            job,
            seconds + time.perf_counter() - start,
            remarks=remarks,
            kind=self._settings.kind,
            notes=notes,
            hints=_hints_of(opened.pipeline),
        )

    def _write(
        self, job: Job, frames: Iterable[Frame], picture: Picture, provenance: Provenance, *, replaces: bool
    ) -> tuple[str, ...]:
        """Write an output, and return remarks about it.

        Args:
            job: where.
            frames: frames in color.
            picture: the picture that they were made from.
            provenance: what made them.
            replaces: whether there was an output that may be replaced; one that appears later may not.
        """
        with self._pipeline.timed("encode"):
            overwrite = self._settings.overwrite or replaces
            lost = write_picture(job.target, frames, picture, provenance=provenance, overwrite=overwrite)
        return (*picture.remarks, *lost)

    def _failed(self, job: Job, error: Exception) -> PictureOutcome:
        """Return the outcome of a job that failed, unless another run has done it in the meantime."""
        if isinstance(error, OutputExists):
            with contextlib.suppress(ColorcliError, OSError):
                target = refreshed(job.target)
                if is_done(job.source, target, read_provenance, self._pipeline_of(job).provenance):
                    return PictureOutcome(job, done_before=True, kind=self._settings.kind)
        return PictureOutcome(job, error=explained(job, error))


def color_pages(pipeline: Pipeline, pages: Iterable[Frame], kept: list[None], *, recolor: bool) -> Iterator[Frame]:
    """Colorize the pages of a file, with one batch at a time in memory.

    Args:
        pipeline: model and settings.
        pages: pages of one file.
        kept: gets an item for each page that is already in color and stays as it is.
        recolor: recolor those pages, too.
    """

    def is_kept(frame: Frame) -> bool:
        return not recolor and is_in_color(frame.pixels)

    for in_color, frames in itertools.groupby(pages, is_kept):
        if in_color:
            for frame in frames:
                kept.append(None)
                yield frame
        else:
            yield from pipeline.colorize(frames)


def _hints_of(pipeline: Pipeline) -> tuple[str, ...]:
    return tuple(str(hint) for hint in pipeline.hints) if isinstance(pipeline, HintedPipeline) else ()


def is_copy(source: Path, target: Path) -> bool:
    """Return whether a file has the same bytes as its source."""
    if isinstance(source, RemotePath) or isinstance(target, RemotePath):
        same_size = target.is_file() and target.stat().st_size == source.stat().st_size
        return same_size and target.read_bytes() == source.read_bytes()
    return target.is_file() and filecmp.cmp(str(source), str(target), shallow=False)


def is_done(
    source: Path,
    target: Path,
    read: Callable[[Path], Provenance | None],
    provenance: Provenance,
    *,
    copies: bool = False,
) -> bool:
    """Return whether an output was made with the same settings, after its source was last changed.

    Args:
        source: what it was made from.
        target: the output.
        read: reads how an output says it was made.
        provenance: what it would say if it were made now.
        copies: whether a copy of the source counts, too, as one in color is copied.

    Raises:
        OutputExists: another file already exists at the target.
    """
    if not target.exists():
        return False
    found = read(target)
    if found is None or found.settings != provenance.settings:
        if copies and found is None and is_copy(source, target):
            return True
        made = f"was made by {_maker(found)} with other settings" if found else "already exists"
        raise OutputExists(
            f"{shown(target)} {made}.", "Replace it with --overwrite, or write to another place with -o."
        )
    return target.stat().st_mtime >= source.stat().st_mtime


def _maker(found: Provenance) -> str:
    return f"{found.model}.{found.tag}" if found.tag else found.model


def explained(job: Job, error: Exception) -> ColorcliError:
    """Convert an exception about a file to an error for the user; --debug shows the exception as its cause."""
    name = shown(job.source)
    if isinstance(error, PluginError):  # which does not name the file
        named = type(error)(f"{name}: {error.message}", error.hint)
        named.__cause__ = error
        return named
    if isinstance(error, ColorcliError):
        return error
    problem: ColorcliError
    if is_out_of_memory(error):
        problem = DeviceError(f"{name}: not enough memory for a picture of this size.", "Close other programs.")
    elif isinstance(error, OSError):  # such as a file that was removed in the meantime
        problem = UnreadableMedia(f"{name}: {error.strerror or error}.")
    else:
        problem = ColorcliError(
            f"{name}: {type(error).__name__}: {error}.",
            "This is a bug. Run `colorcli --debug run` with this file alone, and report what it prints.",
        )
    problem.__cause__ = error
    return problem
