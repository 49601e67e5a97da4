"""Finding and deleting downloads that are no longer needed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli.weights.hub import check_environment, is_abandoned, is_inside_cache
from colorcli.weights.pins import recorded
from colorcli.weights.verification import verification_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from colorcli.colorizer import Weights


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

    Files that other programs downloaded are kept, and whatever is outside the cache.

    Args:
        pinned: the weights in the manifests of all colorizers.
    """
    check_environment()
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    wanted = {recorded(weights).sha256 for weights in pinned}
    unwanted = {record.file for record in verification_records() if record.sha256 not in wanted}
    partial = tuple(path for path in Path(constants.HF_HUB_CACHE).glob("*/blobs/*.incomplete") if is_abandoned(path))
    sizes = {str(path): path.stat().st_size for path in partial}
    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except (CacheNotFound, ValueError):
        return UnusedFiles(sizes, None, partial)
    commits: list[str] = []
    for repo in cache.repos:
        for revision in repo.revisions:
            blobs = {file.blob_path.resolve() for file in revision.files}
            if blobs and blobs <= unwanted and all(is_inside_cache(file.file_path) for file in revision.files):
                commits.append(revision.commit_hash)
                sizes |= {f"{repo.repo_id}/{file.file_name}": file.size_on_disk for file in revision.files}
    return UnusedFiles(sizes, cache.delete_revisions(*commits), partial)
