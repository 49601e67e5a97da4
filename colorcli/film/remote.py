"""Films in object storage: ffmpeg and the parts of a film need files, so films are copied here and back."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from colorcli.errors import ColorcliError, OutputExists
from colorcli.files import disk_errors, shown, user_data
from colorcli.inference.batch import is_done
from colorcli.inference.outcomes import FilmOutcome
from colorcli.media.films.provenance import read_provenance
from colorcli.storage import RemotePath

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.jobs import Job
    from colorcli.media.pictures.metadata import Provenance


def is_remote(job: Job) -> bool:
    """Return whether a film is read from, or written to, object storage."""
    return isinstance(job.source, RemotePath) or isinstance(job.target, RemotePath)


def colorize_by_copy(
    job: Job, provenance: Provenance, colorize: Callable[[Job], FilmOutcome], *, overwrite: bool
) -> FilmOutcome:
    """Copy a film here, colorize it, and upload the output when it is complete.

    The copies are in the user's data folder. They stay if the run is stopped, with the finished parts, so that the
    same command on the same machine resumes.

    Args:
        job: job whose source or target is in object storage.
        provenance: what would make the output.
        colorize: colorizes local files.
        overwrite: replace an existing output.

    Raises:
        OutputExists: another file already exists at the target.
        ColorcliError: as `colorize`.
        OSError: the storage cannot be reached, or refuses.
    """
    if not overwrite:
        for target in dict.fromkeys((job.target, job.target.with_suffix(".mkv"))):
            if is_done(job.source, target, read_provenance, provenance):
                return FilmOutcome(job, done_before=True, target=target)
    name = hashlib.sha256(f"{job.source}\n{job.target}".encode()).hexdigest()[:16]
    folder = user_data("films") / name
    with disk_errors(folder):
        (folder / "output").mkdir(parents=True, exist_ok=True)
    local = job
    if isinstance(job.source, RemotePath):
        local = replace(local, source=folder / job.source.name)
        if not _is_copied(job.source, local):
            with disk_errors(local.source):
                job.source.download(local.source)
    if isinstance(job.target, RemotePath):
        local = replace(local, target=folder / "output" / job.target.name)
    try:
        outcome = colorize(local)
    except ColorcliError as error:
        message = error.message.replace(str(local.source), str(job.source)).replace(str(local.target), str(job.target))
        raise type(error)(message, error.hint) from error
    target = job.target.with_name(outcome.output.name)
    if isinstance(target, RemotePath):
        try:
            target.upload(outcome.output, overwrite=overwrite)
            for checksums in outcome.output.parent.glob("*.framemd5"):
                target.with_name(checksums.name).upload(checksums, overwrite=True)
        except FileExistsError:
            raise OutputExists(
                f"{shown(target)} already exists.", "Replace it with --overwrite, or write to another place with -o."
            ) from None
    shutil.rmtree(folder, ignore_errors=True)
    return replace(outcome, job=job, target=target)


def _is_copied(source: RemotePath, local: Job) -> bool:
    """Return whether a run that was stopped has copied the film as it is now."""
    if not local.source.is_file():
        return False
    here, there = local.source.stat(), source.stat()
    return here.st_size == there.st_size and int(here.st_mtime) == int(there.st_mtime)
