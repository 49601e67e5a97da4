"""A Hub on loopback that implements as much of the protocol as the real client needs to download and publish files.

It can also misbehave as real Hubs and the proxies in front of them do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import struct
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import constants

from colorcli.weights import licenses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


new_client_only = pytest.mark.skipif(
    version("huggingface-hub").startswith("0."),
    reason="older clients cannot be interrupted, leave unfinished files and read HF_HUB_OFFLINE only once",
)
COMMIT = "c0ffee" * 6 + "c0de"
TOKEN = "hf_sesame"
READ_ONLY = "hf_lentil"
LICENSES = {"apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0", "other"}
CHUNK = 1 << 16
_RESOLVE = re.compile(r"/(?P<repo>(spaces/)?[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


class Hub:
    """What is served, how it misbehaves, and what was requested."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}  # by `owner/name/file`, or `spaces/owner/name/file`
        self.commits: dict[str, str] = {}  # newest commit by repository, where it is not COMMIT
        self.private: set[str] = set()  # repositories that only clients with TOKEN may see
        self.gated: set[str] = set()  # files likewise, but their existence is public
        self.closed: set[str] = set()  # repositories that nobody may see anymore
        self.moved: dict[str, str] = {}  # repositories by their old name
        self.large: tuple[str, ...] = ()  # suffixes of files that are uploaded as large ones
        self.requests: list[str] = []  # `HEAD path`, `GET path`, `GET path bytes=7-`
        self.endpoint = ""
        # What goes wrong
        self.status = 200  # anything else is answered to everybody
        self.page: bytes = b""  # a proxy answers everybody with this web page
        self.instead: dict[str, bytes] = {}  # what is sent for a file, which HEAD describes as it should be
        self.cuts: list[int] = []  # the next answers to GET end after this number of bytes
        self.resets: list[int] = []  # likewise, by a reset of the connection
        self.pause = 0.0  # seconds after each CHUNK
        self.drip = False  # bodies are sent a byte a second
        self.headers: dict[str, str] = {}  # instead of, or beside, those of files
        self.head_only = 0  # number of honest answers to HEAD before `headers` are sent
        self.get_status = 200  # likewise `status`, but for files themselves
        self.lock = Lock()
        self.uploaded: dict[str, bytes] = {}  # large files by their sha256


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def shutdown_request(self, request: Any) -> None:
        """Only close: a shutdown first would not reset the connection."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do not report clients that have disconnected."""


