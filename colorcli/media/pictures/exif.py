"""EXIF and the directories of TIFF files: read within bounds, patched where they lie, and repacked.

Texts are never decoded: a field keeps its bytes, whatever their encoding.
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

ORIENTATION, EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x0112, 0x8769, 0x8825, 0xA005
COLOR_SPACE, WIDTH, HEIGHT, INTEROP_INDEX = 0xA001, 0xA002, 0xA003, 0x0001
THUMBNAIL_OFFSET, THUMBNAIL_LENGTH = 0x0201, 0x0202
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128

# What describes one page: DocumentName, ImageDescription, Make, Model, PageName, PageNumber, Software, DateTime,
# Artist, HostComputer and Copyright.
PAGE_TAGS = frozenset({269, 270, 271, 272, 285, 297, 305, 306, 315, 316, 33432})
# The tags of a TIFF directory that describe the picture, where the rest describe the file: those of a page,
# Orientation, Rating and the Windows titles.
DESCRIPTIVE_TAGS = PAGE_TAGS | {ORIENTATION, 18246, 18249, *range(40091, 40096)}

MAX_FIELDS = 4096
"""Fields that are read of one structure; a directory that points at itself would otherwise be read for hours."""
MAX_FIELD_SIZE = 64 * 2**20
"""Bytes of one field."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_UNITS = {
    3: 2,
    4: 4,
    5: 4,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}  # what a byte order applies to


@dataclass(frozen=True)
class Field:
    """A field of a directory: its TIFF type, how many values it has, and their bytes, little-endian."""

    type: int
    count: int
    data: bytes

    def number(self) -> int:
        """Return the first value of an integer field; 0 if there is none."""
        return int.from_bytes(self.data[: _SIZES[self.type]], "little")

    def rational(self) -> float:
        """Return the first value of a rational field; 0.0 if it is not one."""
        if self.type != 5 or len(self.data) < 8:
            return 0.0
        numerator, denominator = struct.unpack_from("<II", self.data)
        return numerator / denominator if denominator else 0.0


Directory: TypeAlias = dict[int, Field]


