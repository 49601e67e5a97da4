"""Files appear complete or not at all, and what killed processes leave is removed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from colorcli import files
from colorcli.errors import UnwritableMedia
from colorcli.files import (
    keep_newer,
    remove_temporaries,
    replacing,
    sweep,
    temporary_beside,
    temporary_folder,
    write_text,
)


@pytest.fixture(autouse=True)
def never_swept(monkeypatch):
    monkeypatch.setattr(files, "_swept", set())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def left_by(process: int, target: Path) -> Path:
    """A temporary file as a process that was killed leaves it."""
    path = target.with_name(temporary_beside(target).name.replace(f"-{os.getpid()}-", f"-{process}-"))
    path.write_bytes(b"half")
    return path


def test_a_file_appears_only_at_the_end(tmp_path):
    with replacing(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"
    assert names(tmp_path / "new") == ["a.txt"]


def test_names_that_are_not_utf_8_are_written_with_escapes(tmp_path):
    write_text(tmp_path / "page.md", "é and \udce9\n")
    assert (tmp_path / "page.md").read_bytes() == "é and \\udce9\n".encode()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")

    def fail():
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_what_another_run_wrote_in_the_meantime_is_left_unless_overwritten(tmp_path):
    target = tmp_path / "a.txt"

    def lose():
        with replacing(target, overwrite=False) as temporary:
            temporary.write_text("late")
            target.write_text("first")

    with pytest.raises(UnwritableMedia, match="another run"):
        lose()
    assert target.read_text() == "first"
    assert names(tmp_path) == ["a.txt"]
    with replacing(target) as temporary:
        temporary.write_text("wanted")
    assert target.read_text() == "wanted"


def test_a_file_system_without_links_is_enough(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with replacing(tmp_path / "a.txt", overwrite=False) as temporary:
        temporary.write_text("whole")
    with pytest.raises(UnwritableMedia, match="another run"), replacing(tmp_path / "a.txt", overwrite=False) as again:
        again.write_text("late")
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert names(tmp_path) == ["a.txt"]


def test_leftovers_of_dead_processes_are_removed_by_the_next_write(tmp_path):
    left_by(dead_process(), tmp_path / "a.txt")
    with replacing(tmp_path / "b.txt") as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == ["b.txt"]


def test_temporary_files_of_running_processes_and_other_machines_stay(tmp_path):
    running = left_by(os.getppid(), tmp_path / "a.txt")
    elsewhere = left_by(dead_process(), tmp_path / "a.txt")
    elsewhere = elsewhere.rename(elsewhere.with_name(re.sub(r"colorcli-\w+-", "colorcli-000000-", elsewhere.name)))
    other = tmp_path / ".other.part"
    other.touch()
    sweep(tmp_path)
    assert set(names(tmp_path)) == {running.name, elsewhere.name, other.name}


def test_folders_of_killed_processes_are_removed_with_what_is_in_them(tmp_path):
    left = left_by(dead_process(), tmp_path / "a.txt")
    left.unlink()
    left.mkdir()
    (left / "000001.png").write_bytes(b"x")
    with temporary_folder(tmp_path / "a.txt") as folder:
        (folder / "000001.png").write_bytes(b"x")
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []


def test_a_folder_is_removed_where_the_process_ends_at_once(tmp_path):
    with temporary_folder(tmp_path / "a.txt") as folder:
        (folder / "000001.png").write_bytes(b"x")
        remove_temporaries()
        assert not folder.exists()


def test_a_folder_that_is_missing_can_be_swept(tmp_path):
    sweep(tmp_path / "missing")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_that_says_what_to_do(tmp_path):
    def write():
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.touch()
            Path("/dev/full").write_bytes(b"x")

    with pytest.raises(UnwritableMedia, match=r"a\.txt: no space left.*run the same command again"):
        write()
    assert names(tmp_path) == []


def test_an_output_is_never_dated_before_a_source_from_the_future(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.touch()
    target.touch()
    os.utime(source, (time.time() + 90_000,) * 2)
    keep_newer(target, source)
    assert target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    before = target.stat().st_mtime_ns
    os.utime(source, (time.time() - 90_000,) * 2)
    keep_newer(target, source)
    assert target.stat().st_mtime_ns == before
