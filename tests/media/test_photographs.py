"""Photographs in tar files, which are read where they lie."""

import io
import os
import tarfile

import pytest
from PIL import Image

from colorcli.errors import DataError
from colorcli.media.photographs import find_photographs, read_square


def write_tar(path, mode):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(stream, "PNG")
    with tarfile.open(path, mode) as tar:
        member = tarfile.TarInfo("people/a.png")
        member.size = len(stream.getvalue())
        tar.addfile(member, io.BytesIO(stream.getvalue()))


def test_a_tar_file_is_read_in_place(tmp_path):
    write_tar(tmp_path / "a.tar", "w")
    (found,) = find_photographs(tmp_path)
    assert (found.name, found.category) == ("people/a.png", "people")
    assert read_square(found, 4)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("name", "mode"), [("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("A.TAR.XZ", "w:xz")])
def test_a_compressed_tar_file_is_named_with_what_to_do(tmp_path, name, mode):
    write_tar(tmp_path / name, mode)
    with pytest.raises(DataError, match=rf"{name}: compressed tar files cannot be read in place\. Unpack"):
        find_photographs(tmp_path)


def test_a_compressed_tar_file_under_another_name_is_not_read_at_wrong_places(tmp_path):
    write_tar(tmp_path / "a.tar", "w:gz")
    with pytest.raises(DataError, match=r"a\.tar: this tar file cannot be read"):
        find_photographs(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes of POSIX")
def test_folders_are_no_photographs_and_nothing_waits_for_a_pipe(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    found = find_photographs(tmp_path)
    assert [each.name for each in found] == ["itself.jpg", "pipe.jpg"]
    for each, reason in zip(found, ("Too many levels of symbolic links", "not a regular file"), strict=True):
        with pytest.raises(DataError) as error:
            read_square(each, 8)
        assert error.value.message == f"{tmp_path / each.name} cannot be read ({reason})."
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(DataError, match=r"pipe\.tar: this tar file cannot be read"):
        find_photographs(tmp_path)
