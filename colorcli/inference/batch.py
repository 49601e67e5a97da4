"""Many files along the line at once, and what became of each.

Every worker walks the whole line with a small batch: while one decodes, another is in the network and a third
encodes. On a CPU each has its share of the cores to itself, which is quicker than one network with all of them.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

import torch

from colorcli.errors import ColorcliError, DeviceError, OutputExists, UnreadableMedia
from colorcli.inference.model import is_out_of_memory
from colorcli.inference.outcomes import PictureOutcome
from colorcli.media import shown
from colorcli.media.pictures.files import (
    DEFAULT_MAX_PIXELS,
    Frame,
    Picture,
    Provenance,
    open_picture,
    read_provenance,
    write_picture,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from colorcli.inference.pipeline import Notes, Pipeline
    from colorcli.jobs import Job

_GPU_WORKERS = 4
_GROUP_PIXELS = 60_000_000  # decoded pixels that one worker holds: small pictures share a batch, large ones do not


def colorize_files(
    pipeline: Pipeline, jobs: Sequence[Job], *, overwrite: bool = False, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Generator[PictureOutcome]:
    """Colorize files, many at once, and yield what became of each, in order.

    An output that the same model and settings made before, after its source was last changed, is left as it is. One
    bad file never stops the others. Memory does not grow with their number. Closing the generator finishes the
    pictures that are being worked on and starts no more.

    Args:
        pipeline: model and settings.
        jobs: what to read and where to write.
        overwrite: replace outputs that are there already.
        max_pixels: the most pixels that a frame may have.
    """
    groups = [jobs[start : start + pipeline.batch_size] for start in range(0, len(jobs), pipeline.batch_size)]
    threads, workers = torch.get_num_threads(), count_workers(pipeline, len(jobs))
    pool = ThreadPoolExecutor(workers, "colorcli", torch.set_num_threads, (max(1, threads // workers),))
    waiting: deque[Future[list[PictureOutcome]]] = deque()
    stop = Event()
    try:
        for group in groups:
            waiting.append(pool.submit(_colorize_group, pipeline, group, overwrite, max_pixels, stop))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def count_workers(pipeline: Pipeline, pictures: int) -> int:
    """Say how many workers walk the line at the same time with so many pictures."""
    on_cpu = pipeline.model.device.device.type == "cpu"
    return max(1, min(torch.get_num_threads() if on_cpu else _GPU_WORKERS, -(-pictures // pipeline.batch_size)))


@dataclass(frozen=True)
class _Opened:
    """A job whose only frame is decoded and waits for others to share a batch."""

    job: Job
    picture: Picture
    frame: Frame
    seconds: float


def _colorize_group(
    pipeline: Pipeline, jobs: Sequence[Job], overwrite: bool, max_pixels: int, stop: Event
) -> list[PictureOutcome]:
    """Walk the line with a few files, single pictures together in one batch."""
    with pipeline.timed("other"):
        return _walk(pipeline, jobs, overwrite, max_pixels, stop)


def _walk(
    pipeline: Pipeline, jobs: Sequence[Job], overwrite: bool, max_pixels: int, stop: Event
) -> list[PictureOutcome]:
    outcomes: dict[Job, PictureOutcome] = {}
    together: list[_Opened] = []
    for job in jobs:
        start = time.perf_counter()
        try:
            if not overwrite and is_done(job.source, job.target, read_provenance, pipeline.provenance):
                outcomes[job] = PictureOutcome(job, done_before=True)
                continue
            with pipeline.timed("decode"):
                picture = open_picture(job.source, max_pixels=max_pixels)
            if picture.count > 1:
                frames = pipeline.colorize(_until(stop, picture.frames()))
                _write(pipeline, job, frames, picture)
                outcomes[job] = PictureOutcome(job, time.perf_counter() - start)
                continue
            with pipeline.timed("decode"):
                frame = next(picture.frames())
            together.append(_Opened(job, picture, frame, time.perf_counter() - start))
        except Exception as error:  # whatever is wrong with one file, the others go on
            outcomes[job] = PictureOutcome(job, error=explained(job, error))
        if sum(opened.frame.pixels.size for opened in together) > _GROUP_PIXELS:
            outcomes |= _colorize_together(pipeline, together)
            together = []
        if stop.is_set():
            return []
    outcomes |= _colorize_together(pipeline, together)
    return [outcomes[job] for job in jobs]


def _until(stop: Event, frames: Iterable[Frame]) -> Iterator[Frame]:
    """Stop within a file of many pages: nobody waits for the rest of them."""
    for frame in frames:
        if stop.is_set():
            raise InterruptedError
        yield frame


def _colorize_together(pipeline: Pipeline, together: Sequence[_Opened]) -> dict[Job, PictureOutcome]:
    if not together:
        return {}
    start = time.perf_counter()
    try:
        predicted = list(pipeline.predict([opened.frame for opened in together]))
    except Exception as error:
        if len(together) > 1:  # which of them it was shows when each goes alone
            return {opened.job: _colorize_together(pipeline, [opened])[opened.job] for opened in together}
        return {together[0].job: PictureOutcome(together[0].job, error=explained(together[0].job, error))}
    shared = (time.perf_counter() - start) / len(together)
    return {
        opened.job: _finish(pipeline, opened, chroma, notes, opened.seconds + shared)
        for opened, (chroma, notes) in zip(together, predicted, strict=True)
    }


def _finish(pipeline: Pipeline, opened: _Opened, chroma: Tensor, notes: Notes, seconds: float) -> PictureOutcome:
    job, start = opened.job, time.perf_counter()
    try:
        _write(pipeline, job, [pipeline.join(opened.frame, chroma)], opened.picture)
    except Exception as error:  # a full disk, say
        return PictureOutcome(job, error=explained(job, error))
    return PictureOutcome(job, seconds + time.perf_counter() - start, notes=notes)


def _write(pipeline: Pipeline, job: Job, frames: Iterable[Frame], picture: Picture) -> None:
    with pipeline.timed("encode"):
        write_picture(job.target, frames, picture, provenance=pipeline.provenance)


def is_done(source: Path, target: Path, read: Callable[[Path], Provenance | None], provenance: Provenance) -> bool:
    """Tell whether an output is ours, of the same settings, and newer than its source.

    Args:
        source: what it was made from.
        target: the output.
        read: reads what an output says of its making.
        provenance: what it would say if it were made now.

    Raises:
        OutputExists: something else is there.
    """
    if not target.exists():
        return False
    found = read(target)
    if found is None or found.settings != provenance.settings:
        made = f"was made by {_maker(found)} with other settings" if found else "exists already"
        raise OutputExists(
            f"{shown(target)} {made}.", "Replace it with --overwrite, or write to another place with -o."
        )
    return target.stat().st_mtime >= source.stat().st_mtime


def _maker(found: Provenance) -> str:
    return f"{found.model}.{found.tag}" if found.tag else found.model


def explained(job: Job, error: Exception) -> ColorcliError:
    """Turn an exception that a file raised into an error for the user; --debug shows the exception as its cause."""
    name = shown(job.source)
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
