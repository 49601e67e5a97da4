import hashlib
import json
import os
import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from colorcli import Colorizer, Weights
from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.weights import Header, is_here, locate, open_file, read_header, read_state, write_state
from tests.hub import TOKEN, serve

BEST = b"the published weights" * 1000
STARTER = b"the bundled weights"


def described(file, content, repo=""):
    return Weights(file, hashlib.sha256(content).hexdigest(), len(content), "MIT", "tests", "nothing", repo)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub with the best weights, and caches that are empty."""
    with serve() as hub:
        hub.files["someone/something/best.bin"] = BEST
        turn_to(hub.endpoint, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield hub


def turn_to(endpoint, monkeypatch):
    """The client reads HF_ENDPOINT when it is imported, which is long ago."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )


@pytest.fixture
def no_hub(hub, monkeypatch):
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        turn_to(f"http://127.0.0.1:{free.getsockname()[1]}", monkeypatch)
        yield hub


@pytest.fixture
def plain(tmp_path):
    """A colorizer with weights on the Hub and bundled ones."""
    starter = tmp_path / "starter.bin"
    starter.write_bytes(STARTER)

    class Plain(Colorizer):
        name = "plain"
        summary = "Stays grey."
        weights = {  # noqa: RUF012
            "best": described("best.bin", BEST, "someone/something"),
            "starter": described(str(starter), STARTER),
        }

        def build(self):
            raise NotImplementedError

        def predict(self, network, lightness, **options):
            raise NotImplementedError

    return Plain()


# Locating


def test_a_bare_name_gets_the_first_tag_from_the_hub(hub, plain):
    located = locate(plain)
    assert (located.tag, located.note) == ("best", "")
    assert located.path.read_bytes() == BEST
    assert located.weights is plain.weights["best"]


def test_what_was_downloaded_once_is_found_without_asking_the_hub(hub, plain):
    locate(plain)
    hub.requests.clear()
    assert locate(plain, offline=True).tag == "best"
    assert locate(plain).tag == "best"
    assert hub.requests == []


def test_a_bare_name_gets_the_bundled_weights_where_the_hub_cannot_be_reached(no_hub, plain):
    started = time.monotonic()
    located = locate(plain)
    assert located.tag == "starter"
    assert located.path.read_bytes() == STARTER
    assert located.note.startswith("Using plain.starter, not the better plain.best: someone/something/best.bin cannot")
    assert "\n" not in located.note
    assert time.monotonic() - started < 3


