import os
import time

import pytest
from huggingface_hub import constants

from colorcli.errors import WeightsCorrupt, WeightsNotFound
from colorcli.weights import verification
from colorcli.weights.verification import discard, sha256_of, verification_records, verify
from tests.weights.conftest import STARTER, describe


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "starter.bin"
    file.write_bytes(STARTER)
    return file


def alter(file):
    """Change the content of a file, but not its size and modification time."""
    stat = file.stat()
    file.write_bytes(STARTER[:-1] + b"!")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def replace(file):
    """Put another file in its place, of the same size and modification time."""
    other = file.with_name("other")
    other.write_bytes(STARTER[:-1] + b"!")
    stat = file.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)


def relink(file):
    """Make it a link to another file, of the same size and modification time."""
    replace(file)
    file.rename(file.with_name("target"))
    file.symlink_to("target")


def count_hashes(monkeypatch):
    """Count how often files are hashed."""
    hashed = []
    monkeypatch.setattr(verification, "sha256_of", lambda path: hashed.append(path) or sha256_of(path))
    return hashed


def test_a_verified_file_is_not_hashed_again(file, monkeypatch):
    weights = describe(str(file), STARTER)
    hashed = count_hashes(monkeypatch)
    for _ in range(3):
        verify(file, weights)
    assert hashed == [file]


@pytest.mark.parametrize("change", [alter, replace, relink])
def test_a_changed_file_is_noticed_even_with_the_same_size_and_time(file, change):
    weights = describe(str(file), STARTER)
    verify(file, weights)
    change(file)
    with pytest.raises(WeightsCorrupt, match="has the sha256"):
        verify(file, weights)


@pytest.mark.parametrize("days", [8, 400, -1], ids=["a week", "a year", "a clock that was wrong"])
def test_a_verified_file_is_hashed_again_after_a_week(file, monkeypatch, days):
    weights = describe(str(file), STARTER)
    verify(file, weights)
    (record,) = verification_records()
    os.utime(record.path, (time.time() - days * 86400,) * 2)
    hashed = count_hashes(monkeypatch)
    for _ in range(2):
        verify(file, weights)
    assert hashed == [file]


def test_a_verified_file_is_hashed_again_on_request(file, monkeypatch):
    weights = describe(str(file), STARTER)
    verify(file, weights)
    hashed = count_hashes(monkeypatch)
    verify(file, weights, reread=True)
    assert hashed == [file]


def test_verified_files_are_recorded(file):
    assert list(verification_records()) == []
    weights = describe(str(file), STARTER)
    verify(file, weights)
    (record,) = verification_records()
    assert (record.sha256, record.file) == (weights.sha256, file)


def test_a_read_only_home_is_not_an_error(file, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert verify(file, describe(str(file), STARTER)) == file
    assert list(verification_records()) == []


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
    (tmp_path / "huggingface" / "blobs").mkdir(parents=True)
    (tmp_path / "huggingface" / "snapshots").mkdir()
    return tmp_path / "huggingface"


def test_a_file_is_discarded_with_the_links_to_it(cache):
    (cache / "blobs" / "blob").write_bytes(STARTER)
    (cache / "snapshots" / "file").symlink_to("../blobs/blob")
    assert discard(cache / "snapshots" / "file")
    assert [path for path in cache.rglob("*") if path.is_symlink() or path.is_file()] == []
    assert not discard(cache / "snapshots" / "file")


@pytest.mark.parametrize(
    "link", ["../../precious", "../blobs/../../precious", "absolute", "a link to a link", "a folder"]
)
def test_nothing_outside_the_cache_is_discarded(cache, tmp_path, link):
    precious = tmp_path / "precious"
    precious.write_bytes(STARTER)
    file = cache / "snapshots" / "file"
    if link == "a link to a link":
        (cache / "blobs" / "blob").symlink_to(precious)
        file.symlink_to("../blobs/blob")
    elif link == "a folder":
        (tmp_path / "elsewhere").mkdir()
        precious = precious.rename(tmp_path / "elsewhere" / "file")
        file.parent.rmdir()
        file.parent.symlink_to(tmp_path / "elsewhere")
    else:
        file.symlink_to(precious if link == "absolute" else link)
    assert not discard(file)
    assert not discard(precious)
    assert precious.read_bytes() == STARTER


def test_links_in_a_circle_are_not_followed_forever(cache):
    (cache / "blobs" / "a").symlink_to("b")
    (cache / "blobs" / "b").symlink_to("a")
    discard(cache / "blobs" / "a")


@pytest.mark.skipif(os.name == "nt", reason="named pipes of Unix")
def test_a_pipe_is_refused_without_waiting(file, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsNotFound, match="not a regular file"):
        verify(tmp_path / "pipe", describe("pipe", STARTER))


def test_an_unreadable_file_is_reported(tmp_path):
    with pytest.raises(WeightsNotFound, match=r"Cannot read .*nothing\.bin"):
        verify(tmp_path / "nothing.bin", describe("nothing.bin", STARTER))
