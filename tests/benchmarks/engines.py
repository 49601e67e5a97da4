"""Measure torch and OpenVINO side by side on the network of every family.

    python tests/benchmarks/engines.py

What is timed is `Model.predict`: one picture, one thread, in the processor time of the process, so that other work on
the machine counts little; medians of alternating rounds. Networks of the published sizes have random weights, which
cost the same time as trained ones. How far the colors of two engines are apart is measured on trained weights, the
bundled ones, and on photographs: the repository's, or those in FOLDER.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import torch
from PIL import Image

import colorcli
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.inference.preprocess import small_lightness
from colorcli.plugin.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

PHOTOGRAPHS = Path(__file__).parents[2] / "docs/photographs"
FULL = {
    "zhang, 256x256": ("zhang", {}, 256),
    "iizuka, 256x256": ("iizuka", {}, 256),
    "koalarization with Inception-v3, 224x224": ("koalarization", {"extractor": "inception-v3"}, 224),
    "pix2pix, one U-Net, 256x256": ("pix2pix", {"kind": "generator"}, 256),
    "pix2pix, router and U-Net, 256x256": ("pix2pix", {"kind": "ensemble"}, 256),
    "pix2pix.shariatnia's, 256x256": ("pix2pix", {"kind": "dynamic-unet"}, 256),
}
BUNDLED = ("zhang.starter", "iizuka.starter", "koalarization.starter", "pix2pix.starter")


@click.command()
@click.argument("folder", default=PHOTOGRAPHS, type=click.Path(exists=True, path_type=Path))
@click.option("--precision", default="bf16", show_default=True)
@click.option("--rounds", default=5, show_default=True, help="Rounds; the table shows their median.")
def main(folder: Path, precision: str, rounds: int) -> None:
    """Print a Markdown table."""
    torch.set_num_threads(1)
    click.echo(f"one thread, {precision}, torch {torch.__version__}\n")
    click.echo(
        "| network | torch ms | OpenVINO ms | times as fast | apart, mean ab |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for name, (colorizer, network, size) in FULL.items():
        row(name, [full(colorizer, network, size, precision, engine) for engine in ("torch", "openvino")], rounds)
    for name in BUNDLED:
        pair = [colorcli.load(name, precision=precision, engine=engine) for engine in ("torch", "openvino")]
        row(name, pair, rounds, apart(pair, folder))


def full(colorizer: str, network: dict[str, object], size: int, precision: str, engine: str) -> Model:
    """Make a model with seeded random weights."""
    plugin = Registry().get(colorizer)
    torch.manual_seed(0)
    built = plugin.build(**network)
    return Model(plugin, built, choose("cpu", precision, engine), tag="", fingerprint="", size=size)


def row(name: str, pair: list[Model], rounds: int, apart: float | None = None) -> None:
    """Measure two models in turn and print a line."""
    lightness = torch.rand(1, 1, pair[0].size, pair[0].size, generator=torch.Generator().manual_seed(0)) * 100
    taken: list[list[float]] = [[], []]
    for number in range(rounds + 1):  # the first warms up
        for model, its in zip(pair, taken, strict=True):
            seconds = processor_seconds(lambda: model.predict(lightness))  # noqa: B023
            if number:
                its.append(seconds)
    theirs, ours = (1000 * statistics.median(its) for its in taken)
    ratio = statistics.median(a / b for a, b in zip(*taken, strict=True))
    click.echo(f"| {name} | {theirs:.1f} | {ours:.1f} | {ratio:.2f} | {'' if apart is None else f'{apart:.3f}'} |")


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a call, from a quarter of a second of calls."""
    work()
    began, calls = time.process_time(), 0
    while time.process_time() - began < 0.25:
        work()
        calls += 1
    return (time.process_time() - began) / calls


def apart(pair: list[Model], folder: Path) -> float:
    """Return the mean difference in ab between two models over photographs."""
    cpu, size = torch.device("cpu"), (pair[0].size, pair[0].size)
    lightness = torch.cat(
        [
            small_lightness(np.array(Image.open(path).convert("L")), size, cpu)
            for path in sorted(folder.glob("**/*.jpg"))
        ]
    )
    theirs, ours = (model.predict(lightness) for model in pair)
    return (theirs - ours).abs().mean().item()


if __name__ == "__main__":
    main()
