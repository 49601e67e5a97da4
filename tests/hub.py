"""A Hub on loopback that speaks as much of the protocol as the real client needs to fetch a file."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "c0ffee" * 6 + "c0de"
TOKEN = "hf_sesame"


class Hub:
    """What is served, and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}  # by `owner/name/file`
        self.gated: set[str] = set()  # files that only TOKEN may see
        self.status = 200  # anything else is answered to everybody
        self.requests: list[str] = []  # `HEAD path`, `GET path`
        self.endpoint = ""


@contextmanager
def serve() -> Iterator[Hub]:
    """Serve on a free port of this machine until the end of the block."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            repo, _, rest = self.path.lstrip("/").partition("/resolve/")
            name = f"{repo}/{rest.partition('/')[2]}"
            if hub.status != 200:
                self._send(hub.status)
            elif name in hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(403, error="GatedRepo")
            elif name in hub.files:
                self._send_file(hub.files[name])
            elif any(file.startswith(f"{repo}/") for file in hub.files):
                self._send(404, error="EntryNotFound")
            else:
                self._send(404, error="RepoNotFound")

        def _send_file(self, content: bytes) -> None:
            etag = f'"{hashlib.sha256(content).hexdigest()}"'
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            self._send(206 if start else 200, content[start:], etag=etag)

        def _send(self, status: int, content: bytes = b"", etag: str = "", error: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", COMMIT)
            if etag:
                self.send_header("ETag", etag)
            if error:
                self.send_header("X-Error-Code", error)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    return Handler
