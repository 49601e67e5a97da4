"""Limits on the Hub's client: how long it waits, how much it reads, and which names it takes from a server.

The client sleeps as long as a server's Retry-After says, reads a body however slowly it drips, and names the files in
its cache after the server's ETag and commit. Inside `guarded`, every request and response passes the hooks below;
requests of other code that shares the client are not touched.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from colorcli.weights.names import is_etag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    _Answer = TypeVar("_Answer")

MIN_RATE = 50_000  # bytes per second, on average over a window of time, below which a call is given up
LATER = 30.0  # seconds that each window has after the first
MAX_SECONDS = 3600.0  # seconds for a whole download
_COMMIT = re.compile("[0-9a-f]{40}")
_XET_HASH = "X-Xet-Hash"  # without it the client uses plain HTTP, the only transport whose time can be limited
_current: ContextVar[Guard | None] = ContextVar("_current", default=None)


class TooSlow(Exception):
    """A server did not answer, or did not send enough, in time."""


class Refused(Exception):
    """A server answered with an error for which the client would wait and ask again."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class UnsafeName(Exception):
    """A server sent an ETag or a commit that cannot be the name of a file."""


@dataclass
class Guard:
    """The limits of a call, or of several that share them.

    Attributes:
        timeout: seconds of the first window: without an answer by then, or with less than MIN_RATE bytes per second,
            the call is given up.
        largest: bytes that may be received; None = any number.
    """

    timeout: float
    largest: int | None = None
    _started: float = field(default_factory=time.monotonic)
    _window_started: float = field(default_factory=time.monotonic)
    _window_bytes: int = 0
    _bytes: int = 0
    _canceled: bool = False

    def cancel(self) -> None:
        """Make the call end at its next chance."""
        self._canceled = True

    @property
    def remaining(self) -> float:
        """Seconds until the call is given up if nothing more arrives."""
        return max(self._window_started + self.timeout - time.monotonic(), 0.05)

    def count(self, received: int) -> None:
        """Count bytes that arrived.

        Raises:
            TooSlow: they are too few or too many, or the call takes too long.
        """
        self._bytes += received
        self._window_bytes += received
        self.check_size(self._bytes)
        self.check()

    def check(self) -> None:
        """Check the time.

        Raises:
            TooSlow: too few bytes arrived, or the call takes too long.
        """
        now = time.monotonic()
        if self._canceled:
            raise TooSlow("canceled")
        if now - self._started > MAX_SECONDS:
            raise TooSlow(f"not complete after {MAX_SECONDS / 60:.0f} minutes")
        if now - self._window_started >= self.timeout:
            if self._window_bytes == 0:
                raise TooSlow(f"no answer within {self.timeout:g} seconds")
            if self._window_bytes < MIN_RATE * self.timeout:
                raise TooSlow(f"less than {MIN_RATE // 1000} kB per second for {self.timeout:g} seconds")
            self._window_started, self._window_bytes, self.timeout = now, 0, LATER

    def check_size(self, stored: int) -> None:
        """Check the bytes on the disk, which may be more than those that arrived: a server may compress them.

        Raises:
            TooSlow: they are too many.
        """
        if self.largest is not None and stored > self.largest:
            raise TooSlow(f"more than the expected {self.largest:,} bytes were sent")

    def count_elsewhere(self, received: int) -> None:
        """Count bytes that another process received: this one is waiting for the same file."""
        self._window_bytes += received


def guarded(guard: Guard, call: Callable[[], _Answer], stored: Callable[[], int] = int) -> _Answer:
    """Call the Hub's client within limits, in a thread: looking up a host name has no timeout of its own.

    Args:
        guard: the limits.
        call: the call.
        stored: returns how many bytes of the file are on the disk, by whatever process.

    Raises:
        TooSlow: the limits were exceeded.
        Refused: the server answered with an error that the client would wait for.
        UnsafeName: the server sent a name that leads out of the cache.
        Exception: whatever the client raises.
    """
    _install_hooks()
    answers: list[_Answer] = []
    errors: list[Exception] = []

    def run() -> None:
        _current.set(guard)
        try:
            answers.append(call())
        except Exception as error:  # raised again below, in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    first = size = stored()
    try:
        while thread.is_alive():
            thread.join(0.2)
            size, before = stored(), size
            guard.count_elsewhere(max(size - before, 0))
            guard.check_size(size - first)
            if thread.is_alive():
                guard.check()
    except BaseException:  # Ctrl-C, too
        guard.cancel()
        thread.join(0.5)  # usually time enough for the client to remove its temporary file
        raise
    if errors:
        raise errors[0]
    return answers[0]


def _install_hooks() -> None:
    """Make every session of the client, also those that it recreates after errors, call our hooks."""
    from huggingface_hub import utils
    from huggingface_hub.utils import _http

    # The names of client 1.0, which uses httpx, and of the ones before, which use requests. Nothing public returns the
    # factory that a program has set, which has to be kept.
    is_new = hasattr(_http, "set_client_factory")
    set_factory = _http.set_client_factory if is_new else utils.configure_http_backend
    make_session = getattr(_http, "_GLOBAL_CLIENT_FACTORY" if is_new else "_GLOBAL_BACKEND_FACTORY")
    if getattr(make_session, "guarded", False):
        return

    def make_guarded_session() -> Any:
        session = make_session()
        if is_new:
            hooks = session.event_hooks
            hooks["request"].append(_limit_request)
            hooks["response"].append(_check_response)
            session.event_hooks = hooks
        else:
            session.hooks["response"].append(_check_response)
        return session

    make_guarded_session.guarded = True  # type: ignore[attr-defined]
    set_factory(make_guarded_session)


def _limit_request(request: Any) -> None:
    guard = _current.get()
    if guard is not None:
        guard.check()
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), guard.remaining)


def _check_response(response: Any, **_: Any) -> None:
    guard = _current.get()
    if guard is None:
        return
    if response.status_code in {408, 425, 429} or response.status_code >= 500:
        raise Refused(response.status_code)
    for header in ("ETag", "X-Linked-Etag") if response.request.method == "HEAD" else ():
        etag = response.headers.get(header)
        if etag is not None and not is_etag(etag.removeprefix("W/").strip('"')):
            raise UnsafeName(f"the {header} {etag[:80]!r} cannot be a file name")
    commit = response.headers.get("X-Repo-Commit")
    if commit is not None and not _COMMIT.fullmatch(commit):
        raise UnsafeName(f"the commit {commit[:80]!r} must be 40 hexadecimal digits")
    with suppress(KeyError):
        del response.headers[_XET_HASH]
    if hasattr(response, "stream"):  # requests reads whole chunks: there only the thread that waits sees the time
        response.stream = _measured(response.stream, guard)


def _measured(stream: Any, guard: Guard) -> Any:
    """Wrap the body of a response so that the guard counts its bytes."""
    kind = next(base for base in type(stream).__mro__ if base.__name__ == "SyncByteStream")

    class Measured(kind):  # type: ignore[misc, valid-type]
        def __iter__(self) -> Iterator[bytes]:
            for chunk in stream:
                guard.count(len(chunk))
                yield chunk

        def close(self) -> None:
            stream.close()

    return Measured()