class Reader:
    """Reads the directories of a TIFF structure, such as EXIF or a file; BigTIFF, too.

    Raises:
        ValueError: it does not begin like one.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._fields = 0
        stream.seek(0)
        head = stream.read(16)
        self._order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        if not self._order or len(head) < 8:
            raise ValueError("not a TIFF structure")
        self._big = self._unpack("H", head[2:4])[0] == 43
        if self._big and len(head) < 16:
            raise ValueError("cut off")
        (self.first,) = self._unpack("Q", head[8:16]) if self._big else self._unpack("I", head[4:8])

    def directory(self, offset: int, wanted: Container[int] | None = None) -> tuple[Directory, int]:
        """Read a directory, or only the wanted tags of it, and where the next one is (0 for nowhere).

        A field that lies outside the file or is too large is left out.

        Raises:
            ValueError: it is cut off, or there are more fields than `MAX_FIELDS`.
        """
        count_format, entry_size = ("Q", 20) if self._big else ("H", 12)
        (count,) = self._unpack(count_format, self._read(offset, 8 if self._big else 2))
        self._fields += count
        if self._fields > MAX_FIELDS:
            raise ValueError(f"more than {MAX_FIELDS} fields")
        start = offset + (8 if self._big else 2)
        entries = self._read(start, count * entry_size)
        found: Directory = {}
        for at in range(0, len(entries), entry_size):
            tag, kind = self._unpack("HH", entries[at : at + 4])
            if tag in found or kind not in _SIZES or (wanted is not None and tag not in wanted):
                continue
            (number,) = self._unpack("Q" if self._big else "I", entries[at + 4 : at + (12 if self._big else 8)])
            with contextlib.suppress(ValueError):
                found[tag] = Field(kind, number, self._data(kind, number, entries[at : at + entry_size]))
        try:
            (following,) = self._unpack(
                "Q" if self._big else "I", self._read(start + len(entries), 8 if self._big else 4)
            )
        except ValueError:
            following = 0
        return found, following

    def tags(self, offset: int) -> set[int]:
        """Return the tags of a directory, whatever the types of their fields are.

        Raises:
            ValueError: it is cut off, or there are more fields than `MAX_FIELDS`.
        """
        count_format, count_size, entry_size = ("Q", 8, 20) if self._big else ("H", 2, 12)
        (count,) = self._unpack(count_format, self._read(offset, count_size))
        if count > MAX_FIELDS:
            raise ValueError(f"more than {MAX_FIELDS} fields")
        entries = self._read(offset + count_size, count * entry_size)
        return {self._unpack("H", entries[at : at + 2])[0] for at in range(0, len(entries), entry_size)}

    def _data(self, kind: int, count: int, entry: bytes) -> bytes:
        size, room = _SIZES[kind] * count, 8 if self._big else 4
        if size > MAX_FIELD_SIZE:
            raise ValueError("a field is too large")
        value = entry[-room:]
        data = value[:size] if size <= room else self._read(self._unpack("Q" if self._big else "I", value)[0], size)
        unit = _UNITS.get(kind, 1)
        return swapped(data, unit) if self._order == ">" and unit > 1 else data

    def _read(self, offset: int, size: int) -> bytes:
        self._stream.seek(offset)
        data = self._stream.read(size)
        if len(data) != size:
            raise ValueError("cut off")
        return data

    def _unpack(self, form: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self._order + form, data)


def swapped(data: bytes, unit: int) -> bytes:
    """Reverse the byte order of units of 2, 4 or 8 bytes; an incomplete one at the end is left out."""
    return np.frombuffer(data[: len(data) // unit * unit], f">u{unit}").astype(f"<u{unit}").tobytes()


@dataclass(frozen=True)
class Description:
    """The fields that describe a picture, by where they lie.

    Attributes:
        main: fields of the first directory.
        below: the directories that hang on it, by `EXIF_IFD` and `GPS_IFD`.
        interop: the directory that hangs on that of EXIF.
    """

    main: Directory
    below: dict[int, Directory]
    interop: Directory


def read_description(reader: Reader, offset: int) -> Description:
    """Read the descriptive fields of a directory and those below it; what is damaged is left out.

    Raises:
        ValueError: the directory itself is damaged.
    """
    main, _ = reader.directory(offset, DESCRIPTIVE_TAGS | {EXIF_IFD, GPS_IFD})
    below: dict[int, Directory] = {}
    interop: Directory = {}
    for tag in (EXIF_IFD, GPS_IFD):
        if link := main.pop(tag, None):
            with contextlib.suppress(ValueError):
                below[tag] = reader.directory(link.number())[0]
    if link := below.get(EXIF_IFD, {}).pop(INTEROP_IFD, None):
        with contextlib.suppress(ValueError):
            interop = reader.directory(link.number())[0]
    return Description(main, {tag: fields for tag, fields in below.items() if fields}, interop)


def description_of(exif: bytes) -> Description:
    """Read the descriptive fields of EXIF; nothing if it is damaged."""
    try:
        reader = Reader(BytesIO(exif))
        return read_description(reader, reader.first)
    except ValueError:
        return Description({}, {}, {})


def pack(description: Description) -> bytes:
    """Pack a description as EXIF, little-endian; b"" for nothing."""
    if not description.main and not description.below:
        return b""
    main = dict(description.main)
    for tag in description.below:
        main[tag] = Field(4, 1, bytes(4))
    at = 8 + len(pack_directory(main, 8))
    parts = []
    for tag, fields in description.below.items():
        parts.append(pack_below(fields, description.interop if tag == EXIF_IFD else {}, at))
        main[tag] = Field(4, 1, struct.pack("<I", at))
        at += len(parts[-1])
    return b"II*\0\x08\0\0\0" + pack_directory(main, 8) + b"".join(parts)


def pack_below(fields: Directory, interop: Directory, offset: int, *, big: bool = False) -> bytes:
    """Pack a directory for a place in a file, with the one of interoperability, if there is any, behind it."""
    if not interop:
        return pack_directory(fields, offset, big=big)
    fields = {**fields, INTEROP_IFD: Field(4, 1, bytes(4))}
    at = offset + len(pack_directory(fields, offset, big=big))
    fields[INTEROP_IFD] = (
        Field(4, 1, struct.pack("<I", at & 0xFFFFFFFF)) if not big else Field(16, 1, struct.pack("<Q", at))
    )
    return pack_directory(fields, offset, big=big) + pack_directory(interop, at, big=big)


def pack_directory(fields: Directory, offset: int, *, big: bool = False) -> bytes:
    """Pack a directory, little-endian, for a place in a file; its longer values follow it."""
    room, form = (8, "Q") if big else (4, "I")
    entry_size = 20 if big else 12
    values_at = offset + (8 if big else 2) + entry_size * len(fields) + room
    entries, values = b"", b""
    for tag, field in sorted(fields.items()):
        entries += struct.pack(f"<HH{form}", tag, field.type, field.count)
        if len(field.data) <= room:
            entries += field.data.ljust(room, b"\0")
        else:
            entries += struct.pack(f"<{form}", values_at + len(values))
            values += field.data + bytes(len(field.data) % 2)
    return struct.pack("<Q" if big else "<H", len(fields)) + entries + bytes(room) + values


def orientation_in(exif: bytes) -> int:
    """Return the orientation that EXIF states, 1 to 8; 0 if it states none."""
    try:
        reader = Reader(BytesIO(exif))
        field = reader.directory(reader.first, {ORIENTATION})[0].get(ORIENTATION)
    except ValueError:
        return 0
    return field.number() if field and field.number() in range(1, 9) else 0


def tags_in(exif: bytes) -> set[int]:
    """Return the tags of the first directory; none if it is damaged."""
    try:
        reader = Reader(BytesIO(exif))
        return set(reader.directory(reader.first)[0])
    except ValueError:
        return set()


def is_adobe_rgb(exif: bytes) -> bool:
    """Return whether a camera states in EXIF that its colors are Adobe RGB."""
    return description_of(exif).interop.get(INTEROP_INDEX, Field(2, 0, b"")).data.startswith(b"R03")


def dpi_in(directory: Directory) -> tuple[float, float] | None:
    """Return the horizontal and vertical pixels per inch that a directory states."""
    unit = directory[RESOLUTION_UNIT].number() if RESOLUTION_UNIT in directory else 2
    if X_RESOLUTION not in directory or unit not in {2, 3}:
        return None
    across = directory[X_RESOLUTION].rational()
    down = directory[Y_RESOLUTION].rational() if Y_RESOLUTION in directory else across
    factor = 2.54 if unit == 3 else 1
    return (across * factor, down * factor) if across > 0 and down > 0 else None


def upright_exif(exif: bytes, width: int, height: int) -> bytes:
    """Return EXIF for an upright sRGB picture of this size, without its (gray) thumbnail.

    Fields are changed where they lie, so that makers' notes, which contain offsets, stay valid. Of damaged EXIF
    nothing is returned.
    """
    try:
        return _Patch(exif).upright(width, height)
    except (struct.error, IndexError, ValueError):
        return b""


class _Patch:
    """EXIF in memory, changed field by field."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data.removeprefix(b"Exif\0\0"))
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(self.data[:2]), "")
        self._seen = 0
        if not self.order:
            raise ValueError("not a TIFF structure")

    def upright(self, width: int, height: int) -> bytes:
        first = self._number("I", 4)
        self._drop_thumbnail(first)
        described = False
        for tag, at in self._fields(first):
            if tag == ORIENTATION:
                self._set(at, 1)
            elif tag == EXIF_IFD and not described:
                described = True
                self._describe_pixels(self._number("I", at + 8), width, height)
        return bytes(self.data)

    def _describe_pixels(self, directory: int, width: int, height: int) -> None:
        new = {COLOR_SPACE: 1, WIDTH: width, HEIGHT: height}
        interop = 0
        for tag, at in self._fields(directory):
            if tag in new:
                self._set(at, new[tag])
            elif tag == INTEROP_IFD:
                interop = self._number("I", at + 8)
        for tag, at in self._fields(interop) if interop else ():
            if tag == INTEROP_INDEX and self.data[at + 8 : at + 11] == b"R03":
                self.data[at + 8 : at + 11] = b"R98"

    def _drop_thumbnail(self, first: int) -> None:
        link = first + 2 + 12 * self._number("H", first)
        second = self._number("I", link)
        if not second:
            return
        with contextlib.suppress(struct.error, IndexError, ValueError):
            fields = {tag: self._value(at) for tag, at in self._fields(second)}
            start, length = fields.get(THUMBNAIL_OFFSET, 0), fields.get(THUMBNAIL_LENGTH, 0)
            if start and start + length <= len(self.data):
                if start + length == len(self.data):
                    del self.data[start:]
                else:
                    self.data[start : start + length] = bytes(length)
        struct.pack_into(f"{self.order}I", self.data, link, 0)

    def _fields(self, directory: int) -> Iterator[tuple[int, int]]:
        """Yield each field's tag and where its 12 bytes begin."""
        count = self._number("H", directory)
        self._seen += count
        if self._seen > MAX_FIELDS:
            raise ValueError(f"more than {MAX_FIELDS} fields")
        for index in range(count):
            at = directory + 2 + 12 * index
            yield self._number("H", at), at

    def _value(self, at: int) -> int:
        short = self._number("H", at + 2) == 3
        return self._number("H" if short else "I", at + 8)

    def _set(self, at: int, value: int) -> None:
        short = self._number("H", at + 2) == 3
        self.data[at + 8 : at + 12] = bytes(4)
        struct.pack_into(self.order + ("H" if short else "I"), self.data, at + 8, value)

    def _number(self, kind: str, at: int) -> int:
        number: int = struct.unpack_from(self.order + kind, self.data, at)[0]
        return number
