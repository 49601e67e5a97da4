"""A server with a tiny model, in a thread of the test's process, and a client for it."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from colorcli import load
from colorcli.plugin.registry import Registry
from colorcli.serve.app import Server
from colorcli.serve.guard import Access
from colorcli.serve.models import ModelCache
from colorcli.serve.requests import Limits
from colorcli.serve.server import HttpServer, address_of, listen, names_of
from tests.tiny import write_tiny_weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path

TOKEN = "a-token-for-tests"
BOUNDARY = "a-boundary-for-tests"


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]  # names in lower case
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> str:
        return self.json["error"]["message"]


@dataclass(frozen=True)
class Client:
    """Sends requests with the token, or whatever headers a test wants."""

    port: int
    url: str

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str | None) -> Answer:
        """Send a request. `headers` has underscores for hyphens; None leaves one out."""
        given = {
            "Authorization": f"Bearer {TOKEN}",
            "Host": f"127.0.0.1:{self.port}",
            "Content-Length": str(len(body)),
        }
        given |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may be refused before it is read
                connection.send(body)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, settings: object) -> Answer:
        return self.ask("POST", path, json.dumps(settings).encode(), content_type="application/json")

    def add(self, content: bytes, name: str = "a.png") -> Answer:
        return self.ask("POST", f"/api/pictures?name={quote(name)}", content)

    def opened(self, content: bytes, name: str = "a.png") -> str:
        """Send a picture, and return its path."""
        answer = self.add(content, name)
        assert answer.status == 201, answer.content
        return f"/api/pictures/{answer.json['key']}"

    def colorize(self, content: bytes, settings: object = None, name: str = "a.png", **headers: str | None) -> Answer:
        parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="picture"; filename="{name}"\r\n\r\n'.encode()]
        parts += [content, b"\r\n"]
        if settings is not None:
            parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="settings"\r\n\r\n'.encode())
            parts += [json.dumps(settings).encode(), b"\r\n"]
        parts.append(f"--{BOUNDARY}--\r\n".encode())
        headers = {"content_type": f"multipart/form-data; boundary={BOUNDARY}", **headers}
        return self.ask("POST", "/api/colorize", b"".join(parts), **headers)


@contextlib.contextmanager
def running(
    folder: Path, films: Path | None = None, frame_rate: Fraction | None = None, **limits: int
) -> Iterator[Client]:
    """Run a server whose default model is `zhang.tiny`.

    Args:
        folder: where its weights go.
        films: the folder of films that it may open.
        frame_rate: of numbered pictures.
        **limits: as of `Limits`.
    """
    default = load("zhang", weights=write_tiny_weights(folder / "tiny.safetensors"), device="cpu", precision="fp32")
    models = ModelCache(default, lambda name: load(name, device="cpu", precision="fp32", offline=True))
    listening = listen("127.0.0.1", 0)
    access = Access(TOKEN, names_of("127.0.0.1", ("photos.example",)))
    limit = Limits(**{"max_pixels": 4_000_000, **limits})
    app = Server(models, Registry().colorizers().values(), limit, access, films, frame_rate).app
    started = threading.Event()
    server = HttpServer(app, started.set)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        assert started.wait(60)
        yield Client(listening.getsockname()[1], address_of(listening, "127.0.0.1", TOKEN))
    finally:
        server.should_exit = True
        thread.join(60)
        listening.close()
        assert not thread.is_alive()
