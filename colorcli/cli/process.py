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


def reserve_stdout() -> None:
    """Reserve standard output for results: what anything but `sys.stdout` writes to it goes to standard error.

    `sys.stdout` gets a file descriptor of its own. Descriptor 1, to which libraries and child processes of a plugin
    write, becomes standard error.
    """
    if os.name != "posix" or sys.stdout is None or sys.stderr is None:
        return
    stream = sys.stdout
    try:
        own = os.dup(stream.fileno())
    except (OSError, ValueError):  # standard output is closed, or is not a file
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
