"""Colors the frames of a film between its decoder and its encoder: batches, stable chroma, references, U and V."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch.nn import functional

from colorcli.film.chroma import Coding, chroma_planes
from colorcli.film.concurrency import ordered_map, prefetched
from colorcli.film.keyframes import Keyframes
from colorcli.film.planes import cubic
from colorcli.film.prepare import upright
from colorcli.film.stabilizer import Stabilizer
from colorcli.inference.pipeline import BATCH_PIXELS
from colorcli.inference.preprocess import in_strips
from colorcli.inference.transfer import download, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from colorcli.film.colorize import FilmSettings
    from colorcli.film.keyframes import References
    from colorcli.film.pipelines import ShotPipelines
    from colorcli.film.prepare import PreparedFrame
    from colorcli.film.references import Corrections
    from colorcli.media.films.film import Film

    Plane = NDArray[np.float32]
    Chroma = Any
    """Planes (2, h, w) of ab: an array on the CPU, a tensor on another device."""
    Colored = tuple[PreparedFrame, Chroma]
    ChromaPlanes = tuple[NDArray[Any], NDArray[Any]]

Item = TypeVar("Item")

_PREFETCH = 8  # frames waiting between two stages
_MAX_COPY_DIFFERENCE = 0.25  # L*, of any pixel between a frame and its copy
_MAX_BATCH_FRAMES = 32  # including copies
_KEY_FRAMES_AT_ONCE = 4
_GPU_WORKERS = 2
_MAX_CHROMA_WORKERS = 4  # threads that compute U and V


@dataclass(frozen=True)
class _Batch:
    """Pictures predicted together, and the frames that show them.

    Attributes:
        pictures: the input of the network.
        frames: each frame, with the index of the picture it shows; -1 for the last one of the previous batch.
    """

    pictures: list[PreparedFrame] = field(default_factory=list)
    frames: list[tuple[PreparedFrame, int]] = field(default_factory=list)


class FilmColorizer:
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
        self._uploads = pipelines.usual.model.uploads
        self._device = self._uploads.device  # device of the chroma, even if the model should leave it

    def with_chroma_planes(self, found: Generator[PreparedFrame]) -> Generator[tuple[PreparedFrame, ChromaPlanes]]:
        """Yield every written frame with its U and V planes."""
        workers = max(1, min(_MAX_CHROMA_WORKERS, self._threads // 2))
        with contextlib.closing(self.colored(found)) as colored:
            yield from ordered_map(self._chroma_planes, colored, workers)

    def colored(self, found: Generator[PreparedFrame]) -> Generator[Colored]:
        """Yield every written frame with its chroma (2, h, w), of the size of its lightness, where the model is."""
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

        def push(prepared: PreparedFrame, ab: Chroma) -> list[Chroma]:
            return stabilizer.push(prepared.lightness, ab)

        return _paired(predicted, push, stabilizer.finish)

    def _from_key_frames(self, found: Iterable[PreparedFrame]) -> Generator[Colored]:
        """Predict key frames and carry their colors to the frames between."""
        waiting: dict[int, PreparedFrame] = {}

        def predict(lightness: Sequence[Plane]) -> list[Chroma]:
            pictures = [waiting[id(each)] for each in lightness]
            waiting.clear()
            return self._predict(pictures)

        together = min(_KEY_FRAMES_AT_ONCE, self._pipelines.batch_size)
        carried = Keyframes(predict, self._settings.keyframes or None, batch=together)

        def push(prepared: PreparedFrame, lightness: Plane) -> list[Chroma]:
            waiting[id(lightness)] = prepared
            return carried.push(lightness)

        return _paired(((prepared, prepared.lightness) for prepared in found), push, carried.finish)

    def _all_predicted(self, found: Iterable[PreparedFrame]) -> Generator[Colored]:
        on_cpu = self._pipelines.usual.model.device.device.type == "cpu"
        workers = self._threads if on_cpu else _GPU_WORKERS
        size = self._pipelines.batch_size
        if on_cpu:
            size = min(size, max(1, BATCH_PIXELS // (self._film.width * self._film.height)))
        last: Chroma = None
        with contextlib.closing(ordered_map(self._predict_batch, _batches(found, size), workers)) as results:
            for batch, predicted in results:
                for prepared, picture in batch.frames:
                    last = last if picture < 0 else predicted[picture]
                    assert last is not None
                    yield prepared, last

    def _predict_batch(self, batch: _Batch) -> tuple[_Batch, list[Chroma]]:
        return batch, self._predict(batch.pictures) if batch.pictures else []

    def _predict(self, pictures: Sequence[PreparedFrame]) -> list[Chroma]:
        """Predict (2, h, w) ab for each frame, of the size of its lightness."""
        self.predicted += len(pictures)
        pipeline = self._pipelines.at(pictures[0].frame.time)  # all of one shot
        device = pipeline.model.device.device
        planes = pipeline.predict_lightness(torch.stack([each.network_input.to(device) for each in pictures]))
        ab = planes.values
        size = pictures[0].lightness.shape[-2:]
        if ab.shape[-1] > size[-1] or ab.shape[-2] > size[-2]:
            ab = functional.interpolate(ab, size, mode="bilinear", antialias=True)
        elif ab.shape[-2:] != size:
            ab = torch.stack([cubic(each, (size[0], size[1])) for each in ab])
        planes.verify()
        ab = ab.to(self._device)
        return list(ab.numpy() if self._device.type == "cpu" else ab)

    def _tinted(self, colored: Iterable[Colored]) -> Generator[Colored]:
        """Apply the colors of corrected frames to their shots."""
        references: References | None = None
        for prepared, ab in colored:
            if prepared.place == 0:
                references = self._corrections.of(prepared)
            tinted = _tinted_by(references, prepared, ab) if references else ab
            if prepared.written:
                yield prepared, tinted

    def _chroma_planes(self, colored: Colored) -> tuple[PreparedFrame, ChromaPlanes]:
        prepared, ab = colored
        luma, rotation = prepared.frame.luma, -self._film.rotation
        turned = upright(torch.as_tensor(ab), rotation)
        if turned.device.type == "cpu":
            return prepared, chroma_planes(luma, turned, self._coding)

        def convert(device: torch.device, strip: int) -> ChromaPlanes:
            y_plane, ab_planes = self._uploads.of(luma, device), turned.to(device)
            if device.type == "cpu":
                return chroma_planes(y_plane, ab_planes, self._coding)
            return chroma_planes(y_plane, ab_planes, self._coding, strip)

        planes = in_strips(convert, turned.device, self._uploads)
        self._uploads.drop(luma)
        return prepared, planes


def _tinted_by(references: References, prepared: PreparedFrame, ab: Chroma) -> Chroma:
    """Apply the colors of corrected frames, which is done on the CPU."""
    if isinstance(ab, np.ndarray):
        return references.tint(prepared.lightness, ab)
    tinted = references.tint(prepared.lightness, download(ab).numpy())
    return upload(torch.from_numpy(tinted), ab.device)


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
    items: Iterable[Colored], push: Callable[[PreparedFrame, Any], list[Chroma]], finish: Callable[[], list[Chroma]]
) -> Generator[Colored]:
    """Push frames, shot by shot, to something that returns their chroma later, and pair each frame with its own."""
    waiting: deque[PreparedFrame] = deque()
    for prepared, item in items:
        if prepared.place == 0:
            yield from [(waiting.popleft(), ab) for ab in finish()]
        waiting.append(prepared)
        yield from [(waiting.popleft(), ab) for ab in push(prepared, item)]
    yield from [(waiting.popleft(), ab) for ab in finish()]
