"""Reading Torch7 files (.t7): the tensors of a Lua table, by their places in it. Nothing in a file is executed.

The package `torchfile` reads the format, too, but lets the strides of a tensor reach beyond its storage.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER, _STRING, _TABLE, _OBJECT, _BOOLEAN = 1, 2, 3, 4, 5
_FUNCTIONS = {6, 7, 8}
_DEEPEST = 100  # tables within tables
_MAX_ENTRIES = 100_000  # entries of all tables together
_MAX_TEXT_BYTES = 1024 * 1024  # bytes
_MAX_DIMENSIONS = 8
_TYPES = {
    "Byte": torch.uint8,
    "Char": torch.int8,
    "Short": torch.int16,
    "Int": torch.int32,
    "Long": torch.int64,
    "Float": torch.float32,
    "Double": torch.float64,
    "Cuda": torch.float32,
}
# What modules store besides their weights, and links from one node of a graph to the others.
_LEFT_OUT = {"gradWeight", "gradBias", "output", "gradInput", "buffer", "finput", "fgradInput", "children", "parents"}


@dataclass
class _Table:
    """A Lua table; `entries` keeps the order of the file."""

    entries: dict[Any, Any] = field(default_factory=dict)


def is_torch7(start: bytes) -> bool:
    """Return whether a file may be a Torch7 file, from its first 8 bytes: a table or an object, number 1."""
    return len(start) >= 8 and struct.unpack("<ii", start[:8]) in {(_TABLE, 1), (_OBJECT, 1)}


def read_torch7(file: BinaryIO) -> dict[str, Tensor]:
    """Read the tensors of a Torch7 file by their places, such as `model.modules.1.weight`, the shallowest first.

    Args:
        file: open for reading, at its start.

    Raises:
        ValueError: the file is damaged, is nested too deeply, or has a kind of value that weights do not need.
    """
    try:
        root = _Reader(file).read(0)
    except struct.error:
        raise ValueError("it is truncated") from None
    return dict(_tensors(root))


def _tensors(root: Any) -> Iterator[tuple[str, Tensor]]:
    """List the tensors in a table, breadth first, each once."""
    waiting = deque([("", root)])
    seen: set[int] = set()
    while waiting:
        place, value = waiting.popleft()
        if isinstance(value, Tensor):
            yield place, value
        if not isinstance(value, _Table) or id(value) in seen:
            continue
        seen.add(id(value))
        for key, entry in value.entries.items():
            if isinstance(key, (str, int)) and key not in _LEFT_OUT:
                waiting.append((f"{place}.{key}".removeprefix("."), entry))


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._objects: dict[int, Any] = {}
        self._entries = 0
        position = file.tell()
        self._size = file.seek(0, 2)
        file.seek(position)

    def read(self, depth: int) -> Any:
        """Read one value."""
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        kind = self._int()
        if kind == 0:
            return None
        if kind == _NUMBER:
            (number,) = self._unpack("<d")
            return int(number) if number.is_integer() else number
        if kind == _BOOLEAN:
            return self._int() == 1
        if kind == _STRING:
            return self._text()
        if kind in _FUNCTIONS:
            raise ValueError("it contains a function, which colorcli does not run")
        if kind not in {_TABLE, _OBJECT}:
            raise ValueError(f"it contains a value of unknown kind {kind}")
        index = self._int()
        if index in self._objects:
            return self._objects[index]
        return self._table(index, depth) if kind == _TABLE else self._object(index, depth)

    def _table(self, index: int, depth: int) -> _Table:
        table = self._objects[index] = _Table()
        count = self._int()
        self._entries += count
        if count < 0 or self._entries > _MAX_ENTRIES:
            raise ValueError("its tables are too large")
        for _ in range(count):
            key = self.read(depth + 1)
            value = self.read(depth + 1)
            if isinstance(key, (str, int, float, bool)):
                table.entries[key] = value
        return table

    def _object(self, index: int, depth: int) -> Any:
        name = self._text()
        if name.startswith("V "):
            name = self._text()
        scalar = name.removeprefix("torch.").removesuffix("Tensor").removesuffix("Storage")
        if name.startswith("torch.") and name.endswith("Storage"):
            self._objects[index] = self._storage(name, scalar)
        elif name.startswith("torch.") and name.endswith("Tensor"):
            self._objects[index] = None
            self._objects[index] = self._tensor(name, scalar, depth)
        else:  # a module: a table that may contain itself
            table = self._objects[index] = _Table()
            content = self.read(depth + 1)
            table.entries = content.entries if isinstance(content, _Table) else {}
        return self._objects[index]

    def _storage(self, name: str, scalar: str) -> Tensor:
        if scalar not in _TYPES:
            raise ValueError(f"it contains a {name}, which is not supported")
        count = self._long()
        size = count * _TYPES[scalar].itemsize
        if count < 0 or size > self._size - self._file.tell():
            raise ValueError("a storage is larger than the file")
        return torch.frombuffer(bytearray(self._file.read(size)), dtype=_TYPES[scalar]) if count else torch.empty(0)

    def _tensor(self, name: str, scalar: str, depth: int) -> Tensor:
        dimensions = self._int()
        if not 0 <= dimensions <= _MAX_DIMENSIONS:
            raise ValueError(f"a {name} has {dimensions} dimensions")
        sizes = [self._long() for _ in range(dimensions)]
        strides = [self._long() for _ in range(dimensions)]
        offset = self._long() - 1
        storage = self.read(depth + 1)
        if not isinstance(storage, Tensor) or not dimensions:
            return torch.empty(0)
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if min(sizes) < 1 or min(strides) < 0 or offset < 0 or last >= len(storage) or prod(sizes) > len(storage):
            raise ValueError(f"a {name} reaches beyond its storage")
        return storage.as_strided(sizes, strides, offset)

    def _text(self) -> str:
        length = self._int()
        if not 0 <= length <= _MAX_TEXT_BYTES:
            raise ValueError("a string in it is too long")
        content = self._file.read(length)
        if len(content) < length:
            raise ValueError("it is truncated")
        return content.decode("utf-8", "replace")

    def _int(self) -> int:
        return int(self._unpack("<i")[0])

    def _long(self) -> int:
        return int(self._unpack("<q")[0])

    def _unpack(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self._file.read(struct.calcsize(form)))
