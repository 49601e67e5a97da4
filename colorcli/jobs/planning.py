"""From inputs to a plan."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING

from colorcli.errors import UnreadableMedia, UsageError
from colorcli.jobs.clashes import without_clashes
from colorcli.jobs.folders import folder_jobs, identity
from colorcli.jobs.job import Plan
from colorcli.jobs.outputs import check_output, file_job, output_root, sequence_job
from colorcli.media import formats, shown
from colorcli.media.films.sequences import pattern_of
from colorcli.storage import Listing, RemotePath

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from colorcli.media.formats import Format

_URL = re.compile(r"[a-z][a-z0-9+.-]+:/")


def plan(
    inputs: Sequence[Path],
    output: Path | None,
    *,
    format: str | None = None,  # noqa: A002 - the command line's word
    shard: tuple[int, int] | None = None,
    sequences: bool = False,
) -> Plan:
    """Find every picture and film in the inputs and decide where its output goes. Nothing is written or decoded.

    Without `output`, `a.jpg` becomes `a-color.jpg` and the folder `photos` becomes `photos-color`, its tree mirrored.
    With it, everything goes into that folder; for a single file it may also be a file name. An input that is
    unreadable, or whose output would replace an input or another output, becomes a problem and does not stop the rest.

    Args:
        inputs: files and folders, here or in object storage.
        output: a folder, or for one file a file name; None for beside the input.
        format: the name or suffix of the format of pictures; None for that of the input.
        shard: (i, n) for part i of n, 1 <= i <= n; the part of a picture depends only on its relative path.
        sequences: whether folders of numbered pictures are films, even if they might be photographs.

    Raises:
        UsageError: the format, the shard or the output is invalid.
    """
    kind = _wanted_format(format)
    _check_shard(shard)
    if output is not None:
        check_output(output)
    found = Plan()
    patterns = {each: pattern for each in inputs if (pattern := pattern_of(each, film=sequences))}
    problems = {each: problem for each in inputs if each not in patterns and (problem := _problem_with(each))}
    roots = [
        (each, None if each in problems or each in patterns else output_root(each, inputs, output)) for each in inputs
    ]
    outputs = {existing for _, root in roots if root and (existing := identity(root))}
    for each, root in roots:
        if each in problems:
            found.problems.append((each, problems[each]))
        elif each in patterns:
            found.jobs.append(sequence_job(patterns[each], output))
        elif root is None:
            found.jobs.append(file_job(each, output, kind))
        else:
            found.jobs += folder_jobs(each, root, kind, outputs, found.problems, sequences=sequences)
    listing = Listing()  # folders of remote outputs, so that the storage is not asked about each output
    for job in found.jobs:
        listing.inform(job.target)
    found.jobs = list(without_clashes(found))
    if shard is not None:
        found.jobs = [job for job in found.jobs if _part(job.relative, shard[1]) == shard[0]]
    return found


def _problem_with(source: Path) -> UnreadableMedia | None:
    """Return the error of an input that cannot be opened; None if it can."""
    name = shown(source)
    try:
        mode = source.stat().st_mode
    except FileNotFoundError:
        if os.path.lexists(source):
            return UnreadableMedia(f"{name}: broken link.")
        if _URL.match(str(source)) and not isinstance(source, RemotePath):
            url = name.replace(":/", "://", 1) if "://" not in name else name
            return UnreadableMedia(f"{url} is a URL, not a file.", f"Download it first: curl -LO {url}")
        return UnreadableMedia(f"File or folder not found: {name}.")
    except (OSError, ValueError) as error:  # such as a locked folder, a name that is too long, or one with a zero byte
        return UnreadableMedia(f"{name}: {getattr(error, 'strerror', None) or error}.")
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
    hint = f"Read it as standard input: colorcli run - < {name} > output" if stat.S_ISFIFO(mode) else ""
    return UnreadableMedia(f"{name} is {kind}, not a file or folder.", hint)


def _wanted_format(name: str | None) -> Format | None:
    if name is None:
        return None
    kind = formats.named(name)
    if kind is None:
        known = ", ".join(each.lower() for each in formats.FORMATS)
        raise UsageError(f"{name!r} is not a picture format.", f"Choose from {known}.")
    return kind


def _check_shard(shard: tuple[int, int] | None) -> None:
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise UsageError(
            f"shard must be I/N with 1 <= I <= N, got {shard[0]}/{shard[1]}.", "The first part of four is --shard 1/4."
        )


def _part(relative: str, parts: int) -> int:
    digest = hashlib.sha256(os.fsencode(relative)).digest()
    return int.from_bytes(digest[:8], "big") % parts + 1
