"""What the commands share that set several models side by side: their options, and the models loaded."""

from __future__ import annotations

import itertools
import shlex
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from colorcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from colorcli.inference.model import Model
    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.photographs import Photograph

    Command = TypeVar("Command", bound=Callable[..., object])

_OPTIONS = (
    click.argument("models", metavar="MODEL...", nargs=-1, required=True),
    click.option("--weights", metavar="TAG|FILE|hf://...", help="Weights to use, for a single MODEL."),
    click.option(
        "-p",
        "--option",
        "pairs",
        multiple=True,
        metavar="NAME=VALUE[,...]",
        help="Option of the colorizers; several values are tried one by one.",
    ),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."),
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
        default="auto",
        show_default=True,
        help="In which the networks compute.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["torch", "openvino"]),
        default="torch",
        show_default=True,
        help="What computes the networks; openvino is an extra, for CPUs.",
    ),
    click.option("--offline", is_flag=True, help="Never touch the network."),
)


def model_options(command: Command) -> Command:
    """Give a command the argument MODEL... and the options that `load_pipelines` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def load_pipelines(
    models: Sequence[str],
    *,
    weights: str | None,
    pairs: Sequence[str],
    device: str,
    precision: str,
    engine: str = "torch",
    offline: bool,
) -> list[Pipeline]:
    """Load models, and give each the option values that are for it: a line for every combination of them.

    Where an option has several values, as in `temperature=0.05,0.38,1`, a line's name says which is its own.

    Raises:
        UsageError: a model or a value is given twice, weights are given for several, or no model has an option.
    """
    from colorcli.inference.model import load
    from colorcli.inference.pipeline import Pipeline

    if weights is not None and len(models) > 1:
        raise UsageError(
            f"--weights {weights} is for one MODEL, and here are {len(models)}.",
            "Give each its tag, as in zhang.starter zhang.eccv16.",
        )
    pipelines: dict[str, Pipeline] = {}
    for name in models:
        model = load(name, weights=weights, device=device, precision=precision, engine=engine, offline=offline)
        if model.note:
            click.echo(f"note: {model.note}", err=True)
        known = {option.name for option in model.colorizer.options}
        own = [pair for pair in pairs if pair.partition("=")[0] in known or len(models) == 1]
        for label, chosen in _sweep(model, own):
            title = f"{model.name} {label}".strip()
            if title in pipelines:
                raise UsageError(f"{title} is given twice.", "Give each model, and each value, once.")
            pipelines[title] = Pipeline(model, options=model.read_options(chosen), name=title)
    _check_all_used(list(pipelines.values()), pairs)
    return list(pipelines.values())


def _sweep(model: Model, pairs: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Give every combination of the options' values, and before it what tells it from the others.

    `t=1,2` and `u=3` are `t=1` for `t=1` and `u=3`, then `t=2`. Free text may have commas of its own.
    """
    text = {o.name for o in model.colorizer.options if isinstance(o.default, str) and not o.choices}
    swept: list[list[str]] = []
    for pair in pairs:
        name, equals, values = pair.partition("=")
        swept.append([pair] if name in text or not equals else [f"{name}={value}" for value in values.split(",")])
    for chosen in itertools.product(*swept):
        label = [pair for pair, among in zip(chosen, swept, strict=True) if len(among) > 1]
        yield " ".join(label), list(chosen)


def _check_all_used(pipelines: Sequence[Pipeline], pairs: Sequence[str]) -> None:
    known = {option.name for pipeline in pipelines for option in pipeline.model.colorizer.options}
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
            arguments += [str(each) for each in values if each is not None]
        elif ctx.get_parameter_source(parameter.name or "") is not ParameterSource.DEFAULT:
            for each in values:
                words += [parameter.opts[0]] if each is True else [parameter.opts[0], _typed(parameter, each)]
    return shlex.join(words + arguments)


def _typed(parameter: click.Parameter, value: object) -> str:
    """Write a value as people type it: times in seconds, and key frames where they are needed as `auto`."""
    if isinstance(value, Fraction):
        return f"{float(value):.12g}"
    return "auto" if parameter.name == "keyframes" and value == 0 else str(value)
