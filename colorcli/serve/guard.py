"""What stands between the network and the server: who may ask for what, and what browsers may do with the responses.

A web page that a user visits elsewhere can send requests to this computer. It cannot know the token. It is also
recognized by its Origin, and by a Host that is not ours where its name was made to resolve to this computer.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(:\d+)?", re.IGNORECASE | re.ASCII)
_UNKNOWN_VISITOR = """<!doctype html><html lang="en"><meta charset="utf-8"><title>colorcli</title>
<h1>The token is missing</h1><p>Open the whole address that <code>colorcli serve</code> printed.</p></html>"""


@dataclass(frozen=True)
class Access:
    """Who may use the server.

    Attributes:
        token: the token that requests must contain.
        names: the names that the server may be called by in a Host header, in lower case.
        any_address: whether it may also be called by any IP address, as it is where it listens on all of them.
    """

    token: str
    names: frozenset[str]
    any_address: bool = False


class Guard:
    """Refuses requests of strangers, and tells browsers what the page may do.

    Args:
        app: the app that handles allowed requests.
        access: who may use the server.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._token = access.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # uvicorn closes it

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            hint = "Allow another name of this computer with --allow-host NAME."
            return refused(421, f"This server does not answer to the name {host[:80]!r}.", hint)
        if origin is not None and origin.lower() not in {f"http://{host.lower()}", f"https://{host.lower()}"}:
            return refused(403, f"Pages from {origin[:80]!r} may not use this server.")
        path = scope["path"]
        if path.startswith("/static/"):
            return None
        query = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer if scheme.lower() == "bearer" else query if path == "/" else ""
        if hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token):
            return None
        if path == "/":
            return HTMLResponse(_UNKNOWN_VISITOR, 401)
        refusal = refused(401, "The token is missing or wrong.", "Send the header Authorization: Bearer TOKEN.")
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].lower()
        return name in self._access.names or (self._access.any_address and _is_address(name.strip("[]")))


def refused(status: int, message: str, hint: str = "") -> JSONResponse:
    """Make the response to a request that is refused or failed.

    Args:
        status: HTTP status.
        message: a sentence.
        hint: what to do; empty if there is nothing.
    """
    return JSONResponse({"error": {"message": message, "hint": hint}}, status)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
