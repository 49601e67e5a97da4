"""The pictures and films in folders."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import UnreadableMedia
from colorcli.jobs.job import Job
from colorcli.jobs.outputs import is_film_file, names_of_inputs, with_film_suffix, with_suffix_of
from colorcli.media import formats, shown
from colorcli.media.films import SUFFIXES
from colorcli.media.films.sequences import SUFFIXES as NUMBERED
from colorcli.media.films.sequences import is_pattern, pattern_among
from colorcli.storage import RemotePath

if TYPE_CHECKING:
    from collections.abc import Iterator

    from colorcli.errors import ColorcliError
    from colorcli.media.formats import Format


def folder_jobs(
    folder: Path,
    root: Path,
    kind: Format | None,
    outputs: set[tuple[int, int]],
    problems: list[tuple[Path, ColorcliError]],
    *,
    sequences: bool = False,
) -> Iterator[Job]:
    """Yield the jobs of a folder's pictures and films, whose outputs mirror its tree.

    Args:
        folder: where to look.
        root: the folder of the outputs.
        kind: the format of pictures; None for that of the input.
        outputs: the `identity` of folders of outputs, which are not read.
        problems: where the folders and links that cannot be read are added.
        sequences: whether folders of numbered pictures are films, even if they might be photographs.
    """
    for source in _walk(folder, outputs, (), problems, sequences=sequences):
        relative = source.relative_to(folder)
        if is_pattern(source):
            yield Job(source, root / relative, relative.as_posix(), film=True)
            continue
        film = is_film_file(source)
        target = with_film_suffix(root / relative) if film else with_suffix_of(root / relative, kind)
        yield Job(source, target, relative.as_posix(), film)


def _walk(
    folder: Path,
    outputs: set[tuple[int, int]],
    above: tuple[tuple[int, int] | None, ...],
    problems: list[tuple[Path, ColorcliError]],
    *,
    sequences: bool,
) -> Iterator[Path]:
    """Yield the pictures and films in a folder and below it, sorted; links are followed, but not in circles.

    Of a folder of numbered pictures that are a film, their pattern is yielded.
    """
    here = identity(folder)
    if here in above:
        return
    try:
        with contextlib.ExitStack() as stack:
            remote = isinstance(folder, RemotePath)
            found = folder.iterdir() if remote else stack.enter_context(os.scandir(folder))
            visible = (entry for entry in found if not entry.name.startswith("."))
            entries = sorted(visible, key=lambda entry: entry.name)
    except OSError as error:
        problems.append((folder, UnreadableMedia(f"{shown(folder)}: {error.strerror or error}.")))
        return
    names = {entry.name for entry in entries}
    pattern = None if remote else pattern_among(folder, names, film=sequences)
    if pattern is not None:
        yield pattern
    for entry in entries:
        path = entry if isinstance(entry, Path) else Path(entry.path)
        if names & names_of_inputs(path):  # the output of an earlier run on a single file or folder
            continue
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError as error:  # such as a link to itself, or into a locked folder
            problems.append((path, UnreadableMedia(f"{shown(path)}: {error.strerror or error}.")))
            continue
        suffix = path.suffix.lower()
        if is_folder:
            if not outputs or identity(path) not in outputs:
                yield from _walk(path, outputs, (*above, here), problems, sequences=sequences)
        elif pattern is not None and suffix in NUMBERED:
            continue
        elif is_file and (suffix in formats.BY_SUFFIX or (suffix in SUFFIXES and is_film_file(path))):
            yield path
        elif suffix in formats.BY_SUFFIX.keys() | SUFFIXES and entry.is_symlink() and not path.exists():
            problems.append((path, UnreadableMedia(f"{shown(path)}: the target of this link does not exist.")))


def identity(path: Path) -> tuple[int, int] | None:
    """Return an identity that is equal for all names of one file; None if the file does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
