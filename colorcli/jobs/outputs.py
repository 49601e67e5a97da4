"""Where outputs go, and what they are named."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from colorcli.errors import UsageError
from colorcli.jobs.job import Job
from colorcli.media import formats, shown
from colorcli.media.films import CONTAINERS, SUFFIXES, is_film
from colorcli.media.films.sequences import is_pattern
from colorcli.storage import RemotePath

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from colorcli.media.formats import Format


SEVERAL = re.compile(r"(.+)-(?:\d+|entropy)")
"""The stem of one output of several."""

_OTHER_FILES = re.compile(
    r"\.(7z|arw|ckpt|cr2|cr3|dng|docx|dpx|exr|fits|hdr|j2k|jp2|jxl|log|md|nef|npy|npz|odt|orf|pcx|pptx|psb|psd|pt|pth"
    r"|raf|rar|raw|rw2|safetensors|tga|toml|xcf|xlsx|yaml|yml|zst)"
)
"""Suffixes of files that are missing from Python's own table, at least in some versions."""


def numbered(job: Job, number: int) -> Job:
    """Return the job of one coloring of several: `a-color.jpg` becomes `a-color-2.jpg`."""
    stem = stem_of(job.target)
    return replace(job, target=job.target.with_name(f"{stem}-{number}{job.target.name.removeprefix(stem)}"))


def of_entropy(job: Job) -> Job:
    """Return the job of the map of how uncertain the colors are: `a-color-entropy.png`."""
    return replace(job, target=job.target.with_name(f"{stem_of(job.target)}-entropy.png"))


def of_copy(job: Job) -> Job:
    """Return the job of a picture that is already in color: its copy has the suffix of the source, not of --format."""
    target, suffix = job.target, job.source.suffix
    if target.suffix.lower() == suffix.lower() or stem_of(target) == target.name:
        return job
    return replace(job, target=target.with_name(stem_of(target) + suffix))


def names_of_inputs(path: Path) -> set[str]:
    """Return the names that a file may be an output of: photo.jpg and others for photo-color.jpg, none for most names.

    Several colorings are numbered. A film may have become a Matroska file, and a picture one of any other format.
    """
    stem = whole = stem_of(path)
    if several := SEVERAL.fullmatch(stem):
        stem = several[1]
    if not stem.endswith("-color"):
        return set()
    name = stem.removesuffix("-color")
    same = {name + path.name.removeprefix(whole)}
    if not path.suffix:  # a folder
        return same
    suffixes = SUFFIXES if path.suffix == ".mkv" else formats.BY_SUFFIX
    return same | {name + each for suffix in suffixes for each in (suffix, suffix.upper())}


def output_root(source: Path, inputs: Sequence[Path], output: Path | None) -> Path | None:
    """Return the folder that mirrors an input folder; None for an input that is not a folder."""
    if output is not None and not _names_file(output, inputs) and output.exists() and not output.is_dir():
        raise UsageError(
            f"The output must be a folder, but {shown(output)} is a file.", "Choose another name with -o."
        )
    if not _is_folder(source):
        return None
    if output is None and isinstance(source, RemotePath) and source.is_container:
        raise UsageError(f"{shown(source)} has no parent folder.", "Choose an output folder with -o.")
    name = source.name if source.name not in {"", ".."} else source.resolve().name
    if output is None:
        if not name:
            raise UsageError(f"{shown(source)} has no name to add -color to.", "Choose an output folder with -o.")
        beside = source if source.name == name else source.resolve()
        return beside.with_name(f"{name}-color")
    return output if len(inputs) == 1 else output / name


def looks_like_file(path: Path) -> bool:
    """Return whether a name is that of a file, such as photos.zip or page.html, and not of a folder that exists.

    Other dots are part of a folder's name, as in photos.2024, v1.0 or A.B.
    """
    from mimetypes import MimeTypes

    table, suffix = MimeTypes(), path.suffix.lower()  # without what this machine adds
    kinds = {each for each in table.types_map[True] if len(each) > 3}  # one or two letters may be initials
    known = suffix in kinds | table.encodings_map.keys() | table.suffix_map.keys()
    return (known or _OTHER_FILES.fullmatch(suffix) is not None) and not path.is_dir()


