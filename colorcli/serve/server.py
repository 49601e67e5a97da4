"""Listening: the socket, the address to open, and the server that runs until it is interrupted."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

import uvicorn

from colorcli.errors import UsageError
from colorcli.serve.guard import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - to recognize it
_MAX_CONNECTIONS = 256
_KEEP_ALIVE = 30  # seconds that an idle connection stays open
_GRACE = 10  # seconds that requests may take after an interruption


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach an address."""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def is_everywhere(host: str) -> bool:
    """Return whether an address means all addresses of this computer."""
    return host in _EVERYWHERE


def names_of(host: str, more: tuple[str, ...]) -> frozenset[str]:
    """Return what a server may be called by in a Host header, in lower case.

    Args:
        host: the address that it listens on.
        more: names that the user allows.
    """
    own = {f"[{host}]" if ":" in host else host}
    if is_everywhere(host):
        name = socket.gethostname()
        own = {name, f"{name}.local"}
    return LOOPBACK | {name.lower() for name in (*own, *more)}


def listen(host: str, port: int) -> socket.socket:
    """Open the socket of a server.

    Args:
        host: an address of this computer, or a name of one.
        port: 0 for any that is free.

    Raises:
        UsageError: the address does not belong to this computer, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"Cannot listen on {host}, port {port}: {reason}.", "Choose another --port; 0 picks a free one."
        ) from error
    return listening


def address_of(listening: socket.socket, host: str, token: str) -> str:
    """Return the address to open in a browser on this computer."""
    port = listening.getsockname()[1]
    name = "127.0.0.1" if is_everywhere(host) else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/?token={quote(token, safe='')}"


class HttpServer(uvicorn.Server):
    """Answers requests until the process is interrupted, and finishes those in progress: `run([listening])`.

    Args:
        app: the app that answers requests.
        started: called once, when requests are answered.
    """

    def __init__(self, app: ASGIApp, started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,  # the log would contain the token
                log_level="error",
                server_header=False,
                ws="none",
                lifespan="on",
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()