def test_a_hub_that_never_answers_is_given_up_after_seconds(hub, plain, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        turn_to(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        started = time.monotonic()
        assert locate(plain).tag == "starter"
        assert time.monotonic() - started < 8


@pytest.mark.parametrize("status", [500, 503])
def test_a_bare_name_gets_the_bundled_weights_where_the_hub_is_ill(hub, plain, status):
    hub.status = status
    located = locate(plain)
    assert located.tag == "starter"
    assert f"status {status}" in located.note


def test_offline_never_asks_the_hub(hub, plain):
    located = locate(plain, offline=True)
    assert located.tag == "starter"
    assert "--offline forbids a download" in located.note
    assert hub.requests == []


def test_the_clients_own_offline_switch_is_honoured(hub, plain, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    located = locate(plain)
    assert located.tag == "starter"
    assert "HF_HUB_OFFLINE" in located.note
    assert hub.requests == []


def test_an_explicit_tag_never_falls_back(no_hub, plain):
    with pytest.raises(WeightsNotFound, match="cannot be reached"):
        locate(plain, "best")
    assert locate(plain, "starter").path.read_bytes() == STARTER


def test_an_unknown_tag_is_an_error_that_lists_the_tags(plain):
    with pytest.raises(UsageError, match="plain has no weights 'siggraph'") as caught:
        locate(plain, "siggraph")
    assert "best, starter" in caught.value.hint


def test_a_colorizer_without_weights_has_nothing_to_locate(plain, monkeypatch):
    monkeypatch.setattr(type(plain), "weights", {})
    with pytest.raises(WeightsNotFound, match="plain has no weights"):
        locate(plain)


def test_a_file_that_is_gone_from_the_hub_is_an_error_that_says_so(hub, plain):
    hub.files["someone/something/other.bin"] = hub.files.pop("someone/something/best.bin")
    with pytest.raises(WeightsNotFound, match=r"someone/something/best.bin is no longer on the Hub"):
        locate(plain, "best")


def test_a_repository_that_is_gone_is_an_error_that_says_so(hub, plain):
    hub.files.clear()
    with pytest.raises(WeightsNotFound, match="repository that the Hub does not have"):
        locate(plain, "best")


def test_a_gated_file_is_an_error_that_tells_how_to_log_in(hub, plain, monkeypatch):
    hub.gated.add("someone/something/best.bin")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(WeightsNotFound, match="only to some") as caught:
        locate(plain, "best")
    assert "hf auth login" in caught.value.hint
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert locate(plain, "best").path.read_bytes() == BEST


def test_a_download_that_cannot_be_stored_is_an_error_that_says_so(hub, plain, tmp_path, monkeypatch):
    (tmp_path / "a file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "a file" / "huggingface"))
    with pytest.raises(WeightsNotFound, match="cannot be stored"):
        locate(plain, "best")


def test_missing_bundled_weights_are_an_error(plain):
    Path(plain.weights["starter"].file).unlink()
    with pytest.raises(WeightsNotFound, match=r"starter\.bin are missing"):
        locate(plain, "starter")


def test_what_is_here_is_known_without_asking_the_hub(hub, plain):
    assert is_here(plain.weights["starter"])
    assert not is_here(plain.weights["best"])
    locate(plain, "best")
    hub.requests.clear()
    assert is_here(plain.weights["best"])
    assert hub.requests == []


def test_endpoint_home_and_token_come_from_the_environment(hub, tmp_path):
    hub.gated.add("someone/something/best.bin")
    program = f"""
from colorcli import Colorizer, Weights
from colorcli.weights import locate
class Plain(Colorizer):
    name = "plain"
    weights = {{"best": {described("best.bin", BEST, "someone/something")!r}}}
    build = predict = None
print(locate(Plain()).path)
"""
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN}
    environment |= {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.is_relative_to(tmp_path / "home")
    assert path.read_bytes() == BEST


# Verifying


def test_a_file_of_another_size_on_the_hub_is_not_even_downloaded(hub, plain):
    hub.files["someone/something/best.bin"] = b"<html>moved</html>"
    with pytest.raises(WeightsCorrupt, match="has 18 bytes, where 21,000 were expected"):
        locate(plain)
    assert not any(request.startswith("GET") for request in hub.requests)


def test_a_file_of_other_content_is_refused_and_left_where_it_is(hub, plain):
    hub.files["someone/something/best.bin"] = BEST[:-1] + b"!"
    with pytest.raises(WeightsCorrupt, match="has the sha256") as caught:
        locate(plain)
    path = Path(caught.value.message.split(" has the")[0])
    assert path.read_bytes() == BEST[:-1] + b"!"
    assert "Delete it" in caught.value.hint


def test_a_truncated_bundled_file_is_refused(plain):
    Path(plain.weights["starter"].file).write_bytes(STARTER[:-1])
    with pytest.raises(WeightsCorrupt, match="has 18 bytes, where 19 were expected"):
        locate(plain, "starter")


def test_a_verified_file_is_not_read_again_until_it_changes(hub, plain):
    path = locate(plain, "best").path.resolve()
    stat = path.stat()
    path.write_bytes(BEST[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert locate(plain, "best").path.resolve() == path  # nothing that a glance would notice has changed
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(WeightsCorrupt):
        locate(plain, "best")


def test_a_cache_that_cannot_be_written_to_is_no_obstacle(hub, plain, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert locate(plain, "best").path.read_bytes() == BEST


# Opening

STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.steps": torch.tensor(7)}


def assert_same(state):
    assert state.keys() == STATE.keys()
    assert all(value.equal(STATE[name]) for name, value in state.items())


def test_safetensors_and_torch_files_are_read(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "a.pth")
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_same(read_state(tmp_path / "a.safetensors", "safetensors"))
    assert_same(read_state(tmp_path / "a.pth", "torch"))
    assert_same(read_state(tmp_path / "old.pth", "torch"))


class Trap:
    """Unpickling it would write a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (os.mkdir, (str(self.file),))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path, zipped):
    sprung = tmp_path / "sprung"
    torch.save({"weight": Trap(sprung)}, tmp_path / "trap.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsCorrupt, match=r"trap\.pth cannot be opened as torch weights: \w+"):
        read_state(tmp_path / "trap.pth", "torch")
    with pytest.raises(WeightsCorrupt):
        open_file(tmp_path / "trap.pth")
    assert not sprung.exists()


def test_a_bare_pickle_is_refused_and_not_run(tmp_path):
    sprung = tmp_path / "sprung"
    (tmp_path / "trap.pkl").write_bytes(pickle.dumps(Trap(sprung), protocol=2))
    with pytest.raises(WeightsCorrupt):
        open_file(tmp_path / "trap.pkl")
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"<html>moved</html>", b"\x00" * 100, b"PK\x03\x04 and no more"])
@pytest.mark.parametrize("format", ["safetensors", "torch"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, content, format):  # noqa: A002
    (tmp_path / "weights").write_bytes(content)
    with pytest.raises(WeightsCorrupt, match="cannot be opened"):
        read_state(tmp_path / "weights", format)


def test_a_file_that_holds_something_else_than_tensors_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "checkpoint.pth")
    with pytest.raises(WeightsCorrupt, match="something else than tensors"):
        read_state(tmp_path / "checkpoint.pth", "torch")


def test_a_file_that_we_export_says_how_its_network_is_built(tmp_path):
    file = tmp_path / "weights"  # the name says nothing
    header = Header("zhang", "mine", {"widths": [8, 16]}, input_size=176)
    write_state(file, STATE, header)
    state, network = open_file(file)
    assert_same(state)
    assert network == {"widths": [8, 16]}
    assert read_header(file) == header


def test_a_file_without_a_header_asks_for_the_published_layout(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "a.pth")
    assert open_file(tmp_path / "a.safetensors")[1] == {}
    assert open_file(tmp_path / "a.pth")[1] == {}


@pytest.mark.parametrize("header", ["{", "[]", json.dumps({"netwrok": {}})])
def test_a_damaged_header_is_refused(tmp_path, header):
    save_file(STATE, tmp_path / "a.safetensors", metadata={"colorcli": header})
    with pytest.raises(WeightsCorrupt, match="damaged header"):
        open_file(tmp_path / "a.safetensors")


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(WeightsNotFound, match="There is no weights file"):
        open_file(tmp_path / "a.safetensors")
