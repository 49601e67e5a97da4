"""Errors of the Hub's client, its HTTP library and the disk, as sentences with a next step."""

from __future__ import annotations

import errno

from colorcli.errors import WeightsNotFound
from colorcli.weights.guard import Refused, TooSlow, UnsafeName

_RETRY = "Try again when the Hub can be reached; HF_ENDPOINT selects a mirror."
_LOGIN = "Request access on the repository's page if necessary, then run `hf auth login` or set HF_TOKEN."


def explain(error: Exception, name: str, *, downloading: bool = False) -> WeightsNotFound:
    """Convert an error of the client, its HTTP library or the disk to a sentence and a next step.

    Args:
        error: what was raised.
        name: the file's name in the message.
        downloading: whether the Hub had already answered and the download had begun.
    """
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        return explain(error.__cause__, name, downloading=downloading)  # the client's second request failed
    reason, hint = _limit(error, downloading) or _answer(error) or _disk(error) or _network(error, downloading)
    return WeightsNotFound(f"{name} {reason}.", hint)


def _limit(error: Exception, downloading: bool) -> tuple[str, str] | None:
    from huggingface_hub import constants

    match error:
        case Refused(status=status):
            return _status(status)
        case UnsafeName():
            return f"cannot be downloaded: {error}", f"Do not trust {constants.ENDPOINT}."
        case TooSlow() if downloading:
            return f"was not downloaded: {error}", "Run the same command again to retry."
        case TooSlow():
            return f"cannot be downloaded: the Hub cannot be reached ({error})", _RETRY
    return None


def _answer(error: Exception) -> tuple[str, str] | None:
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError):  # in older clients a kind of HfHubHTTPError, too
        return None
    match error:
        case errors.OfflineModeIsEnabled():
            answer = "is not in the cache and HF_HUB_OFFLINE forbids downloads", "Unset HF_HUB_OFFLINE and run again."
        case errors.GatedRepoError():
            answer = "is in a gated repository that you cannot access", _LOGIN
        case errors.RepositoryNotFoundError():
            answer = "is in a repository that does not exist or is private", _LOGIN
        case errors.DisabledRepoError():
            answer = "is in a repository that the Hub has disabled", "Choose other weights with --weights."
        case errors.EntryNotFoundError() | errors.RevisionNotFoundError():
            answer = "was not found on the Hub", "Check its name and revision, or upgrade colorcli."
        case errors.HfHubHTTPError(response=response):
            answer = _status(response.status_code)
        case _:
            return None
    return answer


def _disk(error: Exception) -> tuple[str, str] | None:
    from huggingface_hub import constants

    cache = constants.HF_HUB_CACHE
    match error:
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            hint = "Free some space, or set HF_HOME to a folder with more."
            return f"does not fit into {cache}: {error.strerror}", hint
        case OSError(errno=errno.EROFS | errno.EACCES | errno.EPERM):
            return f"cannot be stored in {cache}: {error.strerror}", "Set HF_HOME to a writable folder."
        case OSError(errno=int(), filename=str()):
            return f"cannot be stored: {error}", "HF_HOME is the folder for downloads."
    return None


def _network(error: Exception, downloading: bool) -> tuple[str, str]:
    if downloading:
        reason = f"was not downloaded completely ({_first_line(error)})"
        return reason, "Run the same command again to retry."
    return f"cannot be downloaded: the Hub cannot be reached ({_first_line(error)})", _RETRY


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


def not_the_hub(name: str) -> WeightsNotFound:
    """Make the error for an answer that did not come from a Hub."""
    from huggingface_hub import constants

    return WeightsNotFound(
        f"Cannot download {name}: {constants.ENDPOINT} did not answer as the Hub does; "
        "perhaps a proxy or a network login answered instead.",
        "Log in to the network in a web browser, or set HTTPS_PROXY; HF_ENDPOINT selects a mirror.",
    )
