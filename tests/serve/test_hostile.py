"""Requests by strangers and broken programs are refused, and nothing is left behind."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serve.pictures import encoded, gray, png_that_claims, zip_archive
from tests.serve.running import TOKEN, running

STATM = Path("/proc/self/statm")
MARKUP = "<img src=x onerror=alert(1)>.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def client(folder):
    with running(folder, max_bytes=2_000_000) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path, monkeypatch):
    """Neither in the current folder nor where temporary files go."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


# Who may ask


@pytest.mark.parametrize("path", ["/", "/api/models", "/static/app.js"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost@evil", "", "[::1"]
)
def test_a_host_that_is_not_ours_is_refused(client, path, host):
    answer = client.ask("GET", f"{path}?token={TOKEN}", host=host)
    assert answer.status in {400, 421}
    assert b"zhang" not in answer.content


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{}", "localhost:{}", "LOCALHOST", "[::1]:{}", "photos.example", "127.0.0.1:9999"]
)
def test_every_name_of_this_computer_is_accepted_through_any_tunnel(client, host):
    assert client.ask("GET", "/api/models", host=host.format(client.port)).status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost",
        "http://127.0.0.1:1",
        "file://",
        "http://127.0.0.1:{}.evil.example",
    ],
)
def test_a_page_from_elsewhere_is_refused_even_with_the_token(client, origin):
    answer = client.ask("GET", "/api/models", origin=origin.format(client.port))
    assert answer.status == 403
    assert "may not use this server" in answer.error


def test_our_own_page_is_accepted_also_behind_a_proxy_with_tls(client):
    assert client.ask("GET", "/api/models", origin=f"http://127.0.0.1:{client.port}").status == 200
    assert client.ask("GET", "/api/models", host="photos.example", origin="https://photos.example").status == 200


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"],
)
def test_a_token_that_is_wrong_or_missing_is_refused(client, authorization):
    for method, path in (("GET", "/api/models"), ("POST", "/api/pictures"), ("POST", f"/api/colorize?token={TOKEN}")):
        answer = client.ask(method, path, authorization=authorization)
        assert answer.status == 401
        assert answer.error == "The token is missing or wrong."


def test_the_page_needs_the_token_in_its_address(client):
    assert client.ask("GET", f"/?token={TOKEN}", authorization=None).status == 200
    for query in ("", "?token=", "?token=wrong", f"?TOKEN={TOKEN}"):
        answer = client.ask("GET", f"/{query}", authorization=None)
        assert answer.status == 401
        assert TOKEN.encode() not in answer.content


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
def test_no_other_page_is_ever_allowed_to_read_a_response(client, method):
    for path in ("/api/models", f"/?token={TOKEN}", "/static/app.js"):
        headers = client.ask(method, path, access_control_request_method="GET").headers
        assert not [name for name in headers if name.startswith("access-control")]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/__init__.py", "/static//etc/passwd", "/static/", "/app.py"]
)
def test_no_other_file_can_be_read(client, path):
    assert client.get(path).status in {401, 404}


# What they send


HOSTILE = {
    "a picture of 60,000 x 60,000 pixels": (
        png_that_claims(60_000, 60_000),
        "a.png",
        "a.png: 60000 x 60000 pixels are more than the limit of 4,000,000.",
    ),
    "a zip archive that is called .jpg": (zip_archive(), "a.jpg", "a.jpg: this is a zip archive."),
    "a web page": (b"<!doctype html><script>alert(1)</script>", "a.png", "a.png: this is a web page."),
    "a name with markup": (
        b"nothing",
        MARKUP,
        "img src=x onerror=alert(1).png: this is not a picture format that can be read.",
    ),
    "a name with folders": (b"", "../../etc/passwd", "passwd: the file is empty."),
    "a name of control characters": (b"", "\x00\n\x1b[31m", "[31m: the file is empty."),
    "half a picture": (encoded(gray(), "JPEG")[:700], "a.jpg", "a.jpg: this JPEG file is damaged or incomplete"),
}


