"""The command that was given, written out so that it can be given again."""

from __future__ import annotations

import shlex
from fractions import Fraction

import click
from click.core import ParameterSource


def command_line(ctx: click.Context) -> str:
    """Write the command that repeats this one, including what the settings file added."""
    words = ctx.command_path.split()
    arguments: list[str] = []
    for parameter in ctx.command.params:
        value = ctx.params[parameter.name or ""]
        values = list(value) if isinstance(value, (tuple, list)) else [value]
        if isinstance(parameter, click.Argument):
            arguments += [str(each) for each in values if each is not None]
        elif ctx.get_parameter_source(parameter.name or "") is not ParameterSource.DEFAULT:
            for each in values:
                words += [parameter.opts[0]] if each is True else [parameter.opts[0], _as_typed(parameter, each)]
    return shlex.join(words + arguments)


def _as_typed(parameter: click.Parameter, value: object) -> str:
    """Write a value as people type it: times in seconds, key frames where needed as `auto`."""
    if isinstance(value, Fraction):
        return f"{float(value):.12g}"
    return "auto" if parameter.name == "keyframes" and value == 0 else str(value)
