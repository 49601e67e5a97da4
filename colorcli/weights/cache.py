"""Finding and deleting downloads that are no longer needed."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli.weights.verification import verification_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from colorcli.colorizer import Weights

_ABANDONED = 3600.0  # seconds without growth after which a partial download counts as abandoned


@dataclass(frozen=True)
class UnusedFiles:
    """Files that can be deleted from the Hugging Face cache.

    Attributes:
        sizes: size in bytes by file name.
    """

    sizes: dict[str, int]
    _revisions: Any  # huggingface_hub's plan for deleting revisions; None without a cache
    _partial: tuple[Path, ...]

    def delete(self) -> None:
        """Delete the files, and the verification records of files that no longer exist."""
        if self._revisions is not None:
            self._revisions.execute()
        for path in self._partial:
            path.unlink(missing_ok=True)
        for record in verification_records():
            if not record.file.exists():
                with suppress(OSError):
                    record.path.unlink()


def find_unused(pinned: Iterable[Weights]) -> UnusedFiles:
    """Find revisions that colorcli downloaded completely and that no manifest names, and abandoned downloads.

    Files that other programs downloaded are kept. Abandoned downloads are found in the manifests' repositories only.

    Args:
        pinned: the weights in the manifests of all colorizers.
    """
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    pinned = list(pinned)
    wanted = {weights.sha256 for weights in pinned}
    unwanted = {record.file for record in verification_records() if record.sha256 not in wanted}
    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except (CacheNotFound, ValueError):
        return UnusedFiles({}, None, ())
    sizes: dict[str, int] = {}
    commits: list[str] = []
    for repo in cache.repos:
        for revision in repo.revisions:
            if revision.files and {file.blob_path.resolve() for file in revision.files} <= unwanted:
                commits.append(revision.commit_hash)
                sizes |= {f"{repo.repo_id}/{file.file_name}": file.size_on_disk for file in revision.files}
    repositories = {(weights.repo, weights.repo_type) for weights in pinned if not weights.bundled}
    partial = tuple(_abandoned_downloads(repositories))
    sizes |= {str(path): path.stat().st_size for path in partial}
    return UnusedFiles(sizes, cache.delete_revisions(*commits), partial)


def _abandoned_downloads(repositories: Iterable[tuple[str, str]]) -> Iterator[Path]:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    for repo, repo_type in repositories:
        folder = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo, repo_type=repo_type), "blobs")
        for path in folder.glob("*.incomplete"):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                yield path
