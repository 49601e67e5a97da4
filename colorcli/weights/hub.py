"""Files on the Hugging Face Hub, through its own client, cache and settings; its errors become plain sentences."""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.weights.explanations import explain, not_the_hub
from colorcli.weights.guard import Guard, Refused, TooSlow, UnsafeName, guarded
from colorcli.weights.names import is_inner_path, is_repo, is_revision
from colorcli.weights.verification import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.colorizer import Weights

    ProgressCallback = Callable[[int], None]  # takes the bytes that arrived; negative when a download starts over

TIMEOUT = 3.0  # seconds for the first answer, and for the first bytes if other weights can be used instead
DOWNLOAD_TIMEOUT = 30.0  # seconds for the first bytes of a download without an alternative
_REMEMBERED = 60.0  # seconds during which a Hub that could not be reached is not tried again
_URI = re.compile(
    r"hf://((?P<type>model|space)s/)?(?P<repo>[^/@]+/[^/@]+)(@(?P<first>[^/@]+))?/(?P<file>[^@]+?)(@(?P<last>[^@]+))?"
)
_TIMEOUTS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")
_log = logging.getLogger("colorcli")
_unreachable: dict[str, tuple[float, Exception]] = {}  # by endpoint: when, and why


@cache
def check_environment() -> str:
    """Import the client, which stops with a traceback at wrong variables, and return what is wrong with HF_ENDPOINT.

    Timeouts that are not numbers are ignored, with a warning. A wrong endpoint is not replaced by the default one: the
    user may not want any contact with that.
    """
    replaced: dict[str, str] = {}
    for name in _TIMEOUTS:
        if not re.fullmatch(r"[0-9]{0,9}", value := os.environ.get(name, "")):
            _log.warning("Ignoring %s: it must be a whole number of seconds, got %r.", name, value)
            replaced[name] = "10"
    problem = ""
    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint is not None and not _is_endpoint(endpoint):
        problem = f"HF_ENDPOINT must be a URL such as https://huggingface.co, got {endpoint!r}"
        replaced["HF_ENDPOINT"] = "http://invalid.invalid"
    before = {name: os.environ[name] for name in replaced}
    os.environ.update(replaced)
    try:
        import huggingface_hub.constants  # noqa: F401  # reads the variables now, once
    finally:
        os.environ.update(before)
    return problem


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and text.isprintable()
    except ValueError:
        return False


