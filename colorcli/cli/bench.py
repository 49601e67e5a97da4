"""`colorcli bench`: how fast a model is on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.command_line import command_line
from colorcli.cli.messages import report_note
from colorcli.cli.model_options import ModelOptions, bench_options, complete_model
from colorcli.cli.output_files import PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.bench.speed import Setting

_WAYS = ("demo", "floor")


def _numbers(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """Check whole numbers, 1 or more, that are separated by commas."""
    for value in (text or "1").split(","):
        if not value.isdecimal() or not int(value):
            raise click.BadParameter(f"must be whole numbers, 1 or more, separated by commas; got {value!r}.")
    return text


def _ways(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    """Check names of comparisons, separated by commas."""
    ways = tuple(dict.fromkeys(text.split(","))) if text else ()
    for way in ways:
        if way not in _WAYS:
            raise click.BadParameter(f"must be {' or '.join(_WAYS)}, or both separated by a comma; got {way!r}.")
    return ways


@click.command()
@click.argument("model", metavar="MODEL", shell_complete=complete_model)
@click.argument("pictures", metavar="[PICTURES]", required=False, type=click.Path(exists=True, path_type=Path))
@bench_options
@click.option("--batch-size", callback=_numbers, help="Pictures per batch. [default: depends on the device]")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Number of test photographs to make if no PICTURES are given.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Number of measurements; the table shows their medians.",
)
@click.option(
    "--compare",
    "ways",
    default="",
    metavar="demo,floor",
    callback=_ways,
    help="Also measure what demos do, and the floor: decoding, network and encoding alone.",
)
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Compare with measurements of another machine, saved with --json.",
)
@click.option(
    "--html",
    type=PAGE,
    metavar="FILE",
    help="Also write a page with bars to FILE, which is replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@click.pass_context
def bench(
    ctx: click.Context,
    model: str,
    pictures: Path | None,
    model_options: ModelOptions,
    batch_size: str | None,
    count: int,
    rounds: int,
    ways: tuple[str, ...],
    against: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Measure how fast MODEL is on this machine, stage by stage.

    PICTURES are a file, a folder, or films; without them, colorcli makes test photographs. Options take several values
    separated by commas, and every combination is measured: --engine torch,openvino --precision fp32,bf16.
    """
    import tempfile

    from colorcli.bench import table
    from colorcli.bench.against import read_others
    from colorcli.bench.photographs import make_photograph
    from colorcli.bench.rounds import measure
    from colorcli.bench.speed import Setting
    from colorcli.cli.progress import Progress

    batches = [int(number) for number in batch_size.split(",")] if batch_size else [None]
    model_options.accept(model)
    settings = [
        Setting(
            model,
            options.weights,
            options.pairs,
            options.device,
            options.precision,
            options.engine,
            batch,
            options.offline,
        )
        for options in model_options.combinations()
        for batch in batches
    ]
    others = read_others(against) if against else None
    settings += _compared(settings, ways)
    with tempfile.TemporaryDirectory() as name:
        source = pictures or Path(name) / "made"
        for number in range(0 if pictures else count):
            make_photograph(source / f"{number:03}.jpg", seed=number)
        with Progress("measuring", len(settings) * (rounds + 1)) as progress:
            speeds = measure(settings, source, Path(name) / "out", rounds=rounds, watch=progress.advance)
    for note in dict.fromkeys(speed.note for speed in speeds if speed.note):
        report_note(note)
    number = len(speeds[0].facts["sizes"])
    plural = "s" if number > 1 else ""
    what = (
        f"{pictures.name}: " + (f"{number} picture{plural}" if number else f"{speeds[0].rounds[0]['count']} frames")
        if pictures
        else f"{number} gray JPEG{plural} made by colorcli"
    )
    if html:
        from colorcli.files import write_text
        from colorcli.pages.bench import to_html

        write_text(html, to_html(speeds, what, command_line(ctx), others))
    if as_json:
        click.echo(table.as_json(speeds, what, command_line(ctx)))
    else:
        click.echo(table.markdown(speeds, what, command_line(ctx), others))


def _compared(settings: Sequence[Setting], ways: Sequence[str]) -> list[Setting]:
    """Return what is measured besides the settings: the floor of each, and one demo, which has one engine."""
    found = [replace(setting, way="floor") for setting in settings if "floor" in ways]
    if "demo" in ways:
        found.append(replace(settings[0], way="demo", device="cpu", precision="fp32", engine="torch", batch_size=1))
    return found
