"""Checks of a PyTorch file before PyTorch opens it: its kind, and whether it would expand without bounds.

`torch.load(weights_only=True)` executes nothing, but it decompresses whatever a zip archive has, and builds whatever a
pickle describes: a megabyte may become a terabyte, or a tuple that takes a lifetime to hash.
"""

from __future__ import annotations

import pickletools
import zipfile
from typing import TYPE_CHECKING, BinaryIO

from colorcli.errors import WeightsCorrupt

if TYPE_CHECKING:
    from pathlib import Path

MAX_ENTRIES = 100_000  # entries of a zip archive; PyTorch writes one for each tensor
MAX_PICKLE_BYTES = 16 * 1024 * 1024  # bytes; the tensors themselves are elsewhere in the file
MAX_OBJECTS = 10_000_000  # objects that a pickle may describe; those that are used twice count twice
_PICKLES = 5  # in a file of the kind before PyTorch 1.6
_FORMATS = {
    b"\x1f\x8b": "a gzip file: unpack it first (gunzip, or tar xzf)",
    b"BZh": "a bzip2 file: unpack it first (bunzip2, or tar xjf)",
    b"\xfd7zXZ\x00": "an xz file: unpack it first (unxz, or tar xJf)",
    b"\x28\xb5\x2f\xfd": "a zstd file: unpack it first (unzstd)",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"\x89HDF": "an HDF5 file, as Keras writes: PyTorch and safetensors files can be read",
    b"GGUF": "a GGUF file: PyTorch and safetensors files can be read",
    b"<!do": "a web page",
    b"<!DO": "a web page",
    b"<htm": "a web page",
    b"version https://git-lfs": "a Git LFS pointer: download the file itself (git lfs pull)",
}


def check_archive(path: Path, file: BinaryIO) -> None:
    """Check a file that should be a PyTorch checkpoint.

    Args:
        path: path of the file, for messages.
        file: open for reading; its position is changed.

    Raises:
        WeightsCorrupt: it is of another kind, or describes more than a checkpoint may.
    """
    start = file.read(512)
    for magic, kind in _FORMATS.items():
        if start.startswith(magic):
            raise WeightsCorrupt(f"Cannot open {path} as weights: it is {kind}.")
    if start[257:262] == b"ustar":
        raise WeightsCorrupt(f"Cannot open {path} as weights: it is a tar archive: unpack it first (tar xf).")
    try:
        if start.startswith(b"PK"):
            _check_zip(file)
        else:
            _check_pickles(file)
    except (_TooMuch, zipfile.BadZipFile) as error:
        raise WeightsCorrupt(f"Cannot open {path} as weights: {error}.") from error


class _TooMuch(ValueError):
    pass


def _check_zip(file: BinaryIO) -> None:
    file.seek(0, 2)
    size = file.tell()
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES:
            raise _TooMuch(f"it has more than {MAX_ENTRIES:,} entries")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise _TooMuch("it is a compressed zip archive, which PyTorch does not write: unpack it first (unzip)")
        if sum(entry.file_size for entry in entries) > size:
            raise _TooMuch("its entries have more bytes than the file")
        pickles = [entry for entry in entries if entry.filename.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise _TooMuch("it is a zip archive without a PyTorch checkpoint: unpack it first (unzip)")
        if pickles[0].file_size > MAX_PICKLE_BYTES:
            raise _TooMuch(f"its data.pkl has more than {MAX_PICKLE_BYTES:,} bytes")
        with archive.open(pickles[0]) as pickle:
            _check_pickle(pickle)


def _check_pickles(file: BinaryIO) -> None:
    file.seek(0)
    for _ in range(_PICKLES):
        if not _check_pickle(file):
            return


def _check_pickle(file: object) -> bool:
    """Count the objects that a pickle describes, by running its opcodes on their numbers instead of on objects.

    Returns:
        Whether it could be followed to its end; whatever it is then, PyTorch refuses it.
    """
    stack: list[int | None] = []  # the number of objects in each value; None is a mark
    memo: dict[int, int] = {}
    opcodes = 0
    try:
        for opcode, argument, position in pickletools.genops(file):  # type: ignore[arg-type]
            opcodes += 1
            if (position or 0) > MAX_PICKLE_BYTES or opcodes > MAX_OBJECTS:
                raise _TooMuch("its pickle is too large")
            _run(opcode, argument, stack, memo)
            if stack and (stack[-1] or 0) > MAX_OBJECTS:
                raise _TooMuch(f"it describes more than {MAX_OBJECTS:,} objects")
    except _TooMuch:
        raise
    except Exception:  # not a pickle, or one that no pickler writes; PyTorch says so better
        return False
    return True


def _run(opcode: pickletools.OpcodeInfo, argument: object, stack: list[int | None], memo: dict[int, int]) -> None:
    name = opcode.name
    if name == "MARK":
        stack.append(None)
    elif name in {"PUT", "BINPUT", "LONG_BINPUT"}:
        memo[int(str(argument))] = stack[-1] or 0
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1] or 0
    elif name in {"GET", "BINGET", "LONG_BINGET"}:
        stack.append(memo[int(str(argument))])
    elif name == "DUP":
        stack.append(stack[-1])
    else:
        taken = _take(opcode, stack)
        if name in {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"}:
            stack.append(sum(taken))
        elif opcode.stack_after:
            stack.append(1 + sum(taken))


def _take(opcode: pickletools.OpcodeInfo, stack: list[int | None]) -> list[int]:
    """Remove from the stack what an opcode uses."""
    if pickletools.markobject not in opcode.stack_before:
        return [stack.pop() or 0 for _ in opcode.stack_before]
    taken = []
    while (value := stack.pop()) is not None:
        taken.append(value)
    below = opcode.stack_before.index(pickletools.markobject)
    return taken + [stack.pop() or 0 for _ in range(below)]