@dataclass(frozen=True)
class HubFile:
    """The location of a file on the Hub."""

    repo: str  # owner/name
    file: str
    revision: str = ""  # branch, tag or commit; empty for the main branch
    repo_type: str = "model"

    def __str__(self) -> str:
        return f"{self.repo}/{self.file}"

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, whose file never changes."""
        return bool(re.fullmatch("[0-9a-f]{40}", self.revision))

    @classmethod
    def of(cls, weights: Weights) -> HubFile:
        """Return the location that a manifest gives for weights."""
        return cls(weights.repo, weights.file, weights.revision, weights.repo_type)

    @classmethod
    def parse(cls, uri: str) -> HubFile:
        """Parse `hf://owner/name/file`, with `@revision` at its end or, as the Hub's own tools write it, after name.

        Raises:
            UsageError: the text has another form.
        """
        match = _URI.fullmatch(uri)
        if match is not None and not (match["first"] and match["last"]):
            revision = match["first"] or match["last"] or ""
            if is_repo(match["repo"]) and is_inner_path(match["file"]) and (not revision or is_revision(revision)):
                return cls(match["repo"], match["file"], revision, match["type"] or "model")
        raise UsageError(
            f"Not a file on the Hub: {uri}.", "Write hf://owner/name/file or hf://owner/name/file@revision."
        )


@dataclass(frozen=True)
class RemoteFile:
    """What the Hub says about a file."""

    location: HubFile
    size: int | None  # in bytes, if the Hub says so
    etag: str  # the sha256 for files in the Hub's large-file storage
    commit: str  # commit that has the file


def is_offline() -> bool:
    """Check whether HF_HUB_OFFLINE forbids downloads."""
    check_environment()
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE


def find_cached(location: HubFile) -> Path | None:
    """Return the path of a file in the cache, None if it was not downloaded; never uses the network."""
    check_environment()
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(
        location.repo, location.file, revision=location.revision or None, repo_type=location.repo_type
    )
    return Path(path) if isinstance(path, str) else None


def look_up(location: HubFile, guard: Guard | None = None) -> RemoteFile:
    """Ask the Hub about a file without downloading it; without a network this takes seconds, not minutes.

    Args:
        location: location of the file.
        guard: limits; TIMEOUT seconds if None.

    Raises:
        WeightsNotFound: the Hub refuses, or cannot be reached.
    """
    if problem := check_environment():
        raise WeightsNotFound(f"{location} cannot be downloaded: {problem}.", "Correct HF_ENDPOINT, or unset it.")
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    since, reason = _unreachable.get(constants.ENDPOINT, (0.0, None))
    if reason and time.monotonic() - since < _REMEMBERED:
        raise explain(reason, str(location))
    url = hf_hub_url(location.repo, location.file, revision=location.revision or None, repo_type=location.repo_type)
    try:
        metadata = guarded(guard or Guard(TIMEOUT), lambda: get_hf_file_metadata(url))
    except Exception as error:  # the client's own and its HTTP library's: each says why there was no answer
        if not isinstance(error, (HfHubHTTPError, OfflineModeIsEnabled, Refused, UnsafeName)):
            _unreachable[constants.ENDPOINT] = time.monotonic(), error.with_traceback(None)
        raise explain(error, str(location)) from error
    if metadata.commit_hash is None or metadata.etag is None:
        raise not_the_hub(str(location))
    return RemoteFile(location, metadata.size, metadata.etag, metadata.commit_hash)


def download(remote: RemoteFile, progress: ProgressCallback | None = None, guard: Guard | None = None) -> Path:
    """Download a file into the cache; a broken connection is resumed.

    Args:
        remote: the file.
        progress: called with the number of bytes that arrived.
        guard: limits; DOWNLOAD_TIMEOUT seconds for the first bytes if None.

    Raises:
        WeightsNotFound: the download failed, takes too long, or cannot be stored.
    """
    from huggingface_hub import constants, hf_hub_download

    location = remote.location
    partial = PartialFiles(remote)
    partial.delete_abandoned()
    guard = guard or Guard(DOWNLOAD_TIMEOUT)
    if remote.size is not None:  # leaves room for a server that starts over where it should resume
        guard.largest = 2 * remote.size + 1_000_000

    options: dict[str, Any] = {}
    if progress is not None and "tqdm_class" in signature(hf_hub_download).parameters:  # not before client 1.0
        options["tqdm_class"] = _progress_bar(progress)

    def call() -> str:
        path: str = hf_hub_download(
            location.repo,
            location.file,
            revision=location.revision or None,
            repo_type=location.repo_type,
            **options,
        )
        return path

    try:
        path = Path(guarded(guard, call, partial.size))
    except Exception as error:  # the client's own, its HTTP library's and the disk's: each says why it failed
        if isinstance(error, TooSlow):
            _unreachable[constants.ENDPOINT] = time.monotonic(), error.with_traceback(None)
        raise explain(error, str(location), downloading=True) from error
    if not is_inside_cache(path):
        raise WeightsCorrupt(f"{location} was stored outside the cache, as {path}.", "Check HF_ENDPOINT.")
    return path


def is_inside_cache(path: Path) -> bool:
    """Check that a file, and the file it links to, are inside the Hugging Face cache."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE).resolve()
    return path.resolve().is_relative_to(cache) and path.parent.resolve().is_relative_to(cache)


@dataclass(frozen=True)
class PartialFiles:
    """The temporary files of downloads of a file, by this process and others."""

    remote: RemoteFile

    def _paths(self) -> list[Path]:
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        location = self.remote.location
        folder = repo_folder_name(repo_id=location.repo, repo_type=location.repo_type)
        return list(Path(constants.HF_HUB_CACHE, folder, "blobs").glob(f"{self.remote.etag}.*incomplete"))

    def size(self) -> int:
        """Return how many bytes they have together."""
        total = 0
        for path in self._paths():
            with suppress(OSError):
                total += path.stat().st_size
        return total

    def delete_abandoned(self) -> None:
        """Delete those of processes that were killed."""
        for path in self._paths():
            if is_abandoned(path):
                with suppress(OSError):
                    path.unlink()


def is_abandoned(partial: Path) -> bool:
    """Check whether the download of a partial file has ended: a running one holds the client's lock."""
    from filelock import FileLock, Timeout
    from huggingface_hub import constants

    repository = partial.parent.parent.name
    lock = Path(constants.HF_HUB_CACHE, ".locks", repository, f"{partial.name.rsplit('.', 2)[0]}.lock")
    if not lock.exists():
        return True
    try:
        with FileLock(lock, timeout=0):
            return True
    except (Timeout, OSError):
        return False


def etag_of(path: Path) -> str:
    """Return the ETag of a cached file, which is the name of the blob it links to; empty for a cache without links."""
    return path.readlink().name if path.is_symlink() else ""


def check_etag(path: Path, etag: str) -> None:
    """Compare a file without a manifest with its ETag, which is the sha256 for files in large-file storage.

    Raises:
        WeightsCorrupt: they differ.
    """
    if re.fullmatch("[0-9a-f]{64}", etag) and sha256_of(path) != etag:
        raise WeightsCorrupt(f"{path} differs from the file on the Hub.", "The next run downloads it again.")


def _progress_bar(progress: ProgressCallback) -> Any:
    """Make a tqdm class for the client that calls `progress` and draws nothing itself."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings | {"disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            progress(int(n or 0))

        # The client's other protocol counts bytes received and bytes written; the latter are enough.
        def update_transfer(self, n: float) -> None: ...

        def set_transfer_postfix_str(self, text: str, refresh: bool = True) -> None: ...

    return Bar
