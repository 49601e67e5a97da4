"""While torch traces a network, no other thread may call one.

Tracing, which an export begins with, replaces `torch.nn.Module.__call__` in the whole process. A module that another
thread calls meanwhile would end up in the export, or fail.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")


class TracingNeeded(BaseException):
    """A call among others has to trace a network; `call_networks` then repeats it alone."""


class _Calls(threading.local):
    """What this thread is doing."""

    shared = False
    alone = False


_calls = _Calls()
_changed = threading.Condition()
_running = 0  # threads that call networks; -1 while one of them is alone


def call_networks(call: Callable[[], Result]) -> Result:
    """Run code that calls networks: beside other threads, or, if it has to trace a network, again and alone.

    Args:
        call: lets `TracingNeeded` pass; must have no effects before it.
    """
    if _calls.shared or _calls.alone:
        return call()
    try:
        with _shared():
            return call()
    except TracingNeeded:  # raised, rather than waited for, because the call may hold locks that others wait for
        with alone():
            return call()


@contextmanager
def _shared() -> Iterator[None]:
    global _running  # noqa: PLW0603
    with _changed:
        _changed.wait_for(lambda: _running >= 0)
        _running += 1
    _calls.shared = True
    try:
        yield
    finally:
        _calls.shared = False
        with _changed:
            _running -= 1
            _changed.notify_all()


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other thread calls networks through `call_networks`, and keep them from it.

    Raises:
        TracingNeeded: this thread is in a call beside others.
    """
    global _running  # noqa: PLW0603
    if _calls.shared:
        raise TracingNeeded
    if _calls.alone:
        yield
        return
    with _changed:
        _changed.wait_for(lambda: _running == 0)
        _running = -1
    _calls.alone = True
    try:
        yield
    finally:
        _calls.alone = False
        with _changed:
            _running = 0
            _changed.notify_all()
