"""Keeping runs quick: how torch is imported and unloaded, and how its threads wait."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def imports_without_collection() -> Iterator[None]:
    """Import modules without searching the objects they make for garbage, now or later: they stay until the end."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def let_threads_sleep() -> None:
    """Let torch's threads sleep while they wait for each other, unless the user chose otherwise.

    By default, GNU's OpenMP waits in a busy loop, on current Intel processors for up to 20 ms. When another program
    keeps one thread waiting for a core, the others spend that time in every layer of a network. The setting is read
    when torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def open_missing_streams() -> None:
    """Open the null device in place of standard streams that are closed, as `>&-` does and programs without a console.

    The next file to be opened would otherwise get the number of a closed stream, and with it what libraries print.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def reserve_stdout() -> None:
    """Reserve standard output for results: what anything but `sys.stdout` writes to it goes to standard error.

    `sys.stdout` gets a file descriptor of its own. Descriptor 1, to which libraries and child processes of a plugin
    write, becomes standard error.
    """
    if os.name != "posix":
        return
    stream = sys.stdout
    try:
        own = os.dup(stream.fileno())
    except (OSError, ValueError):  # it is not a file
        return
    try:
        os.dup2(sys.stderr.fileno(), stream.fileno())
    except (OSError, ValueError):
        os.close(own)
        return
    sys.stdout = open(own, "w", encoding=stream.encoding, errors=stream.errors)  # noqa: PTH123, SIM115


def exit_at_once(code: int) -> None:
    """End the process after its exit handlers without unloading every module, which takes torch half a second.

    Args:
        code: the exit code.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - it has no public name
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # `main` has reported what could not be written
            stream.flush()
    os._exit(code)
