"""Whether the data of a fax in a TIFF is intact: its decoders say nothing about damage."""

from __future__ import annotations

import re
from io import BytesIO
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RUN_LENGTHS, GROUP_3, GROUP_4 = 2, 3, 4
CODINGS = {RUN_LENGTHS: "tiff_ccitt", GROUP_3: "group3", GROUP_4: "group4"}
"""Pillow's names of the codings, by TIFF's number of the compression."""

_ROWS_PER_STRIP, _T4_OPTIONS = 278, 292
_TWO_DIMENSIONS = 1  # the option of group 3
_END = 4  # bytes at the end of group 4: its end code and what fills the last byte
_PADDING = 16  # bytes that a writer may add
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_END_OF_ROW = re.compile("0{11,}1")  # with the zeros that may fill a byte before it


def is_clean(page: tifffile.TiffPage, bits: NDArray[Any]) -> bool:
    """Return whether coding the decoded bits (H, W) of a page again gives its data; True where that is unknown.

    The standards, T.4 and T.6, leave an encoder no choice but what stands between the rows.
    """
    if page.compression not in CODINGS or page.is_tiled or bits.ndim != 2:
        return True
    return all(_is_clean_strip(page, data, rows) for data, rows in _strips(page, bits))


def _strips(page: tifffile.TiffPage, bits: NDArray[Any]) -> Iterator[tuple[bytes, NDArray[Any]]]:
    file = page.parent.filehandle
    for index, (offset, size) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=False)):
        file.seek(offset)
        data = file.read(size)
        if page.fillorder == 2:
            data = data.translate(_REVERSED)
        yield data, bits[index * page.rowsperstrip : (index + 1) * page.rowsperstrip]


def _is_clean_strip(page: tifffile.TiffPage, data: bytes, bits: NDArray[Any]) -> bool:
    if page.compression == GROUP_3:
        return _is_clean_group_3(data, bits, page.tags.valueof(_T4_OPTIONS) or 0)
    coded = _coded(bits, int(page.compression))
    same = min(len(data), len(coded) - (_END if page.compression == GROUP_4 else 0))
    return data[:same] == coded[:same] and abs(len(data) - len(coded)) <= _PADDING


def _is_clean_group_3(data: bytes, bits: NDArray[Any], options: int) -> bool:
    """Compare row by row, because rows end as the writer likes, and it chooses which ones refer to the row before."""
    found = _rows(data)
    if not options & _TWO_DIMENSIONS:
        return found == _rows(_coded(bits, GROUP_3))
    # Every second row is coded alone, beginning with 1, and the others by the row before, beginning with 0.
    even = _rows(_coded(bits, GROUP_3, _TWO_DIMENSIONS))
    odd = _rows(_coded(np.concatenate((np.zeros_like(bits[:1]), bits)), GROUP_3, _TWO_DIMENSIONS))[1:]
    return all(row in choices for row, *choices in zip_longest(found, even, odd))


def _rows(data: bytes) -> list[str]:
    """Split data of group 3 into the codes of its rows, in binary digits without the zeros at their ends."""
    digits = bin(int.from_bytes(b"\1" + data))[3:]
    rows = (row.rstrip("0") for row in _END_OF_ROW.split(digits))
    return [row for row in rows if row not in {"", "1"}]  # an end code is six ends of rows


def _coded(bits: NDArray[Any], compression: int, options: int = 0) -> bytes:
    """Code bits (H, W), where set ones are black, as one strip."""
    stream = BytesIO()
    fields = {_ROWS_PER_STRIP: len(bits)} | ({_T4_OPTIONS: options} if options else {})
    Image.fromarray(bits).save(stream, "TIFF", compression=CODINGS[compression], tiffinfo=fields)
    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        start = page.dataoffsets[0]
        return stream.getvalue()[start : start + page.databytecounts[0]]
