"""Names from manifests, links, headers and servers that become part of a path on this machine.

Each is checked here before it is joined to a folder, so that `../../x` never leaves the folder it belongs to.
"""

from __future__ import annotations

import re

# The Hub's own rules: letters, digits, `-`, `_` and `.`, neither `--` nor `..`, nor `-` or `.` at either end.
_PART = r"(?![\w.-]*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
REPO = rf"{_PART}/{_PART}"
TAG = r"[A-Za-z0-9_-]{1,64}"  # also a key in TOML that needs no quotes, and part of a file name
ETAG = r"(?!\.+\Z)[A-Za-z0-9._+=-]{1,128}"  # the client names a file in its cache after it
_MAX_REPO_LENGTH = 96  # characters, as on the Hub
_MAX_PATH_LENGTH = 512
# Including characters that Windows forbids, as its caches get these names, too.
_NOT_IN_PATHS = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|]')


def is_repo(text: str) -> bool:
    """Check for the form owner/name."""
    return len(text) <= _MAX_REPO_LENGTH and re.fullmatch(REPO, text, re.ASCII) is not None


def is_tag(text: str) -> bool:
    """Check for the name of weights, or of a colorizer."""
    return re.fullmatch(TAG, text, re.ASCII) is not None


def is_etag(text: str) -> bool:
    """Check for an ETag that can be the name of a file."""
    return re.fullmatch(ETAG, text, re.ASCII) is not None


def is_inner_path(text: str) -> bool:
    """Check for a relative path, with `/`, that stays inside the folder it is joined to."""
    parts = text.split("/")
    return len(text) <= _MAX_PATH_LENGTH and not _NOT_IN_PATHS.search(text) and not {"", ".", ".."} & set(parts)


def is_revision(text: str) -> bool:
    """Check for a branch, a tag or a commit; branches such as refs/pr/1 have slashes."""
    return is_inner_path(text) and not text.startswith("-")


def is_page(text: str) -> bool:
    """Check for an https URL, which is shown and never opened."""
    return re.fullmatch(r"https://[^\s\x00-\x1f\x7f-\x9f]{1,500}", text) is not None
