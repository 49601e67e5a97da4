"""`colorcli bench`: how fast a model is on this machine."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.model_options import command_line

if TYPE_CHECKING:
    from collections.abc import Callable


def _several(*allowed: str) -> Callable[[click.Context, click.Parameter, str], str]:
    """Check values that commas part: those that are allowed, or any."""

    def check(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
        for value in text.split(","):
            if not value or (allowed and value not in allowed):
                expected = f"one of {', '.join(allowed)}" if allowed else "a value"
                raise click.BadParameter(f"{value!r} is not {expected}; several are parted by commas.")
        return text

    return check


def _numbers(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """Check whole numbers from 1 that commas part."""
    for value in (text or "1").split(","):
        if not value.isdecimal() or not int(value):
            raise click.BadParameter(f"{value!r} is not a whole number from 1; several are parted by commas.")
    return text


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("pictures", metavar="[PICTURES]", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--weights", metavar="TAG|FILE|hf://...", help="Weights to use instead of the best that can be had.")
@click.option("-p", "--option", "pairs", multiple=True, metavar="NAME=VALUE", help="Option of the colorizer.")
@click.option("--device", default="auto", show_default=True, callback=_several(), help="auto, cpu, cuda, mps, ...")
@click.option(
    "--precision",
    default="auto",
    show_default=True,
    callback=_several("auto", "fp32", "bf16", "fp16"),
    help="In which the network computes.",
)
@click.option(
    "--engine",
    default="torch",
    show_default=True,
    callback=_several("torch", "openvino"),
    help="What computes the network.",
)
@click.option("--batch-size", callback=_numbers, help="Pictures that share a pass. [default: what suits the device]")
@click.option("--offline", is_flag=True, help="Never touch the network.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="How many photographs to make where no PICTURES are given.",
)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Of which to take medians.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@click.pass_context
def bench(
    ctx: click.Context,
    model: str,
    pictures: Path | None,
    weights: str | None,
    pairs: tuple[str, ...],
    device: str,
    precision: str,
    engine: str,
    batch_size: str | None,
    offline: bool,
    count: int,
    rounds: int,
    as_json: bool,
) -> None:
    """Measure how fast MODEL is on this machine, stage by stage, with PICTURES: a file, a folder, or films.

    Without PICTURES, with photographs that are made on the spot. Options take several values, parted by commas, and
    every combination is measured: --engine torch,openvino --precision fp32,bf16.
    """
    import tempfile

    from colorcli.bench import table
    from colorcli.bench.photographs import make_photograph
    from colorcli.bench.rounds import measure
    from colorcli.bench.speed import Setting
    from colorcli.cli.progress import Progress

    batches = [int(number) for number in batch_size.split(",")] if batch_size else [None]
    settings = [
        Setting(model, weights, pairs, *each, offline)
        for each in itertools.product(device.split(","), precision.split(","), engine.split(","), batches)
    ]
    with tempfile.TemporaryDirectory() as name:
        source = pictures or Path(name) / "made"
        for number in range(0 if pictures else count):
            make_photograph(source / f"{number:03}.jpg", seed=number)
        with Progress("measuring", len(settings) * (rounds + 1)) as progress:
            speeds = measure(settings, source, Path(name) / "out", rounds=rounds, watch=progress.advance)
    for note in dict.fromkeys(speed.note for speed in speeds if speed.note):
        click.echo(f"note: {note}", err=True)
    number = len(speeds[0].facts["sizes"])
    plural = "s" if number > 1 else ""
    what = (
        f"{pictures.name}: " + (f"{number} picture{plural}" if number else f"{speeds[0].rounds[0]['count']} frames")
        if pictures
        else f"{number} gray JPEG{plural} made by colorcli"
    )
    write = table.as_json if as_json else table.markdown
    click.echo(write(speeds, what, command_line(ctx)))
