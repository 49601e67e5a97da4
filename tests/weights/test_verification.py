import os

import pytest

from colorcli.errors import WeightsCorrupt, WeightsNotFound
from colorcli.weights.verification import discard, verification_records, verify
from tests.weights.conftest import STARTER, describe


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "starter.bin"
    file.write_bytes(STARTER)
    return file


def change(file):
    """Change the content of a file, but not its size and modification time."""
    stat = file.stat()
    file.write_bytes(STARTER[:-1] + b"!")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_verified_file_is_not_hashed_again_until_it_changes(file):
    weights = describe(str(file), STARTER)
    verify(file, weights)
    change(file)
    assert verify(file, weights) == file
    os.utime(file)
    with pytest.raises(WeightsCorrupt, match="has the sha256"):
        verify(file, weights)


def test_a_verified_file_is_hashed_again_on_request(file):
    weights = describe(str(file), STARTER)
    verify(file, weights)
    change(file)
    with pytest.raises(WeightsCorrupt):
        verify(file, weights, reread=True)


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


def test_a_file_is_discarded_with_the_links_to_it(file, tmp_path):
    (tmp_path / "blob").symlink_to(file.name)
    (tmp_path / "snapshot").symlink_to("blob")
    assert discard(tmp_path / "snapshot")
    assert [path for path in tmp_path.iterdir() if path.is_symlink() or path.is_file()] == []
    assert not discard(tmp_path / "snapshot")


def test_an_unreadable_file_is_reported(tmp_path):
    with pytest.raises(WeightsNotFound, match=r"Cannot read .*nothing\.bin"):
        verify(tmp_path / "nothing.bin", describe("nothing.bin", STARTER))
