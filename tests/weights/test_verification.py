import os

import pytest

from colorcli.errors import WeightsCorrupt, WeightsNotFound
from colorcli.weights.verification import discard, seals, verified
from tests.weights.conftest import STARTER, describe


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "starter.bin"
    file.write_bytes(STARTER)
    return file


def change(file):
    """Give a file another content of the same size and age."""
    stat = file.stat()
    file.write_bytes(STARTER[:-1] + b"!")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_verified_file_is_not_read_again_until_it_changes(file):
    weights = describe(str(file), STARTER)
    verified(file, weights)
    change(file)
    assert verified(file, weights) == file  # nothing that a glance would notice has changed
    os.utime(file)
    with pytest.raises(WeightsCorrupt, match="has the sha256"):
        verified(file, weights)


def test_a_verified_file_is_read_again_if_so_wished(file):
    weights = describe(str(file), STARTER)
    verified(file, weights)
    change(file)
    with pytest.raises(WeightsCorrupt):
        verified(file, weights, afresh=True)


def test_what_was_verified_is_noted(file):
    assert list(seals()) == []
    weights = describe(str(file), STARTER)
    verified(file, weights)
    (seal,) = seals()
    assert (seal.sha256, seal.file) == (weights.sha256, file)


def test_a_cache_that_cannot_be_written_to_is_no_obstacle(file, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert verified(file, describe(str(file), STARTER)) == file
    assert list(seals()) == []


def test_a_file_is_discarded_with_the_links_that_lead_to_it(file, tmp_path):
    (tmp_path / "blob").symlink_to(file.name)
    (tmp_path / "snapshot").symlink_to("blob")
    assert discard(tmp_path / "snapshot")
    assert [path for path in tmp_path.iterdir() if path.is_symlink() or path.is_file()] == []
    assert not discard(tmp_path / "snapshot")


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(WeightsNotFound, match=r"nothing\.bin cannot be read"):
        verified(tmp_path / "nothing.bin", describe("nothing.bin", STARTER))
