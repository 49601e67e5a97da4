"""Measure colorcli on photographs, side by side with the reference pipeline and with the floor.

    python tests/benchmarks/photographs.py

The reference pipeline is what the published demo of Zhang 2016 does: Pillow, scikit-image's Lab at full size, the
network in float32 one picture at a time, and a PNG written. The floor of a folder is the network alone, in the same
threads and precision; that of a large picture is decoding it, the network and encoding it. Every figure is a median of
alternating rounds in one run; the network has its full width and random weights, which cost the same time as trained
ones.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click
import imagecodecs
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from colorcli import load
from colorcli.bench.photographs import make_photograph
from colorcli.inference.batch import colorize_files
from colorcli.inference.openvino import is_installed
from colorcli.inference.pipeline import Pipeline
from colorcli.inference.preprocess import small_lightness
from colorcli.jobs import plan
from colorcli.media.pictures.jpeg import DEFAULT_QUALITY
from colorcli.weights import Header, write_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from colorcli.inference.model import Model

SMALL = (500, 375)
LARGE = (4000, 3000)
ENGINES = ("torch", "openvino") if is_installed() else ("torch",)


@click.command()
@click.option("--pictures", default=24, show_default=True, help="Pictures in the folder of small ones.")
@click.option("--rounds", default=5, show_default=True, help="Rounds; the table shows their median.")
@click.option("--one", hidden=True, help="Measure in a process of its own.")
@click.option("--source", type=click.Path(path_type=Path), hidden=True)
@click.option("--weights", type=click.Path(path_type=Path), hidden=True)
def main(pictures: int, rounds: int, one: str | None, source: Path | None, weights: Path | None) -> None:
    """Print a Markdown table."""
    if one and source and weights:
        measure_alone(one, source, weights)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = random_weights(folder / "full.safetensors")
        click.echo(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, ", nl=False)
        click.echo(f"torch {torch.__version__}, Python {platform.python_version()}\n\n| what | value |\n| --- | --- |")
        small_pictures(folder, weights, pictures, rounds)
        large_picture(folder, weights, rounds)
        precision()
        cold_start(folder, rounds)


def row(what: str, value: str) -> None:
    """Print one line of the table."""
    click.echo(f"| {what} | {value} |")


def small_pictures(folder: Path, weights: Path, count: int, rounds: int) -> None:
    """Compare pictures a second in a folder: colorcli, the demo, and the network alone."""
    source = folder / "small"
    for index in range(count):
        make_photograph(source / f"{index:03}.jpg", SMALL, index)
    models = {engine: load("zhang", weights=weights, engine=engine) for engine in ENGINES}
    network = demo_network(weights)
    speeds: dict[str, list[float]] = {}
    for number in range(rounds + 1):  # the first round warms up
        found = {"demo": 6 / seconds(lambda: [demo(network, path) for path in sorted(source.iterdir())[:6]])}
        for engine, model in models.items():
            out = folder / f"out{number}"
            found[engine] = count / seconds(lambda: run_folder(model, source, out))  # noqa: B023
            found[f"{engine} alone"] = count / seconds(lambda: run_network(model, count))  # noqa: B023
        for name, speed in found.items() if number else ():
            speeds.setdefault(name, []).append(speed)
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for engine, model in models.items():
        ours, alone = medians[engine], medians[f"{engine} alone"]
        row(f"folder of {SMALL[0]}x{SMALL[1]} JPEGs, {model.device}", f"{ours:.1f} pictures/s")
        row(f"the network alone, same threads, {model.device}", f"{alone:.1f} pictures/s")
        row(f"share of the network alone, {model.device}", f"{ours / alone:.0%}")
        row(f"times the demo, {model.device}", f"{ours / medians['demo']:.1f}")
    row("the demo", f"{medians['demo']:.2f} pictures/s")


def large_picture(folder: Path, weights: Path, rounds: int) -> None:
    """Compare seconds and memory for one picture of 12 megapixels, each in a process of its own."""
    source = folder / "large.jpg"
    make_photograph(source, LARGE, 0)
    kinds = [*ENGINES, *(f"floor {engine}" for engine in ENGINES), "demo"]
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for name, values in found.items():
            command = [sys.executable, __file__, "--one", name, "--source", str(source), "--weights", str(weights)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            values.append((float(out[-2]), float(out[-1])))
    medians = {
        name: [statistics.median(column) for column in zip(*values, strict=True)] for name, values in found.items()
    }
    theirs = medians["demo"]
    for engine in ENGINES:
        ours, floor = medians[engine], medians[f"floor {engine}"]
        row(f"a JPEG of 12 megapixels, written as JPEG, {engine}", f"{ours[0]:.2f} s, {ours[1]:.2f} GB at most")
        row(f"its floor, {engine}", f"{floor[0]:.2f} s")
        row(f"times its floor, {engine}", f"{ours[0] / floor[0]:.2f}")
        row(f"times as fast as the demo, {engine}", f"{theirs[0] / ours[0]:.1f}")
    row("the demo, which writes PNG", f"{theirs[0]:.2f} s, {theirs[1]:.2f} GB at most")


def measure_alone(name: str, source: Path, weights: Path) -> None:
    """Print the seconds of one large picture once the first has warmed up, and the peak memory of that first in GB."""
    if name == "demo":
        network = demo_network(weights)

        def work() -> None:
            demo(network, source)
    else:
        floor, _, engine = name.rpartition(" ")
        model = load("zhang", weights=weights, engine=engine)

        gray = imagecodecs.jpeg8_decode(source.read_bytes()) if floor else np.empty((0, 0), np.uint8)
        color = np.repeat(gray[..., None], 3, axis=2)

        def work() -> None:
            if floor:
                decode_predict_encode(model, source, color)
            else:
                run_folder(model, source, source.parent / "alone")

    work()
    memory = peak_memory()
    click.echo(f"{statistics.median(seconds(work) for _ in range(3))} {memory}")


def peak_memory() -> float:
    """Return the peak memory of this process in GB; rusage would include the memory of its parent."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1e6


