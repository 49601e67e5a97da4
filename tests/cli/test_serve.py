"""`colorcli serve`, as users start it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from colorcli.cli import main
from colorcli.cli.serve import serve
from tests.documentation import ROOT
from tests.tiny import write_tiny_weights

TOKEN = "0123456789abcdef"
ADDRESS = re.compile(r"http://(\S+):(\d+)/\?token=([\w-]+)\n")


@pytest.fixture
def start(tmp_path):
    """Start a server in a separate process, on a free port; return it, and the address that it prints."""
    write_tiny_weights(tmp_path / "tiny.safetensors")
    running = []

    def started(*options, **environment):
        program = [sys.executable, "-c", "from colorcli.cli import program; program()"]
        command = [*program, "serve", "--no-browser", "--port=0", "--weights=tiny.safetensors", *options]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process, ADDRESS.fullmatch(process.stdout.readline()).groups()

    yield started
    for process in running:
        process.kill()
        process.communicate()


def status(port, token, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    connection.request("GET", f"{path}?token={token}")
    return connection.getresponse().status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_answers_there_and_ends_cleanly(start, number, tmp_path):
    process, (host, port, token) = start()
    assert host == "127.0.0.1"
    assert len(token) >= 32
    assert status(port, token) == 200
    assert status(port, "wrong") == 401
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_every_start_has_a_token_of_its_own_unless_one_is_given(start):
    tokens = [start()[1][2] for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert start(COLORCLI_TOKEN=TOKEN)[1][2] == TOKEN


def test_listening_for_other_computers_prints_a_warning(start):
    process, (host, port, token) = start("--host=0.0.0.0", f"--token={TOKEN}")
    assert host == "127.0.0.1"
    assert status(port, token) == 200
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert err.startswith("note: 0.0.0.0 can be reached from other computers, unencrypted.")


def test_a_port_that_is_taken_is_an_error_before_anything_is_loaded(start, capsys):
    _, (_, port, _) = start()
    assert main(["serve", "--no-browser", "--port", port, "--model", "not-a-model"]) == 2
    assert f"Cannot listen on 127.0.0.1, port {port}: Address already in use." in capsys.readouterr().err


@pytest.mark.parametrize("host", ["198.51.100.7", "no-such-host.invalid"])
def test_an_address_of_another_computer_is_an_error(host, capsys):
    assert main(["serve", "--no-browser", "--port=0", "--host", host]) == 2
    assert f"Cannot listen on {host}, port 0: " in capsys.readouterr().err


@pytest.mark.parametrize("token", ["", "short", "has a space in it, and is long", "é" * 20, "../../../../../etc"])
def test_a_token_that_can_be_guessed_or_breaks_addresses_is_refused(token, capsys):
    assert main(["serve", "--no-browser", "--token", token]) == 2
    assert "must have 16 to 200 letters, digits, - or _" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["starlette", "uvicorn", "python_multipart"])
def test_a_missing_package_is_named_with_the_extra_that_installs_it(module, monkeypatch, capsys):
    for name in list(sys.modules):
        if name.partition(".")[0] in {"starlette", "uvicorn", "python_multipart"} or name.startswith("colorcli.serve"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["serve", "--no-browser"]) == 2
    error = capsys.readouterr().err
    assert f"colorcli serve needs {module}, which is not installed." in error
    assert 'pip install "colorcli[serve]"' in error


def test_the_container_copies_what_is_there_and_starts_the_server_with_options_that_it_has():
    text = (ROOT / "docs" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    sources = [source for words in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for source in words.split()]
    assert {"pyproject.toml", "colorcli", "plugins", "weights"} <= set(sources)
    assert all((ROOT / source).exists() for source in sources)
    program, command, *words = json.loads(re.search(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)[1])
    assert (program, command) == ("colorcli", "serve")
    known = {option for parameter in serve.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
