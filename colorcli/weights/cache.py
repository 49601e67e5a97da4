"""What colorcli has downloaded and nobody needs any more."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli.weights.verification import seals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from colorcli.colorizer import Weights

_ABANDONED = 3600.0  # seconds after which a download that does not grow is one that was killed


@dataclass(frozen=True)
class Waste:
    """What can go from the Hugging Face cache.

    Attributes:
        files: their names, with their sizes in bytes.
    """

    files: dict[str, int]
    _revisions: Any  # huggingface_hub's plan to delete them; None where there is no cache
    _broken_off: tuple[Path, ...]

    def remove(self) -> None:
        """Delete it, and the seals of files that are not there any more."""
        if self._revisions is not None:
            self._revisions.execute()
        for path in self._broken_off:
            path.unlink(missing_ok=True)
        for seal in seals():
            if not seal.file.exists():
                with suppress(OSError):
                    seal.note.unlink()


def find_waste(pinned: Iterable[Weights]) -> Waste:
    """Find revisions of which colorcli has fetched every file, and of which no manifest names any.

    What other programs have fetched stays. Of downloads that were killed, those of the manifests' repositories go.

    Args:
        pinned: the weights in the manifests of all colorizers.
    """
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    pinned = list(pinned)
    wanted = {weights.sha256 for weights in pinned}
    unwanted = {seal.file for seal in seals() if seal.sha256 not in wanted}
    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except (CacheNotFound, ValueError):
        return Waste({}, None, ())
    files: dict[str, int] = {}
    commits: list[str] = []
    for repo in cache.repos:
        for revision in repo.revisions:
            if revision.files and {file.blob_path.resolve() for file in revision.files} <= unwanted:
                commits.append(revision.commit_hash)
                files |= {f"{repo.repo_id}/{file.file_name}": file.size_on_disk for file in revision.files}
    broken_off = tuple(_broken_off({(weights.repo, weights.repo_type) for weights in pinned if not weights.bundled}))
    files |= {str(path): path.stat().st_size for path in broken_off}
    return Waste(files, cache.delete_revisions(*commits), broken_off)


def _broken_off(repositories: Iterable[tuple[str, str]]) -> Iterator[Path]:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    for repo, repo_type in repositories:
        folder = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo, repo_type=repo_type), "blobs")
        for path in folder.glob("*.incomplete"):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                yield path
