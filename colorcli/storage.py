"""Object storage: URLs such as `s3://bucket/photos/a.jpg` that are read and written like files, through fsspec.

A `RemotePath` is a path, so that planning, decoding and encoding need not know where a file is. What a listing of its
folder said about it is remembered, because every question to the storage takes a request of its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli.errors import ColorcliError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    _Path = Path
else:
    _Path = type(Path())  # Path itself cannot be a base class before Python 3.12

SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "hf": "huggingface_hub", "memory": "fsspec"}
"""The schemes whose uploads appear whole or not at all, and the packages that read and write them."""

_URL = re.compile(rf"({'|'.join(SCHEMES)}):/+")
_CONDITIONAL = {"s3"}  # schemes whose storage refuses an upload where something is already
_UNKNOWN = object()  # the storage has not been asked yet


def is_remote(text: str) -> bool:
    """Return whether a text is a URL of one of the schemes."""
    return _URL.match(text) is not None


def as_path(text: str) -> Path:
    """Return the path that a text names: a `RemotePath` for a URL of one of the schemes."""
    return RemotePath(text) if is_remote(text) else Path(text)


class RemotePath(_Path):
    """A file or folder in object storage. `str` gives its URL."""

    _status: Any = _UNKNOWN

    def __str__(self) -> str:
        text = super().__str__().replace("\\", "/") if os.name == "nt" else super().__str__()
        return _URL.sub(r"\1://", text)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (str(self), None if self._status is _UNKNOWN else (self._status,))

    @property
    def scheme(self) -> str:
        """What the URL begins with, such as `s3`."""
        return str(self).partition("://")[0]

    @property
    def is_container(self) -> bool:
        """Whether this is a bucket, or for `hf` a repository, rather than something in it."""
        return len(self.parts) <= (4 if self.scheme == "hf" else 2)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return kind, size and time; asks the storage unless a listing has them.

        Raises:
            FileNotFoundError: nothing exists at this path.
            OSError: the storage cannot be reached, or refuses.
            UsageError: the package for the scheme is not installed.
        """
        if self._status is _UNKNOWN:
            try:
                self._status = _status(str(self), _call(self, "info"))
            except FileNotFoundError:
                self._status = None
        if self._status is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        found: os.stat_result = self._status
        return found

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return bool(self.stat())
        return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self.exists() and stat.S_ISDIR(self.stat().st_mode)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self.exists() and stat.S_ISREG(self.stat().st_mode)

    def is_symlink(self) -> bool:
        return False

    def absolute(self) -> RemotePath:
        return self

    def resolve(self, strict: bool = False) -> RemotePath:
        return self

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: object storage has no folders of its own."""

    def unlink(self, missing_ok: bool = False) -> None:
        _call(self, "rm_file")
        self._status = None

    def iterdir(self) -> Generator[RemotePath]:
        """Yield the contents of a folder, with what the listing says about each; nothing if it does not exist."""
        try:
            listed = _call(self, "ls", detail=True, refresh=True)
        except FileNotFoundError:
            return
        for info in listed:
            name = str(info["name"]).rstrip("/").rpartition("/")[2]
            if not name or str(info["name"]).strip("/") == str(self).partition("://")[2]:
                continue  # the marker of the folder itself
            yield (self / name).known(_status(str(self / name), info))

    def known(self, status: os.stat_result | None) -> RemotePath:
        """Return this path, which remembers its status from now on; None for a path where nothing exists."""
        self._status = status
        return self

    def open(self, mode: str = "r", *_: Any, **__: Any) -> Any:
        """Open the object for reading bytes.

        Raises:
            ValueError: for another mode; `upload` writes.
        """
        if mode != "rb":
            raise ValueError(f"{self} is opened for reading bytes, got mode {mode!r}.")
        return _Opened(self, _call(self, "open", "rb"))

    def read_beginning(self, count: int) -> bytes:
        """Return the first bytes of the object."""
        return bytes(_call(self, "cat_file", start=0, end=min(count, self.stat().st_size)))

    def read_bytes(self) -> bytes:
        return bytes(_call(self, "cat_file"))

    def download(self, target: Path) -> None:
        """Copy the object to a file, with its time.

        Raises:
            OSError: the storage or the disk refuses.
        """
        _call(self, "get_file", str(target))
        os.utime(target, (self.stat().st_mtime, self.stat().st_mtime))

    def upload(self, source: Path, *, overwrite: bool) -> None:
        """Write a whole file under this name, which appears when the upload is complete.

        Raises:
            FileExistsError: an object exists already, and must not be overwritten.
            OSError: the storage refuses.
        """
        create = not overwrite and self.scheme in _CONDITIONAL
        if not overwrite and not create and refreshed(self).exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self))
        _call(self, "put_file", str(source), **({"mode": "create"} if create else {}))
        self._status = _UNKNOWN


def refreshed(path: Path) -> Path:
    """Return a path without the results of earlier listings, since other machines may have written in the meantime."""
    return RemotePath(str(path)) if isinstance(path, RemotePath) else path


class Listing:
    """The contents of remote folders, one folder at a time: paths come in the order of their folders."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, os.stat_result]] = {}

    def inform(self, path: Path) -> None:
        """Give a remote path its status from the listing of its folder."""
        if not isinstance(path, RemotePath):
            return
        folder = str(path.parent)
        if folder not in self._folders:
            self._folders = {folder: {each.name: each.stat() for each in path.parent.iterdir()}}
        path.known(self._folders[folder].get(path.name))


