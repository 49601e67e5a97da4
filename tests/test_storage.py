"""URLs of object storage as paths, in fsspec's file system in memory; S3 is in tests/cli/test_remote.py."""

import pickle
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from colorcli.errors import OutputExists, UnwritableMedia, UsageError
from colorcli.files import replacing
from colorcli.storage import Listing, RemotePath, as_path, is_remote, refreshed


@pytest.fixture
def folder():
    return as_path(f"memory://{uuid4().hex}")


@pytest.fixture
def stored(tmp_path):
    """Store some bytes under a URL."""

    def store(path, data=b"data", *, overwrite=True):
        (tmp_path / "file").write_bytes(data)
        path.upload(tmp_path / "file", overwrite=overwrite)
        return refreshed(path)

    return store


@pytest.mark.parametrize(
    "text", ["s3://bucket/a.jpg", "gs://bucket", "az://container/a", "hf://datasets/me/mine/a.png"]
)
def test_a_url_of_object_storage_is_a_remote_path_that_keeps_its_form(text):
    path = as_path(text)
    assert isinstance(path, RemotePath)
    assert str(path) == text
    assert str(pickle.loads(pickle.dumps(path))) == text


@pytest.mark.parametrize(
    "text", ["a.jpg", "/s3/a.jpg", "s3", "s3:a.jpg", "https://example.org/a.jpg", "file:///a.jpg"]
)
def test_other_texts_are_local_paths(text):
    assert not is_remote(text)
    assert not isinstance(as_path(text), RemotePath)


def test_names_are_derived_as_those_of_files_are():
    path = as_path("s3://bucket/photos/sub/a.jpg")
    assert (path.name, path.suffix, path.stem) == ("a.jpg", ".jpg", "a")
    assert str(path.parent) == "s3://bucket/photos/sub"
    assert str(path.with_name("b.png")) == "s3://bucket/photos/sub/b.png"
    relative = path.relative_to(as_path("s3://bucket/photos"))
    assert relative.as_posix() == "sub/a.jpg"
    assert Path("out") / relative == Path("out/sub/a.jpg")
    assert not isinstance(Path("out") / relative, RemotePath)
    assert as_path("s3://bucket").is_container
    assert not path.parent.is_container


def test_an_object_is_read_as_a_file_is(folder, stored):
    path = stored(folder / "a.txt", b"some bytes")
    assert path.is_file()
    assert not path.is_dir()
    assert folder.is_dir()
    assert path.read_bytes() == b"some bytes"
    assert path.read_beginning(4) == b"some"
    assert path.stat().st_size == 10
    with path.open("rb") as file:
        assert file.read(4) == b"some"
        file.seek(-5, 2)
        assert file.read() == b"bytes"


def test_a_missing_file_is_not_found(folder):
    path = folder / "nothing.jpg"
    assert not path.exists()
    assert not path.is_file()
    with pytest.raises(FileNotFoundError):
        path.stat()
    assert list(path.iterdir()) == []


def test_a_path_remembers_its_status_until_it_is_refreshed(folder, stored):
    path = folder / "a.txt"
    assert not path.exists()
    stored(folder / "a.txt")
    assert not path.exists()
    assert not pickle.loads(pickle.dumps(path)).exists()
    assert refreshed(path).exists()


def test_a_listing_sets_the_status_of_paths(folder, stored):
    stored(folder / "a.txt", b"12345")
    listing = Listing()
    there, missing = folder / "a.txt", folder / "b.txt"
    for path in (there, missing, Path("local")):
        listing.inform(path)
    stored(folder / "b.txt")
    assert there.stat().st_size == 5
    assert not missing.exists()
    assert sorted(each.name for each in folder.iterdir()) == ["a.txt", "b.txt"]


def test_a_file_appears_when_it_is_complete(folder):
    path = folder / "a.txt"
    with replacing(path) as temporary:
        temporary.write_bytes(b"half")
        assert not refreshed(path).exists()
    assert path.read_bytes() == b"half"
    assert not temporary.exists()


def test_a_file_that_was_not_finished_is_not_uploaded(folder):
    with pytest.raises(UnwritableMedia), replacing(folder / "a.txt") as temporary:
        temporary.with_name("nothing").read_bytes()
    assert not refreshed(folder / "a.txt").exists()


def test_what_another_machine_has_written_in_the_meantime_stays(folder, stored):
    path = folder / "a.txt"
    assert not path.exists()
    stored(folder / "a.txt", b"theirs")
    with pytest.raises(OutputExists, match="another run has written"), replacing(path, overwrite=False) as temporary:
        temporary.write_bytes(b"ours")
    assert path.read_bytes() == b"theirs"


@pytest.mark.parametrize(
    ("url", "package", "installed_by"),
    [
        ("s3://bucket/a.jpg", "s3fs", '"colorcli[remote]"'),
        ("gs://bucket/a.jpg", "gcsfs", "gcsfs"),
        ("az://container/a.jpg", "adlfs", "adlfs"),
        ("hf://datasets/owner/name/a.jpg", "huggingface_hub", "huggingface_hub"),
    ],
)
def test_a_scheme_whose_package_is_missing_says_what_to_install(monkeypatch, url, package, installed_by):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=f"needs the package {package},") as error:
        as_path(url).exists()
    assert error.value.hint == f"Install it: pip install {installed_by}"
