"""The straight line from frame to frame, and many files along it at once.

    frame -> small lightness -> network -> chroma -> joined with the frame's own lightness -> frame

Every worker walks the whole line with a small batch: while one decodes, another is in the network and a third
encodes. On a CPU each has its share of the cores to itself, which is quicker than one network with all of them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from colorcli.colorizer import OptionValue
from colorcli.errors import ColorcliError, UnwritableMedia
from colorcli.joining import join, small_lightness
from colorcli.media.folders import Job
from colorcli.media.images import (
    DEFAULT_MAX_PIXELS,
    Frame,
    Picture,
    Provenance,
    open_picture,
    read_provenance,
    write_picture,
)
from colorcli.model import Model, is_out_of_memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger("colorcli")
_BATCH = {"cpu": 1, "cuda": 16, "mps": 4}  # more gains nothing on a CPU
_GPU_WORKERS = 4
_GROUP_PIXELS = 60_000_000  # decoded pixels that one worker holds: small pictures share a batch, large ones do not


class Line:
    """The line with its settings: one model, one strength, one set of options."""

    def __init__(
        self,
        model: Model,
        *,
        strength: float = 1.0,
        options: Mapping[str, OptionValue] | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.model = model
        self.strength = strength
        self.options = model.options(options or {})
        self.batch_size = batch_size or _BATCH[model.device.device.type]

    @property
    def provenance(self) -> Provenance:
        """What the outputs say of their making; `settings` digests all that decides the colours."""
        deciding = [self.model.fingerprint, self.model.size, self.strength, sorted(self.options.items())]
        digest = hashlib.sha256(json.dumps(deciding).encode()).hexdigest()[:16]
        return Provenance(self.model.colorizer.name, self.model.tag, version("colorcli"), digest)

    def colorize(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Colorize a stream of frames of any sizes, in order, holding one batch at a time.

        Raises:
            PluginError: the colorizer gave something else than finite chroma.
            DeviceError: the memory ran out.
        """
        size = self.batch_size if self.model.size else 1  # pictures at their own sizes share no batch
        stream = iter(frames)
        while batch := list(itertools.islice(stream, size)):
            for frame, chroma in zip(batch, self.chroma(batch), strict=True):
                yield replace(frame, pixels=self._joined(frame, chroma))

    def chroma(self, batch: Sequence[Frame]) -> Iterator[Tensor]:
        """Predict the chroma of a batch of frames: (1, 2, h, w) ab for each, at the network's size or its own."""
        device = self.model.device.device
        if side := self.model.size:
            small = [small_lightness(frame.pixels, (side, side), device) for frame in batch]
            ab = self.model.predict(torch.cat(small), **self.options)
            yield from (ab * self.strength).split(1)
            return
        for frame in batch:
            yield self._own_size(frame, device) * self.strength

    def _own_size(self, frame: Frame, device: torch.device) -> Tensor:
        """Predict at the picture's own size, its sides padded to what the network can divide."""
        height, width = frame.pixels.shape[:2]
        lightness = small_lightness(frame.pixels, (height, width), device)
        step = self.model.colorizer.multiple_of
        padded = functional.pad(lightness, (0, -width % step, 0, -height % step), mode="replicate")
        ab = self.model.predict(padded, **self.options)
        if ab.shape[-2:] != padded.shape[-2:]:
            ab = functional.interpolate(ab, padded.shape[-2:], mode="bicubic")
        return ab[..., :height, :width]

    def _joined(self, frame: Frame, chroma: Tensor) -> NDArray[np.generic]:
        try:
            return join(frame.pixels, chroma)
        except RuntimeError as error:
            if chroma.device.type == "cpu" or not is_out_of_memory(error):
                raise
        _log.warning("%s has no memory to join a picture of this size: joining it on the CPU.", chroma.device)
        return join(frame.pixels, chroma.cpu())


@dataclass(frozen=True)
class Outcome:
    """What became of one job."""

    job: Job
    seconds: float = 0.0
    done_before: bool = False
    error: ColorcliError | None = None


