"""Outputs that would replace an input or another output."""

from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING

from colorcli.errors import UsageError
from colorcli.jobs.folders import identity
from colorcli.jobs.job import Job, Plan
from colorcli.jobs.outputs import SEVERAL
from colorcli.media import shown
from colorcli.storage import RemotePath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_MAX_NAME_BYTES = 255  # bytes


class _Targets:
    """The outputs of the jobs so far."""

    def __init__(self) -> None:
        self._taken: dict[str, Job] = {}

    def first(self, job: Job) -> Job | None:
        """Return the earlier job with the same output; None if the output is new."""
        target = _absolute(job.target)
        first = self._taken.setdefault(_folded(target), job)
        if first is job or (_absolute(first.target) != target and not _ignores_case(job.target)):
            return None
        return first


def without_clashes(planned: Plan) -> Iterator[Job]:
    """Yield the jobs of a plan that do not clash; the others become problems of it."""
    sources = {_absolute(job.source): job.source for job in planned.jobs}
    earlier_outputs = set(_earlier_outputs(planned.jobs, sources))
    targets = _Targets()
    for job in planned.jobs:
        if _absolute(job.source) in earlier_outputs:
            continue
        if too_long := _too_long(job):
            planned.problems.append((job.source, too_long))
            continue
        target = _absolute(job.target)
        if first := targets.first(job):
            if _is_same_file(first.source, job.source):
                continue
            problem = _same_output(first, job)
        elif (target in sources and target not in earlier_outputs) or _is_same_file(job.target, job.source):
            problem = UsageError(
                f"{shown(job.source)}: its output {shown(job.target)} would replace an input.",
                "Write elsewhere with -o.",
            )
        else:
            yield job
            continue
        planned.problems.append((job.source, problem))


def passes_without_clashes(passes: Sequence[Sequence[Job]], planned: Plan) -> list[list[Job]]:
    """Return the jobs of several passes whose outputs differ; the others become problems of the plan.

    Args:
        passes: jobs of each, with targets of their own, such as `numbered` and `of_entropy` return.
        planned: where problems are added.
    """
    targets = _Targets()
    wanted: list[list[Job]] = []
    for jobs in passes:
        wanted.append([])
        for job in jobs:
            if too_long := _too_long(job):
                planned.problems.append((job.source, too_long))
            elif first := targets.first(job):
                planned.problems.append((job.source, _same_output(first, job)))
            else:
                wanted[-1].append(job)
    return wanted


def _same_output(first: Job, job: Job) -> UsageError:
    return UsageError(
        f"{shown(job.source)} and {shown(first.source)} have the same output, {shown(job.target)}.",
        "Rename one of them, or run them with different -o.",
    )


def _too_long(job: Job) -> UsageError | None:
    """Return the error of an output whose name no file system takes; None if it is short enough."""
    length = len(os.fsencode(job.target.name))
    if length <= _MAX_NAME_BYTES:
        return None
    return UsageError(
        f"{shown(job.source)}: the name of its output would have {length} bytes, but the limit is {_MAX_NAME_BYTES}.",
        "Choose a shorter name, or an output folder, with -o.",
    )


def _earlier_outputs(jobs: Iterable[Job], sources: dict[str, Path]) -> Iterator[str]:
    """Yield inputs that an earlier run wrote, which `*.jpg` matches the second time."""
    stems = set()
    for job in jobs:
        target = _absolute(job.target)
        stems.add(os.path.splitext(target)[0])  # noqa: PTH122
        if target in sources and not _is_same_file(job.source, job.target) and _is_ours(job):
            yield target
    for source, path in sources.items():
        several = SEVERAL.fullmatch(os.path.splitext(source)[0])  # noqa: PTH122
        if several and several[1] in stems and _is_ours(Job(path, path, "")):
            yield source


def _is_ours(job: Job) -> bool:
    if job.film:
        from colorcli.media.films.provenance import read_provenance as read_film  # heavy, and rarely needed

        return read_film(job.target) is not None
    from colorcli.media.pictures.provenance import read_provenance

    return read_provenance(job.target) is not None


def _is_same_file(one: Path, other: Path) -> bool:
    found = identity(one)
    return found is not None and found == identity(other)


def _absolute(path: Path) -> str:
    """Return an absolute path, in which links stay links."""
    return os.path.abspath(path)  # noqa: PTH100


def _folded(path: str) -> str:
    """Return a form that is equal for names that some file systems treat as one file."""
    return unicodedata.normalize("NFC", path).casefold()


def _ignores_case(path: Path) -> bool:
    """Return whether names that differ only in case are one file in this folder."""
    if isinstance(path, RemotePath):
        return False
    for folder in path.absolute().parents:
        swapped = folder.with_name(folder.name.swapcase()) if folder.name else folder
        if swapped != folder and folder.exists():
            return _is_same_file(folder, swapped)
    return False
