"""Files on the Hugging Face Hub, through its own client, cache and settings; its errors become plain sentences."""

from __future__ import annotations

import errno
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.weights.verification import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.colorizer import Weights

    ProgressCallback = Callable[[int], None]  # takes the bytes that arrived; negative when a download starts over

HUB_TIMEOUT = 3.0  # seconds for the Hub's first answer
_DEADLINE = 4.0  # seconds including the DNS lookup, which has no timeout of its own and can take half a minute
_REMEMBERED = 60.0  # seconds during which a Hub that could not be reached is not tried again
_RETRY = "Try again when the Hub can be reached; HF_ENDPOINT selects a mirror."
_LOGIN = "Request access on the repository's page if necessary, then run `hf auth login` or set HF_TOKEN."
_URI = re.compile(
    r"hf://((?P<type>model|space)s/)?(?P<repo>[\w.-]+/[\w.-]+)(@(?P<first>[^/@]+))?/(?P<file>[^@]+?)(@(?P<last>[^@]+))?"
)
_unreachable: dict[str, tuple[float, Exception]] = {}  # by endpoint: when, and why
_Answer = TypeVar("_Answer")


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
        if match is None or (match["first"] and match["last"]):
            raise UsageError(
                f"Not a file on the Hub: {uri}.", "Write hf://owner/name/file or hf://owner/name/file@revision."
            )
        return cls(match["repo"], match["file"], match["first"] or match["last"] or "", match["type"] or "model")


@dataclass(frozen=True)
class RemoteFile:
    """What the Hub says about a file."""

    location: HubFile
    size: int | None  # in bytes, if the Hub says so
    etag: str  # the sha256 for files in the Hub's large-file storage


def find_cached(location: HubFile) -> Path | None:
    """Return the path of a file in the cache, None if it was not downloaded; never uses the network."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(
        location.repo, location.file, revision=location.revision or None, repo_type=location.repo_type
    )
    return Path(path) if isinstance(path, str) else None


def look_up(location: HubFile) -> RemoteFile:
    """Ask the Hub about a file without downloading it; without a network this takes seconds, not minutes.

    Raises:
        WeightsNotFound: the Hub refuses, or cannot be reached.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    since, reason = _unreachable.get(constants.ENDPOINT, (0.0, None))
    if reason and time.monotonic() - since < _REMEMBERED:
        raise explain(reason, str(location))
    url = hf_hub_url(location.repo, location.file, revision=location.revision or None, repo_type=location.repo_type)
    try:
        metadata = _within(_DEADLINE, lambda: get_hf_file_metadata(url, timeout=HUB_TIMEOUT))
    except Exception as error:  # the client's own and its HTTP library's: each says why there was no answer
        if not isinstance(error, (HfHubHTTPError, OfflineModeIsEnabled)):
            _unreachable[constants.ENDPOINT] = time.monotonic(), error.with_traceback(None)
        raise explain(error, str(location)) from error
    if metadata.commit_hash is None or metadata.etag is None:
        raise _not_the_hub(location)
    return RemoteFile(location, metadata.size, metadata.etag)


def download(remote: RemoteFile, progress: ProgressCallback | None = None) -> Path:
    """Download a file into the cache; a broken connection is resumed.

    Raises:
        WeightsNotFound: the download failed, or cannot be stored.
    """
    from huggingface_hub import hf_hub_download

    location = remote.location
    try:
        return Path(
            hf_hub_download(
                location.repo,
                location.file,
                revision=location.revision or None,
                repo_type=location.repo_type,
                tqdm_class=_progress_bar(progress) if progress else None,
            )
        )
    except Exception as error:  # the client's own, its HTTP library's and the disk's: each says why it failed
        raise explain(error, str(location), downloading=True) from error


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


def _within(seconds: float, call: Callable[[], _Answer]) -> _Answer:
    answers: list[_Answer] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(call())
        except Exception as error:  # raised again below, in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    return answers[0]


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


def _not_the_hub(location: HubFile) -> WeightsNotFound:
    from huggingface_hub import constants

    return WeightsNotFound(
        f"Cannot download {location}: {constants.ENDPOINT} did not answer as the Hub does; "
        "perhaps a proxy or a network login answered instead.",
        "Log in to the network in a web browser, or set HTTPS_PROXY; HF_ENDPOINT selects a mirror.",
    )


def explain(error: Exception, name: str, *, downloading: bool = False) -> WeightsNotFound:
    """Turn an error of the client, its HTTP library or the disk into a sentence and a next step.

    Args:
        error: what was raised.
        name: the file's name in the message.
        downloading: whether the Hub had already answered and the download had begun.
    """
    from huggingface_hub import constants, errors

    cache = constants.HF_HUB_CACHE
    cached = isinstance(error, errors.LocalEntryNotFoundError)  # in older clients a kind of HfHubHTTPError, too
    match error:
        case errors.OfflineModeIsEnabled():
            reason, hint = "is not in the cache and HF_HUB_OFFLINE forbids downloads", "Run once without it."
        case errors.GatedRepoError():
            reason, hint = "is in a gated repository that you cannot access", _LOGIN
        case errors.RepositoryNotFoundError():
            reason, hint = "is in a repository that does not exist or is private", _LOGIN
        case errors.DisabledRepoError():
            reason, hint = "is in a repository that the Hub has disabled", "Choose other weights with --weights."
        case errors.EntryNotFoundError() | errors.RevisionNotFoundError() if not cached:
            reason, hint = "was not found on the Hub", "Check its name and revision, or upgrade colorcli."
        case errors.HfHubHTTPError(response=response) if not cached:
            reason, hint = _status(response.status_code)
        case errors.LocalEntryNotFoundError(__cause__=Exception() as cause):  # the client's second request failed
            return explain(cause, name, downloading=downloading)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            reason = f"does not fit into {cache}: {error.strerror}"
            hint = "Free some space, or set HF_HOME to a folder with more."
        case OSError(errno=errno.EROFS | errno.EACCES | errno.EPERM):
            reason, hint = f"cannot be stored in {cache}: {error.strerror}", "Set HF_HOME to a writable folder."
        case OSError(errno=int(), filename=str()):
            reason, hint = f"cannot be stored: {error}", "HF_HOME is the folder for downloads."
        case _ if downloading:
            reason = f"was not downloaded completely ({_first_line(error)})"
            hint = "Run the same command again to retry."
        case _:
            reason, hint = f"cannot be downloaded: the Hub cannot be reached ({_first_line(error)})", _RETRY
    return WeightsNotFound(f"{name} {reason}.", hint)


def _status(code: int) -> tuple[str, str]:
    match code:
        case 401:
            return (
                "cannot be downloaded: the Hub rejected the token",
                "Log in again with `hf auth login`, or correct HF_TOKEN.",
            )
        case 403:
            return "cannot be downloaded: the token does not have access to it", _LOGIN
        case 429:
            return (
                "cannot be downloaded: too many requests to the Hub from here",
                "Wait a while, or log in with `hf auth login`.",
            )
    return f"cannot be downloaded: the Hub answered with status {code}", _RETRY


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".: ")
