"""Measure colorcli on a film, side by side with the floor and with the chain of a demo.

    python tests/benchmarks/film_speed.py [FILM]

The floor is the decoder, the network and the encoder at work at the same time on the same cores, with nothing between
them: frames of the film go from one ffmpeg to the other with constant chroma, and the network is asked with a constant
picture as often as there are frames. The demo's chain decodes to RGB, goes through scikit-image's Lab at full size and
a float32 network one frame at a time, and encodes RGB. Every figure is a median of alternating rounds in one run; the
network has its full width and random weights, which cost the same time as trained ones.
"""

from __future__ import annotations

import platform
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import click
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from colorcli import load
from colorcli.film.colorize import FilmSettings, colorize_film
from colorcli.inference.pipeline import Pipeline
from colorcli.jobs import Job
from colorcli.media.films.codecs import choose_encoding
from colorcli.media.films.containers import choose_destination
from colorcli.media.films.parts import Parts
from colorcli.media.films.probe import probe
from colorcli.media.films.reader import read_frames

sys.path.insert(0, str(Path(__file__).parent))
from photographs import demo_network, random_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.media.films.film import Film

SIZE = (1280, 720)


@click.command()
@click.argument("film", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--frames", "count", default=150, show_default=True, help="Frames of the film to color.")
@click.option("--rounds", default=3, show_default=True, help="Rounds; the table shows their median.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--engine", default="torch", show_default=True, help="torch or openvino.")
@click.option("--demo-frames", default=8, show_default=True, help="Frames for the demo's chain, which is slow.")
def main(film: Path | None, count: int, rounds: int, device: str, engine: str, demo_frames: int) -> None:
    """Print a Markdown table of frames a second; FILM is scaled to 1280x720."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = probe(make_clip(folder / "clip.mp4", film, count))
        weights = random_weights(folder / "full.safetensors")
        pipeline = Pipeline(load("zhang", weights=weights, device=device, engine=engine))
        network = demo_network(weights)
        runs: dict[str, Callable[[int], float]] = {
            "floor": lambda number: floor(clip, pipeline, folder / f"floor{number}.mp4"),
            "colorcli": lambda number: ours(clip, pipeline, folder / f"ours{number}.mp4", FilmSettings()),
            "colorcli --stabilize off": lambda number: ours(
                clip, pipeline, folder / f"off{number}.mp4", FilmSettings(stabilize="off")
            ),
            "colorcli --keyframes auto": lambda number: ours(
                clip, pipeline, folder / f"auto{number}.mp4", FilmSettings(keyframes=0)
            ),
            "colorcli --keyframes 4": lambda number: ours(
                clip, pipeline, folder / f"four{number}.mp4", FilmSettings(keyframes=4)
            ),
            "the demo's chain": lambda number: demo(clip, network, folder / f"demo{number}.mp4", demo_frames),
        }
        speeds: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(rounds + 1):  # the first round warms up
            for what, run in runs.items():
                speed = run(number)
                if number:
                    speeds[what].append(speed)
        report(pipeline, clip, {name: statistics.median(values) for name, values in speeds.items()})


def report(pipeline: Pipeline, clip: Film, medians: dict[str, float]) -> None:
    """Print the table."""
    click.echo(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, ", nl=False)
    click.echo(
        f"torch {torch.__version__}, {pipeline.model.device}, {clip.frames} frames of {clip.width}x{clip.height}\n"
    )
    click.echo("| what | frames a second | of the floor | times the demo |\n| --- | --- | --- | --- |")
    for what, speed in medians.items():
        share, times = speed / medians["floor"], speed / medians["the demo's chain"]
        click.echo(f"| {what} | {speed:.2f} | {share:.0%} | {times:.1f} |")


def make_clip(path: Path, film: Path | None, count: int) -> Path:
    """Encode the first frames of a film at 1280x720, or a pan over noise with the spectrum of a photograph."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number, picture in zip(range(count), pictures(film), strict=False):
            frame = picture.reformat(*SIZE, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def pictures(film: Path | None):
    """Yield the frames of a film, or of a generated one."""
    if film is not None:
        with av.open(str(film)) as container:
            yield from container.decode(video=0)
        return
    random = np.random.default_rng(0)
    total = np.zeros((SIZE[1] + 512, SIZE[0] + 1024), np.float32)
    for octave in range(2, 9):
        noise = random.normal(size=(2**octave, 2**octave)).astype(np.float32)
        scaled = functional.interpolate(torch.from_numpy(noise)[None, None], total.shape, mode="bicubic")
        total += scaled[0, 0].numpy() / 2 ** (octave / 2)
    wall = (128 + 60 * total).clip(0, 255).astype(np.uint8)
    for number in range(10**6):
        x, y = 3 * number % 1024, number % 512
        yield av.VideoFrame.from_ndarray(wall[y : y + SIZE[1], x : x + SIZE[0]].copy(), format="gray")


def ours(clip: Film, pipeline: Pipeline, target: Path, settings: FilmSettings) -> float:
    """Do what `colorcli run` does."""
    start = time.perf_counter()
    outcome = colorize_film(pipeline, Job(clip.path, target, target.name, film=True), settings)
    assert not outcome.error, outcome.error
    return int(str(outcome.figures.frames)) / (time.perf_counter() - start)


def floor(clip: Film, pipeline: Pipeline, target: Path) -> float:
    """Decode, predict and encode at the same time, with nothing between them."""
    threads = torch.get_num_threads()
    side = pipeline.model.size or 256
    size = pipeline.batch_size
    lightness = torch.full((size, 1, side, side), 50.0)
    encoding = choose_encoding(clip, ".mp4")
    destination = choose_destination(clip, target, encoding)
    gray = np.full(((clip.height + 1) // 2, (clip.width + 1) // 2), 120, np.uint8)
    workers = threads if pipeline.model.device.device.type == "cpu" else 2

    def ask() -> None:
        pipeline.predict_lightness(lightness).values.cpu()

    count = 0
    start = time.perf_counter()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        asked = [pool.submit(ask) for _ in range((clip.frames or 0) // size)]
        with Parts(clip, destination, encoding, pipeline.provenance) as parts, read_frames(clip) as reader:
            for frame in reader:
                parts.write(frame.luma, gray, gray, frame.time)
                count += 1
            parts.finish()
        for each in asked:
            each.result()
    return count / (time.perf_counter() - start)


def demo(clip: Film, network: nn.Module, target: Path, count: int) -> float:
    """Do what a demo does with the first frames of a film."""
    from skimage.color import lab2rgb, rgb2lab

    start = time.perf_counter()
    with av.open(str(clip.path)) as source, av.open(str(target), "w") as container, torch.no_grad():
        stream = container.add_stream("libx264", rate=25, options={"crf": "18", "preset": "faster"})
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
        for frame, _ in zip(source.decode(video=0), range(count), strict=False):
            picture = frame.to_ndarray(format="rgb24")
            small = frame.reformat(256, 256, format="rgb24").to_ndarray()
            lightness = torch.tensor(rgb2lab(picture)[..., 0])[None, None].float()
            asked = torch.tensor(rgb2lab(small)[..., 0])[None, None].float()
            ab = functional.conv2d(network(asked).softmax(dim=1), network.model_out["weight"]) * 110  # type: ignore[index, operator]
            ab = functional.interpolate(ab, lightness.shape[-2:], mode="bilinear")
            lab = torch.cat((lightness, ab), dim=1)[0].permute(1, 2, 0).numpy()
            color = (lab2rgb(lab).clip(0, 1) * 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(color, format="rgb24")))
        container.mux(stream.encode(None))
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
