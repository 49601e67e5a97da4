"""Files from the Hugging Face Hub, through its own client, cache and settings; what goes wrong, in sentences."""

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

    Watch = Callable[[int], None]  # told how many more bytes have arrived; fewer, where the download begins anew

HUB_PATIENCE = 3.0  # seconds that the Hub has for its first answer
_DEADLINE = 4.0  # with the look-up of its name, which knows no timeout of its own and can take half a minute
_MEMORY = 60.0  # seconds for which a Hub that could not be reached is not asked again
_LATER = "Try again when the Hub can be reached; HF_ENDPOINT names a mirror."
_LOGIN = "Ask for access on the repository's page if need be, then log in with `hf auth login` or set HF_TOKEN."
_URI = re.compile(
    r"hf://((?P<type>model|space)s/)?(?P<repo>[\w.-]+/[\w.-]+)(@(?P<first>[^/@]+))?/(?P<file>[^@]+?)(@(?P<last>[^@]+))?"
)
_unreachable: dict[str, tuple[float, Exception]] = {}  # by endpoint: when, and why
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Place:
    """Where a file is on the Hub."""

    repo: str  # owner/name
    file: str
    revision: str = ""  # branch, tag or commit; empty for the main branch
    repo_type: str = "model"

    def __str__(self) -> str:
        return f"{self.repo}/{self.file}"

    @property
    def pinned(self) -> bool:
        """Whether it will be the same file for ever."""
        return bool(re.fullmatch("[0-9a-f]{40}", self.revision))

    @classmethod
    def of(cls, weights: Weights) -> Place:
        """Give the place of weights that a manifest describes."""
        return cls(weights.repo, weights.file, weights.revision, weights.repo_type)

    @classmethod
    def parse(cls, uri: str) -> Place:
        """Read `hf://owner/name/file`, with `@revision` behind it or, as the Hub's own tools write, behind the name.

        Raises:
            UsageError: the text is something else.
        """
        match = _URI.fullmatch(uri)
        if match is None or (match["first"] and match["last"]):
            raise UsageError(
                f"{uri} is no file on the Hub.", "Write hf://owner/name/file or hf://owner/name/file@revision."
            )
        return cls(match["repo"], match["file"], match["first"] or match["last"] or "", match["type"] or "model")


@dataclass(frozen=True)
class Found:
    """A file that the Hub has."""

    place: Place
    size: int | None  # in bytes, where the Hub says it
    etag: str  # its sha256 where the Hub stores it as a large file


def cached(place: Place) -> Path | None:
    """Give the file where it is in the cache; the network is not asked."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(place.repo, place.file, revision=place.revision or None, repo_type=place.repo_type)
    return Path(path) if isinstance(path, str) else None


def ask(place: Place) -> Found:
    """Ask the Hub for a file, without fetching it: seconds where there is no network, and the client takes minutes.

    Raises:
        WeightsNotFound: the Hub does not give it, or cannot be reached.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    since, reason = _unreachable.get(constants.ENDPOINT, (0.0, None))
    if reason and time.monotonic() - since < _MEMORY:
        raise explain(reason, str(place))
    url = hf_hub_url(place.repo, place.file, revision=place.revision or None, repo_type=place.repo_type)
    try:
        metadata = _within(_DEADLINE, lambda: get_hf_file_metadata(url, timeout=HUB_PATIENCE))
    except Exception as error:  # the client's own, and its HTTP library's: all say why there is no answer
        if not isinstance(error, (HfHubHTTPError, OfflineModeIsEnabled)):
            _unreachable[constants.ENDPOINT] = time.monotonic(), error.with_traceback(None)
        raise explain(error, str(place)) from error
    if metadata.commit_hash is None or metadata.etag is None:
        raise _no_hub(place)
    return Found(place, metadata.size, metadata.etag)


def download(found: Found, watch: Watch | None = None) -> Path:
    """Fetch a file into the cache; a connection that breaks is taken up again where it broke.

    Raises:
        WeightsNotFound: it did not arrive, or cannot be stored.
    """
    from huggingface_hub import hf_hub_download

    place = found.place
    try:
        return Path(
            hf_hub_download(
                place.repo,
                place.file,
                revision=place.revision or None,
                repo_type=place.repo_type,
                tqdm_class=_bar(watch) if watch else None,
            )
        )
    except Exception as error:  # the client's own, its HTTP library's, and the disk's: all say why it is not here
        raise explain(error, str(place), on_its_way=True) from error


