"""The options of commands that also write what they print to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = TypeVar("Command", bound=Callable[..., object])


def output_files(suffixes: Sequence[str], text: str) -> Callable[[Command], Command]:
    """Add `-o FILE`, which may be repeated, as the argument `outputs`, and `--overwrite`.

    Args:
        suffixes: allowed suffixes, in lower case.
        text: the help of `-o`.
    """

    def check(_context: click.Context, _parameter: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        for path in paths:
            if path.suffix.lower() not in suffixes:
                raise click.BadParameter(f"{path} must end in {', '.join(suffixes[:-1])} or {suffixes[-1]}.")
        return paths

    def added(command: Command) -> Command:
        command = click.option("--overwrite", is_flag=True, help="Replace existing files.")(command)
        return click.option(
            "-o",
            "--output",
            "outputs",
            multiple=True,
            metavar="FILE",
            callback=check,
            type=click.Path(dir_okay=False, path_type=Path),
            help=f"{text} Can be repeated.",
        )(command)

    return added