def check_output(output: Path) -> None:
    """Refuse a name that can only be that of a file which is neither a picture nor a film.

    Raises:
        UsageError: it is one.
    """
    written = output.suffix.lower() in formats.BY_SUFFIX.keys() | SUFFIXES
    if written or is_pattern(output) or not looks_like_file(output):
        return
    hint = f"Choose a folder, or for a single file a name such as {shown(output.with_suffix('.jpg'))}."
    if not isinstance(output, RemotePath):
        hint += f" For a folder of this name, create it first: mkdir {shown(output)}"
    raise UsageError(f"Neither pictures nor films can be written as {output.suffix}, got -o {shown(output)}.", hint)


def _names_file(output: Path, inputs: Sequence[Path]) -> bool:
    """Return whether -o names a file rather than a folder, which is possible for a single file."""
    if output.suffix.lower() not in formats.BY_SUFFIX.keys() | SUFFIXES or output.is_dir():
        return False
    if len(inputs) > 1 or _is_folder(inputs[0]):
        raise UsageError(
            f"{shown(output)} names a single file, but there may be several outputs.", "Choose a folder with -o."
        )
    return True


def _is_folder(path: Path) -> bool:
    if isinstance(path, RemotePath):
        return path.is_dir()
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where permission is missing


def file_job(source: Path, output: Path | None, kind: Format | None) -> Job:
    """Return the job of a picture or film.

    Args:
        source: the file to read.
        output: a folder or a file name; None for beside the file.
        kind: the format of pictures; None for that of the file.

    Raises:
        UsageError: the output names a file of another kind.
    """
    film = is_film_file(source)
    if film and output is not None and _names_file(output, [source]):
        return Job(source, _checked(output), source.name, film=True)
    named = with_film_suffix(source) if film else with_suffix_of(source, kind)
    if output is None:
        target = named.with_name(f"{stem_of(named)}-color{named.name.removeprefix(stem_of(named))}")
    elif _names_file(output, [source]):
        if output.suffix.lower() in SUFFIXES:
            raise UsageError(
                f"{shown(output)} is the name of a film, but {shown(source)} is not a film.",
                "Choose another name with -o.",
            )
        if kind is not None and output.suffix.lower() not in kind.suffixes:
            raise UsageError(
                f"{shown(output)} is not the name of a {kind.name} file.",
                "Leave out -o or --format, or make them agree.",
            )
        target = output
    else:
        target = output / named.name
    return Job(source, target, source.name, film)


def sequence_job(pattern: Path, output: Path | None) -> Job:
    """Return the job of numbered pictures, which become numbered pictures unless the output is a film."""
    if output is not None and (is_pattern(output) or output.suffix.lower() in SUFFIXES):
        target = _checked(output)
    elif output is not None:
        target = output / pattern.name
    else:
        folder = pattern.parent if pattern.parent.name else pattern.parent.resolve()
        target = folder.with_name(f"{folder.name}-color") / pattern.name
    return Job(pattern, target, pattern.name, film=True)


def is_film_file(path: Path) -> bool:
    """Return whether a file is a film, by its name, or by its first bytes if its name does not tell."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES and suffix != ".ts":  # .ts is also TypeScript
        return True
    return suffix not in formats.BY_SUFFIX and is_film(path)


def with_film_suffix(path: Path) -> Path:
    """Return a path with the suffix of a container that films are written in."""
    return path if path.suffix.lower() in CONTAINERS else path.with_name(f"{stem_of(path)}.mkv")


def _checked(output: Path) -> Path:
    if output.suffix.lower() not in CONTAINERS and not is_pattern(output):
        raise UsageError(
            f"{shown(output)} must end in the suffix of a film that can be written.",
            f"Choose from {', '.join(CONTAINERS)}.",
        )
    return output


def with_suffix_of(source: Path, kind: Format | None) -> Path:
    """Return a path with a suffix of the format."""
    if kind is None or source.suffix.lower() in kind.suffixes:
        return source
    return source.with_name(stem_of(source) + kind.suffix)


def stem_of(path: Path) -> str:
    """Return a name without the suffix of a picture or film; other dots are part of the name."""
    return path.stem if path.suffix.lower() in formats.BY_SUFFIX.keys() | SUFFIXES else path.name
