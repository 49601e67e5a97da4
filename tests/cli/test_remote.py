"""Object storage on the command line: S3, on a server of this machine."""

import json
import os

import fsspec
import numpy as np
import pytest
from PIL import Image

from colorcli.cli import main
from colorcli.storage import as_path
from tests.tiny import write_tiny_weights

pytest.importorskip("s3fs", reason="s3fs, of the extra remote, is not installed")
server = pytest.importorskip("moto.server", reason="moto, the S3 server of these tests, is not installed")


@pytest.fixture(scope="module")
def bucket():
    """The URL of an empty bucket, and what makes it reachable."""
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "anyone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
            patch.delenv(name)
        fsspec.filesystem("s3").mkdir("s3://archive")
        yield "s3://archive"
    running.stop()


@pytest.fixture
def colorcli(tmp_path, capsys, monkeypatch):
    weights = write_tiny_weights(tmp_path / "tiny.safetensors")
    monkeypatch.chdir(tmp_path)

    def run(*args):
        code = main(["run", "--device", "cpu", "--weights", str(weights), *map(str, args)])
        return code, *capsys.readouterr()

    return run


def gray(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(40, 200, (32, 40), np.uint8)).save(path)
    return path


def put(url, path):
    as_path(url).upload(path, overwrite=True)


def test_it(bucket, colorcli, tmp_path):
    for n, name in enumerate(["a.jpg", "sub/b.png", "sub/c.tif"]):
        put(f"{bucket}/photos/{name}", gray(tmp_path / "photos" / name, n))
    print(colorcli("photos"))
    print(colorcli(f"{bucket}/photos", "--json"))
    print(colorcli(f"{bucket}/photos", "--json"))
    print(fsspec.filesystem("s3").find(bucket))
