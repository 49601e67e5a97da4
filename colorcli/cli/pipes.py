"""Inputs that come through a pipe, as `colorcli run <(curl -L URL) -o out.png` gives them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import UsageError
from colorcli.files import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DESCRIPTORS = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")


@contextlib.contextmanager
def pipes_as_files(inputs: Sequence[Path], output: Path | None) -> Iterator[list[Path]]:
    """Copy every input that is an open pipe to a temporary file, because inputs are read more than once.

    Only pipes that the shell has opened count: a named pipe may have no writer, and reading it would wait forever.

    Args:
        inputs: files, folders and pipes.
        output: output of the run; the name of a pipe is not suitable.

    Yields:
        The inputs, with files in the places of pipes.

    Raises:
        UsageError: no output is given.
    """
    pipes = [path for path in inputs if _is_open_pipe(path)]
    if pipes and output is None:
        raise UsageError(f"{shown(pipes[0])} is a pipe, so it needs an output name.", "Name the output with -o.")
    with contextlib.ExitStack() as stack:
        copies = {}
        for pipe in pipes:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colorcli-")))
            copies[pipe] = folder / f"pipe-{pipe.name}"
            with pipe.open("rb") as source, copies[pipe].open("wb") as copy:
                shutil.copyfileobj(source, copy)
        yield [copies.get(path, path) for path in inputs]


def _is_open_pipe(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.abspath(path).startswith(_DESCRIPTORS) and path.is_fifo()  # noqa: PTH100 - links stay links
    return False
