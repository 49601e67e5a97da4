"""Planning: from the inputs of a command line to a list of jobs, each with a file to read and one to write."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import ColorcliError, UnreadableMedia, UsageError
from colorcli.media import formats, shown
from colorcli.media.films import CONTAINERS, SUFFIXES, is_film
from colorcli.media.films.sequences import is_pattern, pattern_of
from colorcli.storage import Listing, RemotePath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from colorcli.media.formats import Format


_URL = re.compile(r"[a-z][a-z0-9+.-]+:/")
_LONGEST_NAME = 255  # bytes
_SEVERAL = re.compile(r"(.+)-(?:\d+|entropy)")  # the stem of one output of several


@dataclass(frozen=True)
class Job:
    """One file to read and one to write.

    Attributes:
        source: the file to read.
        target: the file to write.
        relative: the source's path within its input folder, or its name, with slashes on every system.
        film: whether it is a film, by its name, or by its first bytes if its name does not tell.
    """

    source: Path
    target: Path
    relative: str
    film: bool = False


def numbered(job: Job, number: int) -> Job:
    """Return the job of one coloring of several: `a-color.jpg` becomes `a-color-2.jpg`."""
    stem = _stem(job.target)
    return replace(job, target=job.target.with_name(f"{stem}-{number}{job.target.name.removeprefix(stem)}"))


def of_entropy(job: Job) -> Job:
    """Return the job of the map of how uncertain the colors are: `a-color-entropy.png`."""
    return replace(job, target=job.target.with_name(f"{_stem(job.target)}-entropy.png"))


@dataclass
class Plan:
    """The jobs of a run, in order, and the inputs that cannot be done, with the reasons."""

    jobs: list[Job] = field(default_factory=list)
    problems: list[tuple[Path, ColorcliError]] = field(default_factory=list)

    @property
    def films(self) -> list[Job]:
        """The jobs that are films."""
        return [job for job in self.jobs if job.film]


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
    found = Plan()
    patterns = {each: pattern for each in inputs if (pattern := pattern_of(each, film=sequences))}
    problems = {each: problem for each in inputs if each not in patterns and (problem := _problem_with(each))}
    roots = [
        (each, None if each in problems or each in patterns else _output_root(each, inputs, output)) for each in inputs
    ]
    outputs = {identity for _, root in roots if root and (identity := _identity(root))}
    for each, root in roots:
        if each in problems:
            found.problems.append((each, problems[each]))
        elif each in patterns:
            _add_sequence(found, patterns[each], output)
        elif root is None:
            _add_file(found, each, output, kind)
        else:
            _add_folder(found, each, root, kind, outputs)
    listing = Listing()  # of the folders of remote outputs, which saves a question about each of them
    for job in found.jobs:
        listing.inform(job.target)
    found.jobs = list(_without_clashes(found))
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


# Where outputs go ------------------------------------------------------------------------------------------------


def _output_root(source: Path, inputs: Sequence[Path], output: Path | None) -> Path | None:
    """Return the folder that mirrors an input folder; None for an input that is not a folder."""
    if output is not None and not _names_file(output, inputs) and output.exists() and not output.is_dir():
        raise UsageError(
            f"The output must be a folder, but {shown(output)} is a file.", "Choose another name with -o."
        )
    if not _is_folder(source):
        return None
    if output is None and isinstance(source, RemotePath) and source.is_container:
        raise UsageError(f"{shown(source)} has no folder beside it.", "Give an output folder with -o.")
    name = source.name if source.name not in {"", ".."} else source.resolve().name
    if output is None:
        if not name:
            raise UsageError(f"{shown(source)} has no name to add -color to.", "Give an output folder with -o.")
        beside = source if source.name == name else source.resolve()
        return beside.with_name(f"{name}-color")
    return output if len(inputs) == 1 else output / name


def _names_file(output: Path, inputs: Sequence[Path]) -> bool:
    """Return whether -o names a file rather than a folder, which is possible for a single file."""
    if output.suffix.lower() not in formats.BY_SUFFIX.keys() | SUFFIXES or output.is_dir():
        return False
    if len(inputs) > 1 or _is_folder(inputs[0]):
        raise UsageError(
            f"{shown(output)} names a single file, but there may be several outputs.", "Give -o a folder."
        )
    return True


def _is_folder(path: Path) -> bool:
    if isinstance(path, RemotePath):
        return path.is_dir()
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where permission is missing


def _add_file(found: Plan, source: Path, output: Path | None, kind: Format | None) -> None:
    film = _is_film(source)
    if film and output is not None and _names_file(output, [source]):
        found.jobs.append(Job(source, _checked(output), source.name, film=True))
        return
    renamed = _as_film(source) if film else _renamed(source, kind)
    if output is None:
        target = renamed.with_name(f"{_stem(renamed)}-color{renamed.name.removeprefix(_stem(renamed))}")
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
        target = output / renamed.name
    found.jobs.append(Job(source, target, source.name, film))


def _add_sequence(found: Plan, pattern: Path, output: Path | None) -> None:
    """Add numbered pictures, which become numbered pictures unless the output is a film."""
    if output is not None and (is_pattern(output) or output.suffix.lower() in SUFFIXES):
        target = _checked(output)
    elif output is not None:
        target = output / pattern.name
    else:
        folder = pattern.parent if pattern.parent.name else pattern.parent.resolve()
        target = folder.with_name(f"{folder.name}-color") / pattern.name
    found.jobs.append(Job(pattern, target, pattern.name, film=True))


def _is_film(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in SUFFIXES and suffix != ".ts":  # which is also TypeScript
        return True
    return suffix not in formats.BY_SUFFIX and is_film(path)


def _as_film(path: Path) -> Path:
    """Return a path with the suffix of a container that films are written in."""
    return path if path.suffix.lower() in CONTAINERS else path.with_name(f"{_stem(path)}.mkv")


def _checked(output: Path) -> Path:
    if output.suffix.lower() not in CONTAINERS and not is_pattern(output):
        raise UsageError(
            f"{shown(output)} must end in the suffix of a film that can be written.",
            f"Choose from {', '.join(CONTAINERS)}.",
        )
    return output


def _renamed(source: Path, kind: Format | None) -> Path:
    """Return a path with a suffix of the format."""
    if kind is None or source.suffix.lower() in kind.suffixes:
        return source
    return source.with_name(_stem(source) + kind.suffix)


def _stem(path: Path) -> str:
    """Return a name without the suffix of a picture or film; other dots are part of the name."""
    return path.stem if path.suffix.lower() in formats.BY_SUFFIX.keys() | SUFFIXES else path.name


# Folders ---------------------------------------------------------------------------------------------------------


def _add_folder(found: Plan, folder: Path, root: Path, kind: Format | None, outputs: set[tuple[int, int]]) -> None:
    for source in _walk(folder, outputs, (), found.problems):
        relative, film = source.relative_to(folder), _is_film(source)
        target = _as_film(root / relative) if film else _renamed(root / relative, kind)
        found.jobs.append(Job(source, target, relative.as_posix(), film))


def _walk(
    folder: Path,
    outputs: set[tuple[int, int]],
    above: tuple[tuple[int, int] | None, ...],
    problems: list[tuple[Path, ColorcliError]],
) -> Iterator[Path]:
    """Yield the pictures and films in a folder and below it, sorted; links are followed, but not in circles."""
    here = _identity(folder)
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
    for entry in entries:
        path = entry if isinstance(entry, Path) else Path(entry.path)
        if names & _colored_from(path):  # the output of an earlier run on a single file or folder
            continue
        if entry.is_dir():
            if not outputs or _identity(path) not in outputs:
                yield from _walk(path, outputs, (*above, here), problems)
        elif path.suffix.lower() in formats.BY_SUFFIX or (path.suffix.lower() in SUFFIXES and _is_film(path)):
            if entry.is_file():
                yield path
            elif entry.is_symlink() and not path.exists():
                problems.append((path, UnreadableMedia(f"{shown(path)}: the target of this link does not exist.")))


def _colored_from(path: Path) -> set[str]:
    """Return what an output beside its input may be made from: photo.jpg for photo-color.jpg; nothing for other names.

    Several colorings are numbered. A film may have become a Matroska file, and a picture one of any other format.
    """
    stem = whole = _stem(path)
    if several := _SEVERAL.fullmatch(stem):
        stem = several[1]
    if not stem.endswith("-color"):
        return set()
    name = stem.removesuffix("-color")
    same = {name + path.name.removeprefix(whole)}
    if not path.suffix:  # a folder
        return same
    suffixes = SUFFIXES if path.suffix == ".mkv" else formats.BY_SUFFIX
    return same | {name + each for suffix in suffixes for each in (suffix, suffix.upper())}


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what two names of one file have in common; None if the file does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


# Clashes ---------------------------------------------------------------------------------------------------------


def _without_clashes(found: Plan) -> Iterator[Job]:
    """Yield the jobs that do not clash; the others become problems."""
    sources = {os.path.abspath(job.source): job.source for job in found.jobs}  # noqa: PTH100 - links stay links
    taken: dict[str, Job] = {}
    earlier_outputs = set(_earlier_outputs(found.jobs, sources))
    for job in found.jobs:
        if os.path.abspath(job.source) in earlier_outputs:  # noqa: PTH100
            continue
        if too_long := _too_long(job):
            found.problems.append((job.source, too_long))
            continue
        target = os.path.abspath(job.target)  # noqa: PTH100
        first = taken.setdefault(_folded(target), job)
        first_target = os.path.abspath(first.target)  # noqa: PTH100
        if first is not job and (first_target == target or _ignores_case(job.target)):
            if _is_same_file(first.source, job.source):
                continue
            problem = UsageError(
                f"{shown(job.source)} and {shown(first.source)} have the same output, {shown(job.target)}.",
                "Rename one of them, or run them with different -o.",
            )
        elif (target in sources and target not in earlier_outputs) or _is_same_file(job.target, job.source):
            problem = UsageError(
                f"{shown(job.source)}: its output {shown(job.target)} would replace an input.",
                "Write elsewhere with -o.",
            )
        else:
            yield job
            continue
        found.problems.append((job.source, problem))


def without_clashes(passes: Sequence[Sequence[Job]], planned: Plan) -> list[list[Job]]:
    """Return the jobs of several passes whose outputs differ; the others become problems of the plan.

    Args:
        passes: jobs of each, with targets of their own, such as `numbered` and `of_entropy` return.
        planned: where problems are added.
    """
    taken: dict[str, Job] = {}
    wanted: list[list[Job]] = []
    for jobs in passes:
        wanted.append([])
        for job in jobs:
            if too_long := _too_long(job):
                planned.problems.append((job.source, too_long))
                continue
            target = os.path.abspath(job.target)  # noqa: PTH100 - links stay links
            first = taken.setdefault(_folded(target), job)
            if first is job or (first.target != job.target and not _ignores_case(job.target)):
                wanted[-1].append(job)
                continue
            problem = UsageError(
                f"{shown(job.source)} and {shown(first.source)} have the same output, {shown(job.target)}.",
                "Rename one of them, or run them with different -o.",
            )
            planned.problems.append((job.source, problem))
    return wanted


def _too_long(job: Job) -> UsageError | None:
    """Return the error of an output whose name no file system takes; None if it is short enough."""
    length = len(os.fsencode(job.target.name))
    if length <= _LONGEST_NAME:
        return None
    return UsageError(
        f"{shown(job.source)}: the name of its output would have {length} bytes; file systems take {_LONGEST_NAME}.",
        "Choose a shorter name, or an output folder, with -o.",
    )


def _earlier_outputs(jobs: Iterable[Job], sources: dict[str, Path]) -> Iterator[str]:
    """Yield inputs that an earlier run wrote, which `*.jpg` matches the second time."""
    stems = set()
    for job in jobs:
        target = os.path.abspath(job.target)  # noqa: PTH100
        stems.add(os.path.splitext(target)[0])  # noqa: PTH122
        if target in sources and not _is_same_file(job.source, job.target) and _is_ours(job):
            yield target
    for source, path in sources.items():
        several = _SEVERAL.fullmatch(os.path.splitext(source)[0])  # noqa: PTH122
        if several and several[1] in stems and _is_ours(Job(path, path, "")):
            yield source


def _is_ours(job: Job) -> bool:
    if job.film:
        from colorcli.media.films.provenance import read_provenance as read_film  # heavy, and seldom needed

        return read_film(job.target) is not None
    from colorcli.media.pictures.files import read_provenance

    return read_provenance(job.target) is not None


def _is_same_file(one: Path, other: Path) -> bool:
    identity = _identity(one)
    return identity is not None and identity == _identity(other)


def _folded(path: str) -> str:
    """Return what names have in common that are one file on some file systems."""
    return unicodedata.normalize("NFC", path).casefold()


def _ignores_case(path: Path) -> bool:
    """Return whether names that differ in case are one file at this place."""
    if isinstance(path, RemotePath):
        return False
    for folder in path.absolute().parents:
        swapped = folder.with_name(folder.name.swapcase()) if folder.name else folder
        if swapped != folder and folder.exists():
            return _is_same_file(folder, swapped)
    return False
