"""TIFF out, page by page, at 8 and 16 bits."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO

import tifffile
from PIL import Image, TiffImagePlugin

from colorcli.media.pictures import metadata, profiles
from colorcli.media.pictures.encoder_input import Order, with_alpha

if TYPE_CHECKING:
    from colorcli.media.pictures.metadata import Metadata


def write_tiff(stream: BinaryIO, order: Order) -> None:
    """Write a TIFF of 8 or 16 bits, page by page."""
    fields, directories = _tiff_fields(order.kept)
    with tifffile.TiffWriter(stream, byteorder="<") as tiff:
        for index, (pixels, alpha, _) in enumerate(order.frames):
            tiff.write(
                with_alpha(pixels, alpha),
                photometric="rgb",
                extrasamples=None if alpha is None else ["unassalpha"],
                compression="zlib",
                predictor=True,
                iccprofile=profiles.srgb(),
                resolution=order.kept.dpi,
                resolutionunit="INCH" if order.kept.dpi else None,
                metadata=None,
                software=False,
                contiguous=False,
                extratags=fields if index == 0 else [],
            )
    for tag, fields_within in directories.items():
        _append_directory(stream, tag, fields_within)


def _tiff_fields(kept: Metadata) -> tuple[list[tuple[Any, ...]], dict[int, dict[int, Any]]]:
    """Return the tags of the first page, and by tag the EXIF directories that hang on it."""
    fields: list[tuple[Any, ...]] = [(700, 1, len(kept.xmp), kept.xmp, True)]
    if kept.iptc:
        fields.append((33723, 7, len(kept.iptc), kept.iptc, True))
    exif = Image.Exif()
    try:
        exif.load(b"Exif\0\0" + kept.exif if kept.exif else b"")
        directories = {tag: found for tag in (0x8769, 0x8825) if (found := dict(exif.get_ifd(tag)))}
        for tag, value in exif.items():
            if tag in metadata.DESCRIPTIVE_TAGS and isinstance(value, str):
                fields.append((tag, 2, 0, value, True))
            elif tag in metadata.DESCRIPTIVE_TAGS and isinstance(value, bytes):
                fields.append((tag, 1, len(value), value, True))
            elif tag in metadata.DESCRIPTIVE_TAGS and isinstance(value, int):
                fields.append((tag, 3, 1, value, True))
    except (SyntaxError, ValueError, OSError, struct.error):
        return fields, {}
    # By name: tifffile drops these tags where they come by number.
    links = [(tifffile.TIFF.TAGS[tag], 4, 1, 0, True) for tag in directories]
    return [*fields, *links], directories


def _append_directory(stream: BinaryIO, tag: int, fields: dict[int, Any]) -> None:
    """Hang a directory on the first page, which already has the tag for it; tifffile has no means to."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II\x2a\0\0\0\0\0")
    for inner, value in fields.items():
        directory[inner] = dict(value) if isinstance(value, dict) else value
    end = stream.seek(0, 2)
    stream.write(bytes(end % 2))
    offset = end + end % 2
    stream.write(directory.tobytes(offset))
    stream.seek(4)
    first = int.from_bytes(stream.read(4), "little")
    stream.seek(first)
    count = int.from_bytes(stream.read(2), "little")
    entries = stream.read(12 * count)
    index = next(at for at in range(0, len(entries), 12) if entries[at : at + 2] == struct.pack("<H", tag))
    stream.seek(first + 2 + index + 8)
    stream.write(struct.pack("<I", offset))
