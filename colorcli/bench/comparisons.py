"""What a speed is compared with: what published demos do, and the floor, the least that any program must do.

The demo does what the published demo of Zhang 2016 does, with any model: Pillow or PyAV, scikit-image's Lab at full
size, the network in float32 one picture at a time, PNG or H.264. The floor is decoding, the network, and encoding, in
as many threads as colorcli has, with constant colors and nothing between them.
"""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from colorcli.errors import ColorcliError
from colorcli.inference.batch import count_workers, group_size
from colorcli.inference.transfer import download, start_worker
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.parts import Parts
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.write import write_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from colorcli.inference.model import Model
    from colorcli.inference.pipeline import Pipeline
    from colorcli.jobs import Job

_DEMO_FRAMES = 8  # frames of each film: the demo takes seconds for each at full size
_GRAY = 50.0


def demo_pictures(model: Model, jobs: Sequence[Job], side: tuple[int, int]) -> int:
    """Colorize pictures as demos do, and return their number."""
    from PIL import Image

    for job in jobs:
        with Image.open(job.source) as opened:
            picture = opened.convert("RGB")
        small = picture.resize(side[::-1], Image.Resampling.BICUBIC)
        color = _demo(model, np.asarray(picture), np.asarray(small))
        target = job.target.with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(color).save(target)
    return len(jobs)


def demo_films(model: Model, jobs: Sequence[Job], side: tuple[int, int]) -> int:
    """Colorize the first frames of films as demos do, and return their number."""
    import av

    count = 0
    for job in jobs:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(job.source)) as source, av.open(str(job.target.with_suffix(".mp4")), "w") as container:
            video = source.streams.video[0]
            stream = container.add_stream("libx264", rate=25, options={"crf": "18", "preset": "faster"})
            stream.width, stream.height, stream.pix_fmt = video.width // 2 * 2, video.height // 2 * 2, "yuv420p"
            for frame in itertools.islice(source.decode(video=0), _DEMO_FRAMES):
                small = frame.reformat(side[1], side[0])
                color = _demo(model, _rgb(frame), _rgb(small))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(color, format="rgb24")))
                count += 1
            container.mux(stream.encode(None))
    return count


def _rgb(frame: Any) -> NDArray[np.uint8]:
    """Convert a frame of PyAV to (H, W, 3)."""
    pixels: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    return pixels


def _demo(model: Model, picture: NDArray[np.uint8], small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colorize (H, W, 3) with the network's input (h, w, 3)."""
    try:
        from skimage.color import lab2rgb, rgb2lab
    except ImportError:
        raise ColorcliError(
            "The demo needs scikit-image, which is not installed.", 'Install it: pip install "colorcli[bench]"'
        ) from None

    lightness = torch.tensor(rgb2lab(picture)[..., 0])[None, None].float()
    ab = model.predict(torch.tensor(rgb2lab(small)[..., 0])[None, None].float()).cpu()
    ab = functional.interpolate(ab, lightness.shape[-2:], mode="bilinear")
    lab = torch.cat((lightness, ab), dim=1)[0].permute(1, 2, 0).numpy()
    color: NDArray[np.uint8] = (lab2rgb(lab).clip(0, 1) * 255).astype(np.uint8)
    return color


class Floor:
    """Decodes, runs the network, and encodes, with nothing between these.

    Args:
        pipeline: pipeline with the model, the batch size and the number of workers.
        side: height and width of the network's input.
    """

    def __init__(self, pipeline: Pipeline, side: tuple[int, int]) -> None:
        self._pipeline = pipeline
        self._lightness = torch.full((pipeline.batch_size, 1, *side), _GRAY).to(pipeline.model.device.device)
        self._colors: dict[tuple[Any, ...], NDArray[Any]] = {}

    def pictures(self, jobs: Sequence[Job]) -> int:
        """Process pictures, and return their number."""
        size = group_size(self._pipeline, len(jobs))
        groups = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        with self._pool(len(jobs)) as pool:
            list(pool.map(self._group, groups))
        return len(jobs)

    def _group(self, jobs: Sequence[Job]) -> None:
        opened = [open_picture(job.source) for job in jobs]
        frames = [next(picture.frames()) for picture in opened]
        self._predict(len(jobs))
        for job, picture, frame in zip(jobs, opened, frames, strict=True):
            painted = replace(frame, pixels=self._color(frame.pixels))
            write_picture(job.target, [painted], picture, provenance=self._pipeline.provenance, overwrite=True)

    def _color(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Make a picture of three channels, once for each size: that is not a part of the floor."""
        key = *pixels.shape[:2], pixels.dtype
        if key not in self._colors:
            self._colors[key] = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
        return self._colors[key]

    def films(self, jobs: Sequence[Job]) -> int:
        """Process films, and return the number of their frames."""
        return sum(self._film(job) for job in jobs)

    def _film(self, job: Job) -> int:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        film = probe(job.source)
        encoding = choose_encoding(film, job.target.suffix)
        destination = choose_destination(film, job.target, encoding)
        middle = np.full(((film.height + 1) // 2, (film.width + 1) // 2), 1 << (film.depth - 1), _codes(film.depth))
        frames, done = 0, threading.Semaphore(0)
        with self._pool(self._pipeline.batch_size * 64) as pool:
            with Parts(film, destination, encoding, self._pipeline.provenance) as parts, read_frames(film) as reader:
                for frame in reader:
                    if frames % self._pipeline.batch_size == 0:
                        pool.submit(self._predict, self._pipeline.batch_size).add_done_callback(
                            lambda _: done.release()
                        )
                    parts.write(frame.luma, middle, middle, frame.time)
                    frames += 1
                parts.finish()
            for _ in range(-(-frames // self._pipeline.batch_size)):
                done.acquire()
        return frames

    def _predict(self, count: int) -> None:
        download(self._pipeline.predict_lightness(self._lightness[:count]).values)

    def _pool(self, pictures: int) -> ThreadPoolExecutor:
        workers = count_workers(self._pipeline, pictures)
        device = self._pipeline.model.device.device
        return ThreadPoolExecutor(
            workers, initializer=start_worker, initargs=(device, max(1, torch.get_num_threads() // workers))
        )


def _codes(depth: int) -> type[np.generic]:
    return np.uint8 if depth == 8 else np.uint16