class _Opened:
    """An open object whose errors are those of files, whatever the library raises."""

    def __init__(self, path: RemotePath, file: Any) -> None:
        self._file = file
        self.name = str(path)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._file, name)
        return _translated(found, self.name) if callable(found) else found

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)


def _restored(url: str, status: tuple[os.stat_result | None] | None) -> RemotePath:
    path = RemotePath(url)
    return path if status is None else path.known(status[0])


def _status(url: str, info: dict[str, Any]) -> os.stat_result:
    """Return what fsspec says of an object as the system says it of a file."""
    mode = stat.S_IFDIR if info.get("type") == "directory" else stat.S_IFREG
    commit = info.get("last_commit")
    changed = info.get("LastModified") or info.get("mtime") or info.get("last_modified") or info.get("created")
    changed = getattr(commit, "date", None) or changed
    seconds = changed.timestamp() if isinstance(changed, datetime) else 0.0  # unknown counts as long ago
    import hashlib

    number = int.from_bytes(hashlib.sha256(url.encode()).digest()[:7], "big")
    size, times = int(info.get("size") or 0), {"st_mtime": seconds, "st_mtime_ns": int(seconds * 1e9)}
    return os.stat_result((mode, number, -1, 1, 0, 0, size, 0, int(seconds), 0), times)


def _call(path: RemotePath, method: str, *values: Any, **settings: Any) -> Any:
    """Call a method of a path's file system on it; `put_file` takes it second."""
    import fsspec  # not needed without a URL

    scheme, url = path.scheme, str(path)

    try:
        options = {} if scheme == "hf" else {"use_listings_cache": False}
        system = fsspec.filesystem(scheme, **options)
    except ImportError as error:
        extra = '"colorcli[remote]"' if scheme == "s3" else SCHEMES[scheme]
        raise UsageError(
            f"{scheme}:// needs the package {SCHEMES[scheme]}, which is not installed.",
            f"Install it: pip install {extra}",
        ) from error
    arguments = (*values, url) if method == "put_file" else (url, *values)
    return _translated(getattr(system, method), url)(*arguments, **settings)


def _translated(method: Callable[..., Any], url: str) -> Callable[..., Any]:
    """Let a method raise an OSError for whatever the library of a storage raises, such as missing credentials."""

    def call(*values: Any, **settings: Any) -> Any:
        try:
            return method(*values, **settings)
        except OSError as error:
            if isinstance(error, (FileNotFoundError, FileExistsError)):
                raise
            raise OSError(error.errno or errno.EIO, error.strerror or _words(error), url) from error
        except (ColorcliError, ValueError, TypeError, AttributeError):
            raise
        except Exception as error:  # each library has a tree of its own
            raise OSError(errno.EIO, _words(error), url) from error

    return call


def _words(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
