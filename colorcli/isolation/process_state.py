"""The state of the process that the code of plugins must not change, because everything else depends on it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SET_BY_LIBRARIES = ("LD_", "QT_", "TORCH")  # variables that importing OpenCV or torch sets, which does no harm
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@dataclass(frozen=True)
class ProcessState:
    """What importing a plugin must not change."""

    folder: str
    environment: dict[str, str]
    logging: tuple[int, tuple[logging.Handler, ...]]
    streams: tuple[Any, Any]
    search_path: tuple[str, ...]
    recursion_limit: int
    handlers: dict[int, Any]  # signal handlers
    dtype: Any  # torch's default; None before torch is imported

    @classmethod
    def now(cls) -> ProcessState:
        """Record the current state."""
        return cls(
            folder=_folder(),
            environment=dict(os.environ),
            logging=(logging.root.level, tuple(logging.root.handlers)),
            streams=(sys.stdout, sys.stderr),
            search_path=tuple(sys.path),
            recursion_limit=sys.getrecursionlimit(),
            handlers={number: signal.getsignal(number) for number in _SIGNALS},
            dtype=_default_dtype(),
        )

    def restore(self) -> list[str]:
        """Undo what has changed since, and describe each change in a few words."""
        now = ProcessState.now()
        changes = []
        if now.folder != self.folder:
            changes.append(f"changes the working directory to {now.folder}")
            if self.folder:
                os.chdir(self.folder)
        changes += self._restore_environment(now)
        if now.logging != self.logging:
            changes.append("changes the root logger")
            logging.root.setLevel(self.logging[0])
            logging.root.handlers[:] = self.logging[1]
        if now.streams != self.streams:
            changes.append("replaces standard output or standard error")
            sys.stdout, sys.stderr = self.streams
        if missing := [each for each in self.search_path if each not in now.search_path]:
            changes.append("removes folders from the path of modules")
            sys.path.extend(missing)
        if now.recursion_limit < self.recursion_limit:
            changes.append("lowers the recursion limit")
            sys.setrecursionlimit(self.recursion_limit)
        changes += self._restore_handlers(now)
        if _restore_dtype(self.dtype):
            changes.append("changes the default type of tensors")
        if _remove_strict_warnings():
            changes.append("makes warnings errors")
        return changes

    def _restore_environment(self, now: ProcessState) -> list[str]:
        names = sorted(
            name
            for name in self.environment.keys() | now.environment.keys()
            if self.environment.get(name) != now.environment.get(name)
        )
        for name in names:
            if name in self.environment:
                os.environ[name] = self.environment[name]
            else:
                del os.environ[name]
        reported = [name for name in names if not name.startswith(_SET_BY_LIBRARIES)]
        return [f"changes the environment ({', '.join(reported)})"] if reported else []

    def _restore_handlers(self, now: ProcessState) -> list[str]:
        changed = [number for number, handler in self.handlers.items() if now.handlers[number] != handler]
        if not changed or threading.current_thread() is not threading.main_thread():
            return []
        for number in changed:
            signal.signal(number, self.handlers[number])
        return [f"handles signals ({', '.join(signal.Signals(number).name for number in changed)})"]


@contextmanager
def default_dtype_kept() -> Iterator[None]:
    """Undo a change of torch's default type of tensors, which every network of the process has in common."""
    before = _default_dtype()
    try:
        yield
    finally:
        _restore_dtype(before)


def _default_dtype() -> Any:
    torch: Any = sys.modules.get("torch")
    return torch.get_default_dtype() if hasattr(torch, "get_default_dtype") else None


def _restore_dtype(before: Any) -> bool:
    now = _default_dtype()
    if now is None:
        return False
    torch = sys.modules["torch"]
    if now == (before or torch.float32):
        return False
    torch.set_default_dtype(before or torch.float32)
    return True


def _remove_strict_warnings() -> bool:
    """Remove filters that make every warning an error, in whatever library it occurs; `-W error` stays."""
    strict = [each for each in warnings.filters if each[0] == "error" and each[2] is Warning and each[3] is None]
    if not strict or sys.warnoptions:
        return False
    for each in strict:
        warnings.filters.remove(each)  # type: ignore[attr-defined]
    return True


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:  # it was removed
        return ""