@pytest.mark.parametrize(("content", "name", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_not_a_picture_is_refused_with_a_reason(client, content, name, message):
    answer = client.add(content, name)
    assert answer.status == 422
    assert answer.error.startswith(message)
    assert answer.headers["content-type"] == "application/json"


def test_a_form_is_refused_for_the_same_reasons(client):
    answer = client.colorize(png_that_claims(60_000, 60_000), {})
    assert (answer.status, answer.error[:8]) == (422, "a.png: 6")
    assert client.colorize(b"x" * 2_500_000, {}).status == 413
    assert client.colorize(encoded(gray()), {}, content_type="text/plain").status == 400
    assert client.colorize(encoded(gray()), {}, content_type="multipart/form-data; boundary=other").status == 400
    assert client.ask("POST", "/api/colorize", b"", content_type="multipart/form-data").status == 400


def test_a_file_that_is_too_large_is_refused_before_it_is_read(client):
    assert client.ask("POST", "/api/pictures", content_length="2000001").status == 413
    assert client.ask("POST", "/api/pictures", content_length=str(10**30)).status in {400, 413}
    assert client.ask("POST", "/api/pictures", content_length=None).status == 411


SETTINGS = {
    "not JSON": (b"{", "The settings are not valid JSON"),
    "a list": (b"[]", "settings must be a table"),
    "nested too deeply": (b"[" * 100_000, "The settings are not valid JSON"),
    "an unknown field": (b'{"stength": 1}', "settings.stength is not a known field. Did you mean strength?"),
    "a wrong type": (b'{"strength": "much"}', "settings.strength must be a number from 0 to 1, got 'much'"),
    "out of bounds": (
        b'{"strength": 1.5, "seed": -1}',
        "settings.strength must be a number from 0 to 1, got 1.5; settings.seed",
    ),
    "not finite": (b'{"strength": NaN}', "The settings are not valid JSON"),
    "an unknown option": (b'{"options": {"temprature": 1}}', "zhang has no option 'temprature'."),
    "an option out of bounds": (
        b'{"options": {"temperature": 9}}',
        "-p temperature must be a number from 0 to 2, got 9.",
    ),
    "an unknown model": (b'{"model": "zang"}', "Colorizer not found: zang."),
    "a model that is a path": (b'{"model": "../../etc/passwd"}', "A model must be COLORIZER or COLORIZER.TAG"),
    "an address as a model": (b'{"model": "hf://evil/x/y.safetensors"}', "Colorizer not found: hf://evil/x/y."),
    "a hint that is none": (b'{"hints": ["red"]}', "A hint must be X,Y=COLOR, got 'red'."),
    "a hint outside": (b'{"hints": ["900,1=red"]}', "The hint 900,1 is outside the picture"),
    "a hint of a film": (
        b'{"hints": ["1,1@0:12=red"]}',
        "The hint 1,1@12=#ff0000 has a time, but a.png is not a film.",
    ),
    "too many hints": (b'{"hints": [' + b'"1,1=red",' * 1000 + b'"1,1=red"]}', "settings.hints must be a list"),
    "an unknown format": (b'{"format": "exe"}', "'exe' is not a picture format."),
}


@pytest.mark.parametrize(("body", "message"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_are_wrong_are_refused_with_a_reason(client, body, message):
    path = client.opened(encoded(gray()))
    answer = client.ask("POST", f"{path}/file", body, content_type="application/json")
    assert answer.status == 400
    assert answer.error.startswith(message)


def test_a_license_that_was_not_accepted_is_named(client, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    answer = client.post(f"{client.opened(encoded(gray()))}/preview", {"model": "pix2pix.shariatnia"})
    assert answer.status == 403
    assert "published without a license" in answer.error


def test_a_silent_client_does_not_hold_up_the_others(client):
    silent = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(20)]
    for connection in silent:
        connection.send(b"POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n")
    assert client.get("/api/models").status == 200
    for connection in silent:
        connection.close()


# Many at once


def at_once(count, ask):
    gate = threading.Barrier(count)

    def wait_and_ask(number):
        gate.wait()
        return ask(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_ask, range(count)))


def test_fifty_requests_at_once_are_all_answered(client):
    content = encoded(gray())
    expected = client.colorize(content, {"strength": 0.5}).content
    answers = at_once(50, lambda _: client.colorize(content, {"strength": 0.5}))
    assert {answer.status for answer in answers} == {200}
    assert {answer.content for answer in answers} == {expected}


def test_more_than_may_wait_are_refused_and_may_come_again(folder):
    with running(folder, most_waiting=4) as client:
        content = encoded(gray(600, 400))
        answers = at_once(50, lambda _: client.colorize(content, {}))
        assert {answer.status for answer in answers} == {200, 503}
        refused = next(answer for answer in answers if answer.status == 503)
        assert refused.error == "Too many requests are waiting."
        assert int(refused.headers["retry-after"]) > 0
        assert client.colorize(content, {}).status == 200


@pytest.mark.skipif(not STATM.exists(), reason="reads the size of the process from /proc")
def test_memory_does_not_grow_with_the_number_of_pictures(folder):
    def resident():
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def visit(client, number):
        path = client.opened(encoded(gray(400, 300 + number % 7)))
        assert client.post(f"{path}/preview", {"strength": 0.5}).status == 200
        assert client.post(f"{path}/file", {}).status == 200

    with running(folder, memory=10_000_000) as client:
        for number in range(40):
            visit(client, number)
        before = resident()
        for number in range(200):
            visit(client, number)
        assert resident() - before < 40_000_000  # the pictures with their previews and chroma have 160 MB