def colorize_files(
    line: Line, jobs: Sequence[Job], *, overwrite: bool = False, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Iterator[Outcome]:
    """Colorize files, many at once, and yield what became of each, in order.

    An output that the same model and settings made before, after its source was last changed, is left as it is. One
    bad file never stops the others. Memory does not grow with their number. Closing the iterator finishes the files
    that are being worked on and starts no more.

    Args:
        line: model and settings.
        jobs: what to read and where to write.
        overwrite: replace outputs that are there already.
        max_pixels: the most pixels that a frame may have.
    """
    threads = torch.get_num_threads()
    on_cpu = line.model.device.device.type == "cpu"
    groups = [jobs[start : start + line.batch_size] for start in range(0, len(jobs), line.batch_size)]
    workers = max(1, min(threads if on_cpu else _GPU_WORKERS, len(groups)))
    pool = ThreadPoolExecutor(workers, "colorcli", torch.set_num_threads, (max(1, threads // workers),))
    waiting: deque[Future[list[Outcome]]] = deque()
    try:
        for group in groups:
            waiting.append(pool.submit(_colorize_group, line, group, overwrite, max_pixels))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _colorize_group(line: Line, jobs: Sequence[Job], overwrite: bool, max_pixels: int) -> list[Outcome]:
    """Walk the line with a few files, single pictures together in one batch."""
    outcomes: dict[Job, Outcome] = {}
    together: list[tuple[Job, Picture, Frame]] = []
    for job in jobs:
        start = time.perf_counter()
        try:
            if not overwrite and _is_done(job, line.provenance):
                outcomes[job] = Outcome(job, done_before=True)
                continue
            picture = open_picture(job.source, max_pixels=max_pixels)
            if picture.count > 1:
                write_picture(job.target, line.colorize(picture.frames()), picture, provenance=line.provenance)
                outcomes[job] = Outcome(job, time.perf_counter() - start)
                continue
            together.append((job, picture, next(picture.frames())))
        except Exception as error:
            outcomes[job] = Outcome(job, error=_explained(job, error))
        if sum(frame.pixels.size for _, _, frame in together) > _GROUP_PIXELS:
            outcomes |= _colorize_together(line, together)
            together = []
    outcomes |= _colorize_together(line, together)
    return [outcomes[job] for job in jobs]


def _colorize_together(line: Line, together: Sequence[tuple[Job, Picture, Frame]]) -> dict[Job, Outcome]:
    outcomes: dict[Job, Outcome] = {}
    start = time.perf_counter()
    coloured = line.colorize(frame for _, _, frame in together)
    for job, picture, _ in together:
        try:
            write_picture(job.target, [next(coloured)], picture, provenance=line.provenance)
            outcomes[job] = Outcome(job, time.perf_counter() - start)
        except Exception as error:
            outcomes[job] = Outcome(job, error=_explained(job, error))
        start = time.perf_counter()
    return outcomes


def _is_done(job: Job, provenance: Provenance) -> bool:
    """Tell whether an output is ours, of the same settings, and newer than its source.

    Raises:
        UnwritableMedia: something else is there, which nobody said to overwrite.
    """
    if not job.target.exists():
        return False
    found = read_provenance(job.target)
    if found is None or found.settings != provenance.settings:
        made = f"was made by {found.model}.{found.tag} with other settings" if found else "is there already"
        raise UnwritableMedia(f"{job.target}: it {made}.", "Replace it with --overwrite, or write elsewhere with -o.")
    return job.target.stat().st_mtime >= job.source.stat().st_mtime


def _explained(job: Job, error: Exception) -> ColorcliError:
    if isinstance(error, ColorcliError):
        return error
    _log.debug("%s", job.source, exc_info=error)
    return ColorcliError(
        f"{job.source}: {type(error).__name__}: {error}.",
        "This should not happen: run it alone with --debug and report what that shows.",
    )

