"""Runs the code of plugins, so that a faulty plugin is named and cannot disturb anything else.

What plugin code prints goes to standard error, because standard output carries results. Whatever it raises, even
SystemExit, becomes a PluginError. Only Ctrl-C still interrupts the program.
"""

from __future__ import annotations

import dis
import re
import sys
import threading
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any

from colorcli.errors import ColorcliError, MissingDependency, PluginError
from colorcli.isolation.process_state import default_dtype_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from colorcli.colorizer import Colorizer

_MAX_MESSAGE_LENGTH = 500  # characters
_REQUIREMENT = re.compile(r"\s*(?P<name>[\w.-]+)\s*(\[[^]]*\])?\s*\(?(?P<versions>[^;)]*)\)?")


def _nothing(_: BaseException) -> bool:
    return False


@contextmanager
def guard(colorizer: Colorizer, task: str, *, passing: Callable[[BaseException], bool] = _nothing) -> Iterator[None]:
    """Run a method of a colorizer.

    Args:
        colorizer: the colorizer whose method it is.
        task: the method, for the message: `predict`.
        passing: returns whether an error is not the plugin's fault and passes unchanged, such as running out of
            memory.

    Raises:
        PluginError: the method raised anything but an error meant for the user.
        MissingDependency: it imported a module that is not installed.
    """
    try:
        with stdout_to_stderr(), default_dtype_kept():
            yield
    except ColorcliError:
        raise
    except BaseException as error:
        if is_interrupt(error) or passing(error):
            raise
        raise failure(colorizer, task, error) from error


def failure(colorizer: Colorizer, task: str, error: BaseException) -> PluginError:
    """Name the colorizer, its distribution and the error."""
    from colorcli.isolation.origin import origin_of

    origin = origin_of(colorizer)
    owner = f" of {origin}" if origin.distribution else ""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return MissingDependency(
            f"The colorizer {colorizer.name}{owner} needs the module {error.name}, which is not installed.",
            f"Install it: {install_command(error.name, origin.distribution)}",
        )
    return PluginError(
        f"The colorizer {colorizer.name}{owner} failed in {task}: {one_line(error)}.",
        "`colorcli --debug` shows the traceback; report it to the plugin's author.",
    )


def one_line(error: BaseException) -> str:
    """Describe an error in one line: `ValueError: expected 8 rows`. Long messages are cut."""
    try:
        text = " ".join(str(error)[: 2 * _MAX_MESSAGE_LENGTH].split())
    except BaseException as another:  # in the plugin's own __str__
        if is_interrupt(another):
            raise
        text = ""
    if len(text) > _MAX_MESSAGE_LENGTH:
        text = f"{text[:_MAX_MESSAGE_LENGTH]} ..."
    if isinstance(error, ColorcliError):
        return text
    return f"{type(error).__name__}: {text}".removesuffix(": ").rstrip(".")


def install_command(module: str, distribution: str) -> str:
    """Return the command that installs a missing module, in the version that the distribution declares.

    Args:
        module: as it is imported, `spandrel_extra_arches.architectures`.
        distribution: the distribution that imports it; may be empty or unknown.
    """
    top = module.partition(".")[0]
    try:
        declared = requires(distribution) if distribution else None
    except PackageNotFoundError:
        declared = None
    for requirement in declared or []:
        match = _REQUIREMENT.match(requirement)
        if match and _normalized(match["name"]) == _normalized(top):
            wanted = f"{match['name']}{match['versions'].strip()}"
            return f'pip install "{wanted}"' if match["versions"].strip() else f"pip install {wanted}"
    return f"pip install {top}"


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def is_interrupt(error: BaseException) -> bool:
    """Return whether an error is Ctrl-C, and not a KeyboardInterrupt that a plugin raised itself.

    Signals arrive between instructions of the main thread, never at one that raises.
    """
    if not isinstance(error, KeyboardInterrupt) or threading.current_thread() is not threading.main_thread():
        return False
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return True
    code = frame.tb_frame.f_code
    raised = dis.opname[code.co_code[frame.tb_lasti]] == "RAISE_VARARGS"
    return not raised or frame.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "colorcli"


# Standard output


class _Inside(threading.local):
    """How many guards this thread is in."""

    depth = 0


class _Redirected:
    """Stands in for sys.stdout: a thread that is running plugin code writes to standard error instead."""

    def __init__(self, stdout: Any) -> None:
        self.stdout = stdout

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr if _inside.depth else self.stdout, name)

    def close(self) -> None:
        """Close standard output, but not from within plugin code."""
        if not _inside.depth:
            self.stdout.close()


_inside = _Inside()
_lock = threading.Lock()
_guards = 0  # guards of all threads together


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send what this thread prints to standard error; other threads print where they did."""
    global _guards  # noqa: PLW0603
    with _lock:
        _guards += 1
        if not isinstance(sys.stdout, _Redirected):
            sys.stdout = _Redirected(sys.stdout)
    _inside.depth += 1
    try:
        yield
    finally:
        _inside.depth -= 1
        with _lock:
            _guards -= 1
            if not _guards and isinstance(sys.stdout, _Redirected):
                sys.stdout = sys.stdout.stdout


def wrong_version(error: BaseException) -> str:
    """Return a note that a plugin may be for another version, if it imports a missing name; empty otherwise."""
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "colorcli":
        return f"; it may be for another version of colorcli (this is {version('colorcli')})"
    return ""
