"""The real client with a misbehaving Hub on loopback."""

import ctypes
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from huggingface_hub import constants

from colorcli.errors import UsageError, WeightsNotFound
from colorcli.weights import locate
from colorcli.weights.hub import TIMEOUT, HubFile
from tests.hub import COMMIT, READ_ONLY, TOKEN, environment, new_client_only, turn_to
from tests.weights.conftest import BEST, describe

PULL = """
from colorcli import Colorizer, Weights
from colorcli.weights import locate
class Plain(Colorizer):
    name = "plain"
    weights = {"best": %r}
    build = predict = None
print(locate(Plain(), "best").path)
"""
LARGE = os.urandom(4_000_000)


def program(content=BEST):
    return PULL % describe("best.bin", content, "someone/something")


def start(hub, folder, content=BEST, **keywords):
    """Pull in another process, whose client gets the address of the Hub from HF_ENDPOINT."""
    command = [sys.executable, "-c", program(content)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(hub, folder), **pipes, **keywords)


def pulled(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return Path(output.strip())


def gets(hub):
    return [request for request in hub.requests if request.startswith("GET")]


def leftovers(folder):
    return list(folder.rglob("*.incomplete"))


# Settings of the client


def test_endpoint_home_and_token_come_from_the_environment(hub, tmp_path):
    hub.private.add("someone/something")
    settings = environment(hub, tmp_path, HF_TOKEN=TOKEN)
    done = subprocess.run([sys.executable, "-c", program()], env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.is_relative_to(tmp_path / "home")
    assert path.read_bytes() == BEST


@new_client_only
def test_the_clients_own_offline_switch_is_honored(hub, plain, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsNotFound, match="HF_HUB_OFFLINE forbids downloads"):
        locate(plain, "best")
    assert hub.requests == []


def test_a_pinned_commit_and_a_space_are_asked_for_as_such(hub, plain):
    hub.files["spaces/someone/page/best.bin"] = BEST
    pinned = describe("best.bin", BEST, "someone/page", repo_type="space", revision=COMMIT)
    type(plain).weights = {"best": pinned}
    assert locate(plain, "best").path.read_bytes() == BEST
    assert gets(hub) == [f"GET /spaces/someone/page/resolve/{COMMIT}/best.bin"]


# Refusals by the Hub

REFUSALS = {
    "a file that is gone": (
        lambda hub: hub.files.update({"someone/something/b": b""}),
        "was not found on the Hub",
        "upgrade colorcli",
    ),
    "a repository that is gone": (lambda hub: None, "repository that does not exist", "hf auth login"),
    "a private repository": (
        lambda hub: (hub.files.update({"someone/something/best.bin": BEST}), hub.private.add("someone/something")),
        "or is private",
        "hf auth login",
    ),
    "a gated file": (
        lambda hub: (
            hub.files.update({"someone/something/best.bin": BEST}),
            hub.gated.add("someone/something/best.bin"),
        ),
        "gated repository",
        "Request access",
    ),
    "a closed repository": (lambda hub: hub.closed.add("someone/something"), "the Hub has disabled", "--weights"),
    "401": (lambda hub: setattr(hub, "status", 401), "rejected the token", "HF_TOKEN"),
    "403": (lambda hub: setattr(hub, "status", 403), "does not have access", "hf auth login"),
    "429": (lambda hub: setattr(hub, "status", 429), "too many requests", "Wait"),
    "500": (lambda hub: setattr(hub, "status", 500), "status 500", "Try again"),
    "503": (lambda hub: setattr(hub, "status", 503), "status 503", "Try again"),
    "a proxy's page": (
        lambda hub: setattr(hub, "page", b"<html>Log in</html>"),
        "perhaps a proxy",
        "HTTPS",
    ),
}


@pytest.mark.parametrize(("break_it", "message", "hint"), REFUSALS.values(), ids=REFUSALS)
def test_each_refusal_is_a_sentence_and_the_next_step(hub, plain, break_it, message, hint):
    hub.files.clear()
    break_it(hub)
    with pytest.raises(WeightsNotFound, match=message) as caught:
        locate(plain, "best")
    assert "best.bin" in caught.value.message
    assert hint in caught.value.hint
    assert gets(hub) == []


@pytest.mark.parametrize("token", [TOKEN, READ_ONLY])
def test_a_token_gives_access_to_gated_files(hub, plain, monkeypatch, token):
    hub.gated.add("someone/something/best.bin")
    monkeypatch.setenv("HF_TOKEN", token)
    assert locate(plain, "best").path.read_bytes() == BEST


def test_a_rejected_token_is_reported(hub, plain, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_stale")
    with pytest.raises(WeightsNotFound, match="rejected the token"):
        locate(plain, "best")


def test_a_repository_that_has_moved_is_followed(hub, plain):
    hub.files = {"someone/elsewhere/best.bin": BEST}
    hub.moved["someone/something"] = "someone/elsewhere"
    assert locate(plain, "best").path.read_bytes() == BEST


# A Hub that cannot be reached


def test_a_hub_that_never_answers_is_not_waited_for(hub, plain, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        turn_to(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        started = time.monotonic()
        located = locate(plain)
        assert time.monotonic() - started < TIMEOUT + 60  # which a busy machine may need for the rest
        assert located.tag == "starter"
        assert "\n" not in located.note


def test_an_unreachable_hub_is_not_tried_again_for_a_while(no_hub, plain, monkeypatch):
    first = locate(plain).note
    dialled = []
    monkeypatch.setattr(socket.socket, "connect", lambda *address: dialled.append(address))
    assert locate(plain).note == first
    assert dialled == []


# Interrupted downloads


@new_client_only
def test_a_broken_connection_is_resumed(hub, plain):
    """The client keeps whole chunks of 10 MiB."""
    content = os.urandom(24 << 20)
    hub.files["someone/something/best.bin"] = content
    type(plain).weights = {"best": describe("best.bin", content, "someone/something")}
    hub.cuts = [12 << 20, 11 << 20]
    arrived = []
    assert locate(plain, "best", progress=arrived.append).path.read_bytes() == content
    path = "GET /someone/something/resolve/main/best.bin"
    assert gets(hub) == [path, f"{path} bytes={10 << 20}-", f"{path} bytes={20 << 20}-"]
    assert sum(arrived) == len(content)


@new_client_only
def test_a_reset_connection_is_an_error_and_leaves_no_files(hub, plain, tmp_path):
    hub.resets = [70_000]
    with pytest.raises(WeightsNotFound, match="was not downloaded completely") as caught:
        locate(plain, "best")
    assert "to retry" in caught.value.hint
    assert leftovers(tmp_path) == []
    assert locate(plain, "best").path.read_bytes() == BEST


@new_client_only
def test_a_web_page_instead_of_a_file_is_not_stored(hub, plain, tmp_path):
    hub.instead["someone/something/best.bin"] = b"<html>Log in</html>"
    with pytest.raises(WeightsNotFound, match=r"was not downloaded completely .*Consistency check"):
        locate(plain, "best")
    assert leftovers(tmp_path) == []


def test_a_killed_download_starts_over(hub, tmp_path):
    hub.files["someone/something/best.bin"] = LARGE
    hub.pause = 0.05
    process = start(hub, tmp_path, LARGE)
    deadline = time.monotonic() + 30
    while not leftovers(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert leftovers(tmp_path)
    hub.pause = 0.0
    assert pulled(start(hub, tmp_path, LARGE)).read_bytes() == LARGE


def test_two_processes_that_pull_at_once_download_the_file_once(hub, tmp_path):
    hub.files["someone/something/best.bin"] = LARGE
    hub.pause = 0.01
    both = [start(hub, tmp_path, LARGE) for _ in range(2)]
    paths = [pulled(process) for process in both]
    assert paths[0] == paths[1]
    assert paths[0].read_bytes() == LARGE
    assert len(gets(hub)) == 1
    assert leftovers(tmp_path) == []


# Storage errors


def test_a_cache_that_cannot_be_created_is_reported(hub, plain, tmp_path, monkeypatch):
    (tmp_path / "a file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "a file" / "huggingface"))
    with pytest.raises(WeightsNotFound, match="cannot be stored") as caught:
        locate(plain, "best")
    assert "HF_HOME" in caught.value.hint


def limit_files():
    """Limit files, before a process starts, to half of what it will download."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (len(BEST) // 2,) * 2)


@new_client_only
@pytest.mark.skipif(os.name == "nt", reason="limits are those of Unix")
def test_a_full_disk_is_reported(hub, tmp_path):
    process = start(hub, tmp_path, preexec_fn=limit_files)
    _, errors = process.communicate(timeout=300)
    assert f"best.bin does not fit into {tmp_path}" in errors
    assert "HF_HOME" in errors
    assert leftovers(tmp_path) == []


def obey_permissions():
    """Make file permissions apply to root as well, before a process starts."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="root is held to permissions by Linux only")
def test_a_read_only_cache_is_reported(hub, tmp_path):
    (tmp_path / "home").mkdir(mode=0o555)
    _, errors = start(hub, tmp_path, preexec_fn=obey_permissions).communicate(timeout=300)
    (tmp_path / "home").chmod(0o755)
    assert f"best.bin cannot be stored in {tmp_path}" in errors
    assert "HF_HOME to a writable folder" in errors


# Links


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("hf://me/mine/a.safetensors", HubFile("me/mine", "a.safetensors")),
        ("hf://me/mine/deep/a.pt@v1.0", HubFile("me/mine", "deep/a.pt", "v1.0")),
        ("hf://me/mine@refs/a.pt", HubFile("me/mine", "a.pt", "refs")),
        ("hf://spaces/me/mine/a.pt@" + COMMIT, HubFile("me/mine", "a.pt", COMMIT, "space")),
        ("hf://models/me/mine/a.pt", HubFile("me/mine", "a.pt")),
    ],
)
def test_links_to_files_on_the_hub_are_parsed(uri, place):
    assert HubFile.parse(uri) == place


@pytest.mark.parametrize("uri", ["hf://me/mine", "hf://a.pt", "hf:///me/mine/a.pt", "hf://me/mine@a/b.pt@c", "hf://"])
def test_other_links_are_errors_that_show_the_form(uri):
    with pytest.raises(UsageError, match="Not a file on the Hub") as caught:
        HubFile.parse(uri)
    assert "hf://owner/name/file" in caught.value.hint
