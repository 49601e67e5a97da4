"""Object storage on the command line: S3, on a server on this machine."""

import json
import os

import fsspec
import numpy as np
import pytest
from PIL import Image

from colorcli.cli import main
from colorcli.storage import as_path
from tests.media.films.clips import make_clip
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


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def photos(bucket, tmp_path, request):
    """A folder in the bucket, and the same on this disk: the URL and the path."""
    url, local = f"{bucket}/{request.node.name}/photos", tmp_path / "photos"
    for n, name in enumerate(["a.jpg", "sub/b.png", "sub/c.tif"]):
        as_path(f"{url}/{name}").upload(gray(local / name, n), overwrite=True)
    as_path(f"{url}/notes.txt").upload(local / "a.jpg", overwrite=True)
    return url, local


def stored(url):
    """The objects below a URL: their keys, relative to it, and their bytes."""
    system = fsspec.filesystem("s3", use_listings_cache=False)
    found = system.find(url)
    return {key.removeprefix(url.partition("://")[2] + "/"): system.cat_file(key) for key in found}


def test_outputs_equal_local_ones_byte_for_byte_and_a_second_run_skips_them(photos, colorcli):
    url, local = photos
    assert colorcli(local)[0] == 0
    code, out, err = colorcli(url, "--json")
    assert code == 0
    assert f"3 colorized in {url}-color" in err
    names = ["a.jpg", "sub/b.png", "sub/c.tif"]
    assert [(row["input"], row["output"]) for row in rows(out)] == [(f"{url}/{n}", f"{url}-color/{n}") for n in names]
    made = stored(f"{url}-color")
    assert made == {name: (local.with_name("photos-color") / name).read_bytes() for name in names}
    code, out, err = colorcli(url, "--json")
    assert code == 0
    assert [row.get("done_before") for row in rows(out)] == [True] * 3
    assert stored(f"{url}-color") == made


def test_files_may_go_to_the_bucket_and_come_from_it(photos, colorcli, tmp_path):
    url, local = photos
    assert colorcli(local, "-o", f"{url}-up")[0] == 0
    assert colorcli(url, "-o", tmp_path / "down")[0] == 0
    down = {p.relative_to(tmp_path / "down").as_posix(): p.read_bytes() for p in (tmp_path / "down").rglob("*.*")}
    assert stored(f"{url}-up") == down


def test_other_settings_and_bad_pictures_are_reported_and_do_not_stop_the_rest(photos, colorcli, tmp_path):
    url, _ = photos
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    as_path(f"{url}/bad.jpg").upload(tmp_path / "bad.jpg", overwrite=True)
    code, _, err = colorcli(url)
    assert code == 1
    assert f"{url}/bad.jpg: this is " in err
    assert "3 colorized" in err
    code, _, err = colorcli(url, "--strength", "0.5")
    assert code == 1
    assert f"{url}-color/a.jpg was made by zhang.tiny with other settings." in err
    assert colorcli(f"{url}/sub", "-o", f"{url}-color/sub", "--strength", "0.5", "--overwrite")[0] == 0


def test_a_missing_bucket_is_reported(bucket, colorcli):
    code, _, err = colorcli("s3://nobody-has-this/photos")
    assert code == 1
    assert "not found: s3://nobody-has-this/photos" in err


def test_a_film_is_copied_here_and_its_output_uploaded(bucket, colorcli, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    film = make_clip(tmp_path / "film.mp4", frames=4, size=(48, 32))
    as_path(f"{bucket}/films/film.mp4").upload(film, overwrite=True)
    assert colorcli(film)[0] == 0
    code, out, _ = colorcli(f"{bucket}/films/film.mp4", "--json")
    (row,) = rows(out)
    assert (code, row["output"], row["frames"]) == (0, f"{bucket}/films/film-color.mp4", 4)
    assert as_path(row["output"]).read_bytes() == (tmp_path / "film-color.mp4").read_bytes()
    assert list((tmp_path / "data" / "colorcli" / "films").iterdir()) == []
    assert rows(colorcli(f"{bucket}/films/film.mp4", "--json")[1])[0]["done_before"]
