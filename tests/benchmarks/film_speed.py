"""Measure colorcli on a film, side by side with the floor and with the chain of a demo.

    python tests/benchmarks/film_speed.py [FILM]
    python tests/benchmarks/film_speed.py [FILM] --model zhang.starter --size 960x540

The floor is the decoder, the network and the encoder at work at the same time on the same cores, with nothing between
them: frames of the film go from one ffmpeg to the other with constant chroma, and the network is asked with a constant
picture as often as there are frames. The demo's chain decodes to RGB, goes through scikit-image's Lab at full size and
a float32 network one frame at a time, and encodes RGB. Every figure is a median of alternating rounds in one run. The
demo's network, and ours unless `--model` names another, has its full width and random weights, which cost the same
time as trained ones. Processor time is that of all threads and of both ffmpegs, so that it means something on a busy
machine, too.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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

    from colorcli.media.films.codecs import Encoding
    from colorcli.media.films.film import Film


@dataclass(frozen=True)
class Cost:
    """What a frame takes, in seconds on the clock and of processor time."""

    clock: float
    processor: float


@click.command()
@click.argument("film", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--model", "name", help="A model with its weights, such as zhang.starter; full width without.")
@click.option("--size", default="1280x720", show_default=True, help="Pixels to scale the film to.")
@click.option("--frames", "count", default=150, show_default=True, help="Frames of the film to color.")
@click.option("--rounds", default=3, show_default=True, help="Rounds; the table shows their median.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--engine", default="torch", show_default=True, help="torch or openvino.")
@click.option("--demo-frames", default=8, show_default=True, help="Frames for the demo's chain, which is slow.")
def main(
    film: Path | None, name: str | None, size: str, count: int, rounds: int, device: str, engine: str, demo_frames: int
) -> None:
    """Print a Markdown table of frames a second; FILM is scaled first."""
    width, height = (int(side) for side in size.split("x"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clip = probe(make_clip(folder / "clip.mp4", film, count, (width, height)))
        weights = random_weights(folder / "full.safetensors")
        model = load(name or "zhang", weights=None if name else weights, device=device, engine=engine)
        pipeline = Pipeline(model)
        network = demo_network(weights)
        encoding = choose_encoding(clip, ".mp4")
        settings = {
            "colorcli": FilmSettings(),
            "colorcli --stabilize off": FilmSettings(stabilize="off"),
            "colorcli --keyframes auto": FilmSettings(keyframes=0),
            "colorcli --keyframes 4": FilmSettings(keyframes=4),
        }
        costs: dict[str, list[Cost]] = {}
        for number in range(rounds + 1):  # the first round warms up
            target = folder / f"{number}.mp4"
            runs = {"floor": measured(lambda target=target: floor(clip, pipeline, encoding, target))}
            for what, each in settings.items():
                target = folder / f"{number}{len(runs)}.mp4"
                runs[what] = measured(lambda target=target, each=each: ours(clip, pipeline, target, each))
            target = folder / f"demo{number}.mp4"
            runs["the demo's chain"] = measured(lambda target=target: demo(clip, network, target, demo_frames))
            for what, cost in runs.items():
                costs.setdefault(what, []).extend([cost] if number else [])
        report(pipeline, clip, {what: median(values) for what, values in costs.items()})


def measured(run: Callable[[], int]) -> Cost:
    """Run something that returns a number of frames."""
    start, before = time.perf_counter(), sum(os.times()[:4])
    frames = run()
    return Cost((time.perf_counter() - start) / frames, (sum(os.times()[:4]) - before) / frames)


def median(costs: list[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(*(statistics.median(values) for values in zip(*((c.clock, c.processor) for c in costs), strict=True)))


def report(pipeline: Pipeline, clip: Film, costs: dict[str, Cost]) -> None:
    """Print the table."""
    click.echo(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, ", nl=False)
    click.echo(
        f"torch {torch.__version__}, {pipeline.model.name}, {pipeline.model.device}, "
        f"{clip.frames} frames of {clip.width}x{clip.height}\n"
    )
    click.echo("| what | frames a second | of the floor | times the demo | processor ms a frame | the floor's share |")
    click.echo("| --- | --- | --- | --- | --- | --- |")
    least, demo_cost = costs["floor"], costs["the demo's chain"]
    for what, cost in costs.items():
        share, times = least.clock / cost.clock, demo_cost.clock / cost.clock
        processor = f"{1000 * cost.processor:.1f} | {least.processor / cost.processor:.0%}"
        click.echo(f"| {what} | {1 / cost.clock:.2f} | {share:.0%} | {times:.1f} | {processor} |")


def make_clip(path: Path, film: Path | None, count: int, size: tuple[int, int]) -> Path:
    """Encode the first frames of a film at a size, or a pan over noise with the spectrum of a photograph."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, picture in zip(range(count), pictures(film, size), strict=False):
            frame = picture.reformat(*size, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def pictures(film: Path | None, size: tuple[int, int]):
    """Yield the frames of a film, or of a generated one."""
    if film is not None:
        with av.open(str(film)) as container:
            yield from container.decode(video=0)
        return
    random = np.random.default_rng(0)
    total = np.zeros((size[1] + 512, size[0] + 1024), np.float32)
    for octave in range(2, 9):
        noise = random.normal(size=(2**octave, 2**octave)).astype(np.float32)
        scaled = functional.interpolate(torch.from_numpy(noise)[None, None], total.shape, mode="bicubic")
        total += scaled[0, 0].numpy() / 2 ** (octave / 2)
    wall = (128 + 60 * total).clip(0, 255).astype(np.uint8)
    for number in range(10**6):
        x, y = 3 * number % 1024, number % 512
        yield av.VideoFrame.from_ndarray(wall[y : y + size[1], x : x + size[0]].copy(), format="gray")


def ours(clip: Film, pipeline: Pipeline, target: Path, settings: FilmSettings) -> int:
    """Do what `colorcli run` does."""
    outcome = colorize_film(pipeline, Job(clip.path, target, target.name, film=True), settings)
    assert not outcome.error, outcome.error
    return int(str(outcome.figures.frames))


def floor(clip: Film, pipeline: Pipeline, encoding: Encoding, target: Path) -> int:
    """Decode, predict and encode at the same time, with nothing between them."""
    threads = torch.get_num_threads()
    side = pipeline.model.size or 256
    size = pipeline.batch_size
    lightness = torch.full((size, 1, side, side), 50.0)
    destination = choose_destination(clip, target, encoding)
    gray = np.full(((clip.height + 1) // 2, (clip.width + 1) // 2), 120, np.uint8)
    workers = threads if pipeline.model.device.device.type == "cpu" else 2

    def ask() -> None:
        pipeline.predict_lightness(lightness).values.cpu()

    count = 0
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        asked = [pool.submit(ask) for _ in range((clip.frames or 0) // size)]
        with Parts(clip, destination, encoding, pipeline.provenance) as parts, read_frames(clip) as reader:
            for frame in reader:
                parts.write(frame.luma, gray, gray, frame.time)
                count += 1
            parts.finish()
        for each in asked:
            each.result()
    return count


def demo(clip: Film, network: nn.Module, target: Path, count: int) -> int:
    """Do what a demo does with the first frames of a film."""
    from skimage.color import lab2rgb, rgb2lab

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
    return count


if __name__ == "__main__":
    main()
