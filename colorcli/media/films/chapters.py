"""The languages of chapters in Matroska, which ffmpeg neither reads nor writes (RFC 9559, section 5.1.7)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_HEADER, _SEGMENT, _CHAPTERS = 0x1A45DFA3, 0x18538067, 0x1043A770
_EDITION, _CHAPTER, _DISPLAY, _TITLE, _LANGUAGE, _CHECKSUM = 0x45B9, 0xB6, 0x80, 0x85, 0x437C, 0xBF
_UNSAID = b"eng"  # the language of titles that name none
_UNKNOWN = b"und"
_MAX_BYTES = 1 << 24  # all chapters together


class _Element(NamedTuple):
    """An element: its number, and where its content begins and ends."""

    number: int
    content: int
    end: int


class _Title(NamedTuple):
    """A title: its text, its language, and where the language stands in the file; 0 if it names none."""

    text: bytes
    language: bytes
    at: int


def chapter_languages(path: Path) -> list[dict[str, str]]:
    """Return the titles of each chapter of a Matroska film, each with its language in three letters.

    The last title of each is the one that ffmpeg reads. Empty for films without chapters and in other containers.
    """
    with path.open("rb") as file:
        return [
            {each.text.decode(errors="replace"): each.language.decode("latin-1") for each in titles}
            for titles in _titles(file)
        ]


def set_chapter_languages(path: Path, languages: Mapping[str, str]) -> None:
    """Set the language of each title in a Matroska film that ffmpeg wrote, which names none.

    Args:
        path: the film.
        languages: languages by title, three letters each.
    """
    with path.open("r+b") as file:
        for titles in _titles(file):
            for each in titles:
                language = languages.get(each.text.decode(errors="replace"), "").encode()
                if each.at and len(language) == len(each.language) == len(_UNKNOWN):
                    file.seek(each.at)
                    file.write(language)
        chapters = _chapters(file)
        if chapters is not None:
            _set_checksum(file, chapters)


def _titles(file: BinaryIO) -> Iterator[list[_Title]]:
    """Yield the titles of each chapter."""
    whole = _chapters(file)
    if whole is None or whole.end - whole.content > _MAX_BYTES:
        return
    for edition in _inside(file, whole, _EDITION):
        for chapter in _inside(file, edition, _CHAPTER):
            yield [_title(file, each) for each in _inside(file, chapter, _DISPLAY)]


def _title(file: BinaryIO, display: _Element) -> _Title:
    text = next((_content(file, each) for each in _inside(file, display, _TITLE)), b"")
    for each in _inside(file, display, _LANGUAGE):
        return _Title(text, _content(file, each), each.content)
    return _Title(text, _UNSAID, 0)


def _chapters(file: BinaryIO) -> _Element | None:
    """Find the chapters of a film."""
    size = file.seek(0, 2)
    first = next(_elements(file, 0, size), None)
    if first is None or first.number != _HEADER:
        return None
    for segment in _elements(file, first.end, size):
        if segment.number == _SEGMENT:
            return next(_inside(file, segment, _CHAPTERS), None)
    return None


def _set_checksum(file: BinaryIO, element: _Element) -> None:
    for each in _inside(file, element, _CHECKSUM):
        file.seek(each.end)
        checksum = zlib.crc32(file.read(element.end - each.end))
        file.seek(each.content)
        file.write(checksum.to_bytes(4, "little"))


def _inside(file: BinaryIO, parent: _Element, number: int) -> Iterator[_Element]:
    return (each for each in _elements(file, parent.content, parent.end) if each.number == number)


def _content(file: BinaryIO, element: _Element) -> bytes:
    file.seek(element.content)
    return file.read(element.end - element.content)


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[_Element]:
    """Yield the elements between two places, up to the first invalid one; one of unknown size extends to the end."""
    while start < end:
        file.seek(start)
        head = file.read(12)
        width = 9 - head[0].bit_length() if head else 9
        if width > 4 or len(head) <= width or not head[width]:
            return
        length = 9 - head[width].bit_length()
        if len(head) < width + length:
            return
        size = int.from_bytes(head[width : width + length], "big") - (1 << 7 * length)
        content = start + width + length
        unknown = size == (1 << 7 * length) - 1
        yield _Element(int.from_bytes(head[:width], "big"), content, end if unknown else min(end, content + size))
        if unknown:
            return
        start = content + size
