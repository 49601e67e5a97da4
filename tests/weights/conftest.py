import hashlib
import socket

import pytest

from colorcli import Colorizer, Weights
from tests.hub import connected, turn_to

BEST = b"the published weights" * 10_000
STARTER = b"the bundled weights"


def describe(file, content, repo="", **more):
    """Describe a file as a manifest does."""
    digest = hashlib.sha256(content).hexdigest()
    return Weights(file, digest, len(content), more.pop("license", "MIT"), "tests", "nothing", repo, **more)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub with the best weights, and empty caches."""
    with connected(monkeypatch, tmp_path) as hub:
        hub.files["someone/something/best.bin"] = BEST
        yield hub


@pytest.fixture
def no_hub(hub, monkeypatch):
    """A port without a server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        turn_to(f"http://127.0.0.1:{free.getsockname()[1]}", monkeypatch)
        yield hub


@pytest.fixture
def plain(tmp_path):
    """A colorizer with weights on the Hub and bundled weights."""
    starter = tmp_path / "starter.bin"
    starter.write_bytes(STARTER)

    class Plain(Colorizer):
        name = "plain"
        summary = "Stays gray."
        weights = {  # noqa: RUF012
            "best": describe("best.bin", BEST, "someone/something"),
            "starter": describe(str(starter), STARTER),
        }

        def build(self):
            raise NotImplementedError

        def predict(self, network, lightness, **options):
            raise NotImplementedError

    return Plain()