def precision() -> None:
    """Measure what bf16 costs on the bundled weights: the mean difference in ab from float32."""
    photographs = sorted((Path(__file__).parents[2] / "docs/photographs").glob("*.jpg"))
    cpu = torch.device("cpu")
    lightness = torch.cat(
        [small_lightness(np.array(Image.open(path).convert("L")), (256, 256), cpu) for path in photographs]
    )
    exact = load("zhang.starter", precision="fp32").predict(lightness)
    reduced = load("zhang.starter", precision="bf16").predict(lightness)
    row("bf16 against fp32, bundled weights, the repository's photographs", f"{(exact - reduced).abs().mean():.3f} ab")


def cold_start(folder: Path, rounds: int) -> None:
    """Measure whole processes: the help, and one small picture with the bundled weights."""
    picture = folder / "small" / "000.jpg"
    program = [sys.executable, "-m", "colorcli"]
    commands = {
        "colorcli --help": [*program, "--help"],
        "first small picture, bundled weights": [
            *program, "run", "--model", "zhang.starter", "--overwrite", str(picture), "-o", str(folder / "cold"),
        ],
    }  # fmt: skip
    for what, command in commands.items():
        taken = [seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(rounds)]  # noqa: B023
        row(what, f"{statistics.median(taken):.2f} s")


def run_folder(model: Model, source: Path, output: Path) -> None:
    """Do what `colorcli run` does."""
    outcomes = list(colorize_files(Pipeline(model), plan([source], output).jobs, overwrite=True))
    assert outcomes
    assert not any(outcome.error for outcome in outcomes)


def decode_predict_encode(model: Model, source: Path, color: NDArray[np.uint8]) -> None:
    """Do only what cannot be left out: decode gray, run the network once, encode in color."""
    imagecodecs.jpeg8_decode(source.read_bytes())
    model.predict(torch.full((1, 1, 256, 256), 50.0))
    (source.parent / "floor.jpg").write_bytes(imagecodecs.jpeg8_encode(color, DEFAULT_QUALITY, subsampling="444"))


def run_network(model: Model, count: int) -> None:
    """Run the network alone equally often, in as many threads as the engine does."""
    threads = torch.get_num_threads()
    lightness = torch.full((1, 1, 256, 256), 50.0)
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(lambda _: model.predict(lightness), range(count)))


def demo(network: nn.Module, path: Path) -> None:
    """Do what the published demo does."""
    from skimage.color import lab2rgb, rgb2lab  # imported here, to leave it out of the memory of colorcli

    picture = np.asarray(Image.open(path).convert("RGB"))
    small = np.asarray(Image.fromarray(picture).resize((256, 256), Image.Resampling.BICUBIC))
    lightness = torch.tensor(rgb2lab(picture)[..., 0])[None, None].float()
    small_lightness = torch.tensor(rgb2lab(small)[..., 0])[None, None].float()
    with torch.no_grad():
        distribution = network(small_lightness).softmax(dim=1)
        ab = (
            functional.interpolate(
                functional.conv2d(distribution, network.model_out["weight"]), scale_factor=4, mode="bilinear"
            )
            * 110
        )  # type: ignore[operator]
    ab = functional.interpolate(ab, lightness.shape[-2:], mode="bilinear")
    lab = torch.cat((lightness, ab), dim=1)[0].permute(1, 2, 0).numpy()
    Image.fromarray((lab2rgb(lab).clip(0, 1) * 255).astype(np.uint8)).save(path.with_suffix(".png"))
    path.with_suffix(".png").unlink()


def demo_network(weights: Path) -> nn.Module:
    """Load the network as the demo does: float32, standard layout."""
    from safetensors.torch import load_file

    from colorcli_zhang.network import ZhangNetwork

    network = ZhangNetwork()
    network.load_state_dict(load_file(weights))
    return network.eval()


def random_weights(path: Path) -> Path:
    """Write the full-width network with seeded random weights."""
    from colorcli_zhang.network import ZhangNetwork

    torch.manual_seed(0)
    write_state(
        path, ZhangNetwork(folded_temperature=0.38).state_dict(), Header("zhang", network={"folded_temperature": 0.38})
    )
    return path


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