@contextmanager
def serve() -> Iterator[Hub]:
    """Serve on a free port of this machine until the end of the block."""
    hub = Hub()
    server = _Server(("127.0.0.1", 0), _handler(hub))
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

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            """Take a large file at the address that the batch gave, to which no token is sent."""
            hub.requests.append(f"PUT {self.path}")
            body, oid = self._body(), self.path.rpartition("/")[2]
            if hashlib.sha256(body).hexdigest() == oid:
                hub.uploaded[oid] = body
            self._send(200 if oid in hub.uploaded else 422)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self) -> None:
            body = self._body()
            asked = self.headers.get("Range")
            if "/api/agent-harnesses" in self.path:  # telemetry of the client
                self._refuse(404, "EntryNotFound")
                return
            hub.requests.append(f"{self.command} {self.path}" + (f" {asked}" if asked else ""))
            if hub.page:
                self._send(200, hub.page, {"Content-Type": "text/html"})
            elif hub.status != 200 or (hub.get_status != 200 and self.command == "GET"):
                self._send(hub.status if hub.status != 200 else hub.get_status, headers=hub.headers)
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/main\?expand=xetEnabled", self.path):
                self._send_json(200, {"id": match[1], "xetEnabled": False})  # asked by clients before 1.0
            elif self.command in {"HEAD", "GET"}:
                self._resolve()
            else:
                self._receive(body)

        # Fetching

        def _resolve(self) -> None:
            match = _RESOLVE.fullmatch(self.path)
            if match is None:
                self._refuse(404, "EntryNotFound")
                return
            repo, name = match["repo"], f"{match['repo']}/{match['file']}"
            commit = hub.commits.get(repo, COMMIT)
            if repo in hub.moved:
                self._send(307, headers={"Location": self.path.replace(repo, hub.moved[repo], 1)})
            elif self._token() not in {None, TOKEN, READ_ONLY}:
                self._refuse(401, "", "Invalid credentials in Authorization header")
            elif repo in hub.closed:
                self._refuse(403, "", "Access to this resource is disabled.")
            elif repo in hub.private and self._token() is None:
                self._refuse(401, "RepoNotFound")
            elif name in hub.gated and self._token() is None:
                self._refuse(403, "GatedRepo")
            elif not any(file.startswith(f"{repo}/") for file in hub.files):
                self._refuse(404, "RepoNotFound")
            elif match["revision"] not in {"main", commit}:
                self._refuse(404, "RevisionNotFound")
            elif name not in hub.files:
                self._refuse(404, "EntryNotFound", headers={"X-Repo-Commit": commit})
            else:
                self._send_file(name, commit)

        def _token(self) -> str | None:
            given = self.headers.get("Authorization")
            return given.removeprefix("Bearer ") if given else None

        def _send_file(self, name: str, commit: str) -> None:
            content = hub.files[name]
            headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit}
            if hub.head_only > 0:
                hub.head_only -= 1
            else:
                headers |= hub.headers
            if self.command == "GET":
                content = hub.instead.get(name, content)
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._send(206 if start else 200, content[start:], headers)

        # Publishing

        def _receive(self, body: bytes) -> None:
            if self._token() != TOKEN:
                self._refuse(403 if self._token() else 401, "", "You don't have the rights to do this")
            elif self.path == "/api/repos/create":
                self._create(json.loads(body))
            elif self.path == "/api/validate-yaml":
                self._validate(json.loads(body)["content"])
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", self.path):
                files = [
                    {"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(hub.large) else "regular"}
                    for f in json.loads(body)["files"]
                ]
                self._send_json(200, {"files": [file | {"shouldIgnore": False} for file in files]})
            elif self.path.endswith(".git/info/lfs/objects/batch"):
                actions = [
                    each | {"actions": {"upload": {"href": f"{hub.endpoint}/large/{each['oid']}"}}}
                    for each in json.loads(body)["objects"]
                ]
                self._send_json(200, {"transfer": "basic", "objects": actions})
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path):
                self._commit(match[1], [json.loads(line) for line in body.splitlines()])
            else:
                self._refuse(404, "EntryNotFound")

        def _create(self, wanted: dict[str, str]) -> None:
            repo = f"{wanted['organization']}/{wanted['name']}"
            known = repo in hub.commits
            if not known:
                hub.commits[repo] = COMMIT
                if wanted.get("visibility") == "private" or wanted.get("private"):  # as clients before 1.0 say it
                    hub.private.add(repo)
            self._send_json(409 if known else 200, {"url": f"{hub.endpoint}/{repo}"})

        def _validate(self, card: str) -> None:
            front = re.match(r"---\n(.*?)\n---\n", card, flags=re.DOTALL)
            named = re.search(r"^license: (\S+)$", front[1], flags=re.MULTILINE) if front else None
            fine = named is not None and named[1] in LICENSES
            errors = [] if fine else [{"message": '"license" must be one of those that the Hub knows'}]
            self._send_json(200 if fine else 400, {"errors": errors, "warnings": []})

        def _commit(self, repo: str, lines: list[dict[str, dict[str, str]]]) -> None:
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    hub.files[f"{repo}/{value['path']}"] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    hub.files[f"{repo}/{value['path']}"] = hub.uploaded[value["oid"]]
            hub.commits[repo] = hashlib.sha1(json.dumps(lines).encode()).hexdigest()
            url = f"{hub.endpoint}/{repo}/commit/{hub.commits[repo]}"
            self._send_json(200, {"commitUrl": url, "commitOid": hub.commits[repo]})

        # Sending

        def _refuse(self, status: int, code: str, message: str = "", headers: dict[str, str] | None = None) -> None:
            told = {"X-Error-Code": code, "X-Error-Message": message}
            self._send(status, headers={key: value for key, value in told.items() if value} | (headers or {}))

        def _send_json(self, status: int, value: object) -> None:
            self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _send(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self._send_body(content)

        def _send_body(self, content: bytes) -> None:
            with hub.lock:
                file = self.command == "GET" and "/resolve/" in self.path
                reset = bool(file and hub.resets)
                ends = hub.resets if reset else hub.cuts if file else []
                end = ends.pop(0) if ends else len(content)
            for start in range(end if hub.drip and file else 0):
                self.wfile.write(content[start : start + 1])
                time.sleep(1)
            for start in range(0, end, CHUNK):
                self.wfile.write(content[start : min(end, start + CHUNK)])
                time.sleep(hub.pause)
            if end < len(content):
                self.close_connection = True
                if reset:  # closing now sends RST instead of FIN
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Log nothing."""

    return Handler


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Hub]:
    """Serve, and point the client in this process to it, with its cache in a folder and without a token."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "huggingface"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(licenses, "_this_process", set())
    with serve() as hub:
        turn_to(hub.endpoint, monkeypatch)
        yield hub


def turn_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what HF_ENDPOINT does, which the client has read when it was imported."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(
        "huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False
    )  # before 1.0


def environment(hub: Hub, folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process whose client uses this Hub, by the client's own variables."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING", "XDG_"))}
    kept = {"HF_HOME": folder / "home", "XDG_CACHE_HOME": folder / "cache", "XDG_DATA_HOME": folder / "data"}
    return clean | {"HF_ENDPOINT": hub.endpoint} | {key: str(value) for key, value in kept.items()} | more
