"""Files that appear complete or not at all: the one place where outputs are written under a temporary name."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import OutputExists, UnwritableMedia
from colorcli.storage import RemotePath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

_HINT = "Check the disk and its permissions, or choose another folder."
_TEMPORARY = re.compile(r"\.colorcli-([0-9a-f]{6})-(\d+)-[0-9a-f]{8}\.part")
_swept: set[Path] = set()
_temporaries: set[Path] = set()  # files that this process is writing


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading; pipes and devices, which may block or never end, are refused without waiting for them.

    Raises:
        OSError: the file cannot be opened, or is not a regular file.
    """
    if isinstance(path, RemotePath):
        opened: BufferedReader = path.open("rb")
        return opened
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def user_data(name: str) -> Path:
    """Return the path of a file in the user's data folder, where colorcli keeps its records."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "colorcli" / name


def shown(path: Path | str) -> str:
    """Return a path for messages: on one line and printable, whatever its name contains."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def temporary_beside(target: Path) -> Path:
    """Return an unused name in the target's folder; it says which process on which machine is writing there."""
    import secrets

    return target.with_name(f".colorcli-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.part")


@contextlib.contextmanager
def replacing(target: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path whose file takes the target's name at the end, or is removed after an error.

    The target's folder is created if necessary, and what killed processes have left there is removed. What is written
    to object storage is first written to a local file, and uploaded when it is complete.

    Args:
        target: the file to write.
        overwrite: replace a target that exists at the end; if False, it is left as it is.

    Raises:
        UnwritableMedia: the disk refuses.
        OutputExists: another process has written the target, and it must not be replaced.
    """
    import tempfile

    here = Path(tempfile.gettempdir()) / target.name if isinstance(target, RemotePath) else target
    temporary = temporary_beside(here)
    _temporaries.add(temporary)
    with disk_errors(target):
        try:
            here.parent.mkdir(parents=True, exist_ok=True)
            sweep(here.parent)
            yield temporary
            if isinstance(target, RemotePath):
                _upload(temporary, target, overwrite=overwrite)
                return
            _flush(temporary)
            if overwrite:
                temporary.replace(target)
            else:
                _rename_to_new(temporary, target)
        finally:
            _remove(temporary)
            _temporaries.discard(temporary)


def write_text(target: Path, text: str) -> None:
    """Write a text file in UTF-8 that appears complete or not at all.

    Bytes of a file name that are not UTF-8 become escapes.

    Raises:
        UnwritableMedia: the disk refuses.
    """
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def remove_temporaries() -> None:
    """Remove the temporary files and folders of this process, which is about to end without finishing them."""
    for _ in range(2):  # a thread may be creating one right now
        for temporary in list(_temporaries):
            _remove(temporary)
        time.sleep(0.02)


@contextlib.contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Convert an OSError to an error that names the file.

    Raises:
        UnwritableMedia: the disk refuses.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(target, error.strerror or str(error)) from error


def unwritable(target: Path, reason: str) -> UnwritableMedia:
    """Make the error for a file that cannot be written, from a message of the system or of ffmpeg."""
    if any(words in reason for words in ("No space left", "not enough space", "File too large", "quota exceeded")):
        again = "Free some space and run the same command again: it resumes where it stopped."
        return UnwritableMedia(f"{shown(target)}: no space left on the disk.", again)
    return UnwritableMedia(f"{shown(target)} cannot be written: {reason}.", _HINT)


@contextlib.contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """Make a folder beside a target for files that take their names at the end; it is removed with what is left in it.

    The target's folder is created if necessary, and what killed processes have left there is removed.

    Raises:
        UnwritableMedia: the disk refuses.
    """
    folder = temporary_beside(target)
    _temporaries.add(folder)
    try:
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            sweep(target.parent)
            folder.mkdir()
        yield folder
    finally:
        _remove(folder)
        _temporaries.discard(folder)


def sweep(folder: Path) -> None:
    """Remove what killed processes of this machine have left in a folder under temporary names; once per process."""
    if folder in _swept or isinstance(folder, RemotePath):
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _TEMPORARY.fullmatch(entry.name)
            if found and found[1] == _machine() and not _is_running(int(found[2])):
                _remove(Path(entry.path))


def keep_newer(target: Path, source: Path) -> None:
    """Date a file no earlier than the one it was made from, which may be dated in the future."""
    if isinstance(target, RemotePath):  # object storage sets times itself
        return
    with contextlib.suppress(OSError):
        made_from = source.stat()
        if target.stat().st_mtime_ns < made_from.st_mtime_ns:
            os.utime(target, ns=(made_from.st_mtime_ns, made_from.st_mtime_ns))


def _rename_to_new(temporary: Path, target: Path) -> None:
    """Rename a file unless the new name is taken, even if another process takes it at this moment."""
    try:
        os.link(temporary, target)  # unlike a rename, this fails where the name is taken
        return
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not target.exists():
            temporary.replace(target)
            return
    raise _written_by_another(target)


def _upload(temporary: Path, target: RemotePath, *, overwrite: bool) -> None:
    """Upload a file to object storage, unless another machine has written the target and it must not be replaced."""
    try:
        target.upload(temporary, overwrite=overwrite)
    except FileExistsError:
        raise _written_by_another(target) from None


def _written_by_another(target: Path) -> OutputExists:
    return OutputExists(
        f"{shown(target)}: another run has written it in the meantime.",
        "Replace it with --overwrite, or write elsewhere with -o.",
    )


def _remove(path: Path) -> None:
    """Remove a temporary file, or a folder with its contents, if it exists."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            import shutil

            shutil.rmtree(path)
        else:
            path.unlink()


def _flush(path: Path) -> None:
    """Wait until a file is on the disk, so that after a power cut its name never refers to an incomplete file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _machine() -> str:
    """Return six hex digits for this machine: outputs may lie on a disk that several machines write to."""
    import hashlib  # slow to import, as secrets and platform are, and not needed by --help
    import platform

    return hashlib.sha256(platform.node().encode("utf-8", "surrogateescape")).hexdigest()[:6]


def _is_running(process: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, process)  # access right: query only
        return bool(handle and ctypes.windll.kernel32.CloseHandle(handle))
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is running as another user
        return True
    return True
