"""Runs the code of plugins, so that a faulty plugin is named and cannot disturb anything else.

What plugin code prints goes to standard error, because standard output carries results. Whatever it raises, even
SystemExit, becomes a PluginError. Only Ctrl-C still interrupts the program.
"""

from __future__ import annotations

import dis
import logging
import os
import re
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any

from colorcli.errors import ColorcliError, MissingDependency, PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from colorcli.colorizer import Colorizer

_SET_BY_LIBRARIES = ("LD_", "QT_", "TORCH")  # variables that importing OpenCV or torch sets, which hurts nobody
_REQUIREMENT = re.compile(r"\s*(?P<name>[\w.-]+)\s*(\[[^]]*\])?\s*\(?(?P<versions>[^;)]*)\)?")


def _nothing(_: BaseException) -> bool:
    return False


@contextmanager
def guard(colorizer: Colorizer, task: str, *, passing: Callable[[BaseException], bool] = _nothing) -> Iterator[None]:
    """Run a method of a colorizer.

    Args:
        colorizer: whose method it is.
        task: the method, for the message: `predict`.
        passing: tells which errors are not the plugin's fault and pass unchanged, such as running out of memory.

    Raises:
        PluginError: the method raised anything but an error meant for the user.
        MissingDependency: it imported a module that is not installed.
    """
    try:
        with stdout_to_stderr():
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
    """Describe an error in one line: `ValueError: expected 8 rows`."""
    if isinstance(error, ColorcliError):
        return " ".join(str(error).split())
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ").rstrip(".")


def install_command(module: str, distribution: str) -> str:
    """Return the command that installs a missing module, in the version that the distribution declares.

    Args:
        module: as it is imported, `spandrel_extra_arches.architectures`.
        distribution: that imports it; may be empty or unknown.
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


_inside = _Inside()
_lock = threading.Lock()
_guards = 0  # of all threads


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


# The state of the process


@dataclass(frozen=True)
class ProcessState:
    """What importing a plugin must not change, because everything else depends on it."""

    folder: str
    environment: dict[str, str]
    logging: tuple[int, tuple[logging.Handler, ...]]

    @classmethod
    def now(cls) -> ProcessState:
        """Record the current state."""
        return cls(_folder(), dict(os.environ), (logging.root.level, tuple(logging.root.handlers)))

    def restore(self) -> list[str]:
        """Undo what has changed since, and describe each change in a few words."""
        now = ProcessState.now()
        changes = []
        if now.folder != self.folder:
            changes.append(f"changes the working directory to {now.folder}")
            if self.folder:
                os.chdir(self.folder)
        names = sorted(
            name
            for name in self.environment.keys() | now.environment.keys()
            if self.environment.get(name) != now.environment.get(name)
        )
        if names:
            told = [name for name in names if not name.startswith(_SET_BY_LIBRARIES)]
            changes += [f"changes the environment ({', '.join(told)})"] if told else []
            for name in names:
                if name in self.environment:
                    os.environ[name] = self.environment[name]
                else:
                    del os.environ[name]
        if now.logging != self.logging:
            changes.append("changes the root logger")
            logging.root.setLevel(self.logging[0])
            logging.root.handlers[:] = self.logging[1]
        return changes


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:  # it was removed
        return ""


def wrong_version(error: BaseException) -> str:
    """Return a note that a plugin may be for another version, if it imports a missing name; empty otherwise."""
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "colorcli":
        return f"; it may be for another version of colorcli (this is {version('colorcli')})"
    return ""
