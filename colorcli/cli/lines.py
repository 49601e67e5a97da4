"""What the commands share that set several models side by side: their options, and the models loaded."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from colorcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from colorcli.engine import Line
    from colorcli.media.photographs import Photograph

    Command = TypeVar("Command", bound=Callable[..., object])

_OPTIONS = (
    click.argument("models", metavar="MODEL...", nargs=-1, required=True),
    click.option("--weights", metavar="TAG|FILE|hf://...", help="Weights to use, for a single MODEL."),
    click.option("-p", "--option", "pairs", multiple=True, metavar="NAME=VALUE", help="Option of the colorizers."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."),
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
        default="auto",
        show_default=True,
        help="In which the networks compute.",
    ),
    click.option("--offline", is_flag=True, help="Never touch the network."),
)


def model_options(command: Command) -> Command:
    """Give a command the argument MODEL... and the options that `load_lines` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def load_lines(
    models: Sequence[str], *, weights: str | None, pairs: Sequence[str], device: str, precision: str, offline: bool
) -> list[Line]:
    """Load models, and give each the option values that are for it.

    Raises:
        UsageError: a model is given twice, weights are given for several, or no model has an option.
    """
    from colorcli.cli.run import parse_options
    from colorcli.engine import Line
    from colorcli.model import load

    if weights is not None and len(models) > 1:
        raise UsageError(
            f"--weights {weights} is for one MODEL, and here are {len(models)}.",
            "Give each its tag, as in zhang.starter zhang.eccv16.",
        )
    lines: list[Line] = []
    for name in models:
        model = load(name, weights=weights, device=device, precision=precision, offline=offline)
        if model.note:
            click.echo(f"note: {model.note}", err=True)
        if model.name in {line.model.name for line in lines}:
            raise UsageError(f"{model.name} is given twice.", "Give each model once.")
        known = {option.name for option in model.colorizer.options}
        own = [pair for pair in pairs if pair.partition("=")[0] in known or len(models) == 1]
        lines.append(Line(model, options=parse_options(model, own)))
    _check_all_used(lines, pairs)
    return lines


def _check_all_used(lines: Sequence[Line], pairs: Sequence[str]) -> None:
    known = {option.name for line in lines for option in line.model.colorizer.options}
    for name in (pair.partition("=")[0] for pair in pairs):
        if name not in known:
            raise UsageError(f"None of these models has an option {name!r}.", f"They have {', '.join(sorted(known))}.")


def watched(what: str, photographs: Sequence[Photograph]) -> Iterable[Photograph]:
    """Hand on photographs and show how far the command is."""
    from colorcli.cli.progress import Progress

    with Progress(what, len(photographs)) as progress:
        for photograph in photographs:
            yield photograph
            progress.advance()


def command_line(ctx: click.Context) -> str:
    """Write the command that does what this one does, with what the settings file added."""
    words = ctx.command_path.split()
    arguments: list[str] = []
    for parameter in ctx.command.params:
        value = ctx.params[parameter.name or ""]
        values = list(value) if isinstance(value, (tuple, list)) else [value]
        if isinstance(parameter, click.Argument):
            arguments += map(str, values)
        elif ctx.get_parameter_source(parameter.name or "") is not ParameterSource.DEFAULT:
            for each in values:
                words += [parameter.opts[0]] if each is True else [parameter.opts[0], str(each)]
    return shlex.join(words + arguments)
