"""Print the table of speeds on a GPU.

    python tests/benchmarks/gpu.py [--device cuda] [--model zhang.starter] [--quick]

Folders of 500x375 and of 12 megapixels, and films of 1080p and 4K, with every bundled model and with Zhang's network
at full width and random weights, which take the same time as trained ones. Beside each figure: the network alone, and
the floor, which is the decoder, the network and the encoder at work at the same time. Each figure is a median of
alternating rounds; every setting has a process of its own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import torch

from colorcli.bench.photographs import make_photograph
from colorcli.bench.rounds import measure
from colorcli.bench.speed import Setting, Speed
from colorcli.errors import ColorcliError

sys.path.insert(0, str(Path(__file__).parent))
from film_speed import make_clip
from photographs import LARGE, SMALL, random_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTERS = ("zhang.starter", "iizuka.starter", "koalarization.starter", "pix2pix.starter")
FILMS = {"1080p": (1920, 1080), "4K": (3840, 2160)}


@click.command()
@click.option("--device", default="cuda", show_default=True)
@click.option("--rounds", default=3, show_default=True, help="Rounds; the table shows their median.")
@click.option("--model", "wanted", multiple=True, help="Model to measure; may be repeated. [default: all]")
@click.option("--quick", is_flag=True, help="One model and a few small pictures, to check that the script runs.")
def main(device: str, rounds: int, wanted: tuple[str, ...], quick: bool) -> None:
    """Print a Markdown table."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise click.ClickException("CUDA is not available here; --device cpu --quick tries the script.")
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    click.echo(f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    click.echo("| what | model | batch | a second | of the network alone | of the floor | stages, ms a picture |")
    click.echo("| --- | --- | ---: | ---: | ---: | ---: | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        weights = str(random_weights(folder / "full.safetensors"))
        models: list[tuple[str, str | None]] = [("zhang", weights), *((each, None) for each in STARTERS)]
        models = [each for each in models if each[0] in wanted] if wanted else models[1:2] if quick else models
        for what, source in sources(folder, quick):
            for model, own in models:
                settings = [Setting(model, own, device=device, offline=True, way=way) for way in ("colorcli", "floor")]
                try:
                    speed, floor = measure(settings, source, folder / "out", rounds=rounds)
                except ColorcliError as error:  # such as too little memory: the others are still measured
                    click.echo(f"| {what} | {model} | | {error.message} | | | |")
                    continue
                report(what, speed, floor)


def sources(folder: Path, quick: bool) -> Iterator[tuple[str, Path]]:
    """Make the folders and films, each only when it is needed: the first figures appear at once."""
    pictures = {"folder of 500x375": (SMALL, 256), "folder of 12 MP": (LARGE, 32)}
    for what, (size, count) in pictures.items():
        source = folder / what.replace(" ", "-")
        for number in range(2 if quick else count):
            make_photograph(source / f"{number:03}.jpg", SMALL if quick else size, number)
        yield what, source
    for what, size in FILMS.items():
        clip, frames, pixels = folder / f"{what}.mp4", 12 if quick else 250, (320, 180) if quick else size
        yield f"film of {what}", make_clip(clip, None, frames, pixels)


def report(what: str, speed: Speed, floor: Speed) -> None:
    """Print one line of the table."""
    stages = ", ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in speed.stages.items())
    model = f"{speed.facts['model']}, {speed.facts['device']}"
    click.echo(
        f"| {what} | {model} | {speed.facts['batch_size']} | {speed.rate:.1f} | "
        f"{speed.of_alone:.0%} | {speed.rate / floor.rate:.0%} | {stages} |"
    )


if __name__ == "__main__":
    main()