def etag_of(path: Path) -> str:
    """Give the etag of a file in the cache: the name of what its link leads to, empty where the cache has no links."""
    return path.readlink().name if path.is_symlink() else ""


def check_etag(path: Path, etag: str) -> None:
    """Compare a file that no manifest describes with its etag, which is its sha256 where it is stored as a large file.

    Raises:
        WeightsCorrupt: they differ.
    """
    if re.fullmatch("[0-9a-f]{64}", etag) and sha256_of(path) != etag:
        raise WeightsCorrupt(f"{path} is not what it is on the Hub.", "The next run fetches it again.")


def _within(seconds: float, ask: Callable[[], _Answer]) -> _Answer:
    answers: list[_Answer] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:  # raised again below, where somebody hears it
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    return answers[0]


def _bar(watch: Watch) -> Any:
    """Make what the client takes for a progress bar: one that tells `watch`, and draws nothing itself."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings | {"disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            watch(int(n or 0))

        # The client's other protocol counts what has come and what is written; the latter is enough.
        def update_transfer(self, n: float) -> None: ...

        def set_transfer_postfix_str(self, text: str, refresh: bool = True) -> None: ...

    return Bar


def _no_hub(place: Place) -> WeightsNotFound:
    from huggingface_hub import constants

    return WeightsNotFound(
        f"{place} cannot be had: what answers at {constants.ENDPOINT} is not the Hub, but a proxy, perhaps, "
        "or a network that wants a login.",
        "Open a web page to log in to the network, or set HTTPS_PROXY; HF_ENDPOINT names a mirror.",
    )


def explain(error: Exception, what: str, *, on_its_way: bool = False) -> WeightsNotFound:
    """Turn what the client raised into a sentence and a next step.

    Args:
        error: the client's own, its HTTP library's, or the disk's.
        what: was to be had.
        on_its_way: whether the Hub had promised it before.
    """
    from huggingface_hub import constants, errors

    cache = constants.HF_HUB_CACHE
    match error:
        case errors.OfflineModeIsEnabled():
            said, hint = "is not here and HF_HUB_OFFLINE forbids a download", "Run once without it."
        case errors.GatedRepoError():
            said, hint = "is shown by the Hub only to some", _LOGIN
        case errors.RepositoryNotFoundError():
            said, hint = "is in a repository that the Hub does not have, or does not show to you", _LOGIN
        case errors.DisabledRepoError():
            said, hint = "is in a repository that the Hub has closed", "Choose other weights with --weights."
        case errors.RemoteEntryNotFoundError() | errors.RevisionNotFoundError():
            said, hint = "is not on the Hub", "Check its name and revision; a newer colorcli may know where it went."
        case errors.HfHubHTTPError(response=response):
            said, hint = _status(response.status_code)
        case errors.LocalEntryNotFoundError(__cause__=Exception() as cause):  # the client's second question failed
            return explain(cause, what, on_its_way=on_its_way)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            said, hint = (
                f"does not fit into {cache}: {error.strerror}",
                "Make room, or set HF_HOME to a roomier folder.",
            )
        case OSError(errno=errno.EROFS | errno.EACCES | errno.EPERM):
            said, hint = (
                f"cannot be stored in {cache}: {error.strerror}",
                "Set HF_HOME to a folder that can be written to.",
            )
        case OSError(errno=int(), filename=str()):
            said, hint = f"cannot be stored: {error}", "HF_HOME says where downloads are kept."
        case _ if on_its_way:
            said, hint = f"broke off on its way ({_first_line(error)})", "The same command tries again."
        case _:
            said, hint = f"cannot be had: the Hub cannot be reached ({_first_line(error)})", _LATER
    return WeightsNotFound(f"{what} {said}.", hint)


def _status(code: int) -> tuple[str, str]:
    match code:
        case 401:
            return (
                "cannot be had: the Hub does not accept the token",
                "Log in anew with `hf auth login`, or correct HF_TOKEN.",
            )
        case 403:
            return "cannot be had: the token has no right to it", _LOGIN
        case 429:
            return (
                "cannot be had: the Hub has had too many questions from here",
                "Wait, or log in with `hf auth login`.",
            )
    return f"cannot be had: the Hub answered with status {code}", _LATER


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".: ")
