"""Files that commands write, and the options of those that also write what they print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., object])


class OutputFile(click.Path):
    """A file to write, whose suffix says what is in it.

    Args:
        suffixes: allowed suffixes, in lower case.
    """

    def __init__(self, *suffixes: str) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self._suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        path = Path(str(super().convert(value, param, ctx)))
        if path.suffix.lower() not in self._suffixes:
            *others, last = self._suffixes
            allowed = f"{', '.join(others)} or {last}" if others else last
            self.fail(f"must end in {allowed}, got {path.name!r}.", param, ctx)
        return path


PAGE = OutputFile(".html", ".htm")


class OutputFolder(click.Path):
    """A folder to write to, which need not exist."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        from colorcli.jobs.outputs import looks_like_file

        path = Path(str(super().convert(value, param, ctx)))
        if path.is_file():
            self.fail(f"must be a folder, got {path.name!r}, which is a file.", param, ctx)
        if looks_like_file(path):
            self.fail(f"must be a folder, got {path.name!r}, which is the name of a file.", param, ctx)
        return path


def output_files(suffixes: tuple[str, ...], text: str) -> Callable[[Command], Command]:
    """Add `-o FILE`, which may be repeated, as the argument `outputs`, and `--overwrite`.

    Args:
        suffixes: allowed suffixes, in lower case.
        text: the help of `-o`.
    """

    def added(command: Command) -> Command:
        command = click.option("--overwrite", is_flag=True, help="Replace existing files.")(command)
        return click.option(
            "-o",
            "--output",
            "outputs",
            multiple=True,
            metavar="FILE",
            type=OutputFile(*suffixes),
            help=f"{text} May be repeated.",
        )(command)

    return added
