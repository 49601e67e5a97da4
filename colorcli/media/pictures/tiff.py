"""TIFF out, by tifffile; only directories of EXIF, which it cannot write, are appended here."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO

import tifffile

from colorcli.media.pictures import exif, profiles
from colorcli.media.pictures.encoder_input import EncodeRequest, with_alpha

if TYPE_CHECKING:
    from colorcli.media.pictures.exif import Directory

_CLASSIC_LIMIT = 2**32 - 2**25  # bytes, with room for metadata
_DESCRIPTION = 270


def write_tiff(stream: BinaryIO, request: EncodeRequest) -> None:
    """Write a TIFF of 8 or 16 bits, page by page; a BigTIFF if its pages unpacked exceed 4 GB."""
    description = exif.description_of(request.kept.exif)
    first = next(request.frames)
    channels = with_alpha(first.pixels, first.alpha)
    big = request.total_pixels * channels.shape[2] * channels.dtype.itemsize > _CLASSIC_LIMIT
    with tifffile.TiffWriter(stream, byteorder="<", bigtiff=big) as tiff:
        page = first
        for index in range(request.count):
            page = first if index == 0 else next(request.frames)
            dpi = page.page.dpi if page.page else request.kept.dpi
            tiff.write(
                channels if index == 0 else with_alpha(page.pixels, page.alpha),
                photometric="rgb",
                extrasamples=None if page.alpha is None else ["unassalpha"],
                compression="zlib",
                predictor=True,
                iccprofile=profiles.srgb(),
                resolution=dpi,
                resolutionunit="INCH" if dpi else None,
                metadata=None,
                software=False,
                contiguous=False,
                extratags=_first_tags(request, description)
                if index == 0
                else _tags(page.page.fields if page.page else {}),
            )
    for tag, fields in description.below.items():
        _append_directory(stream, tag, fields, description.interop if tag == exif.EXIF_IFD else {}, big=big)


def _first_tags(request: EncodeRequest, description: exif.Description) -> list[tuple[Any, ...]]:
    """Return the tags of the first page, and empty links for the directories that will hang on it."""
    kept = request.kept
    main = {tag: field for tag, field in description.main.items() if tag in exif.DESCRIPTIVE_TAGS - {exif.ORIENTATION}}
    if kept.comments and _DESCRIPTION not in main:
        comment = b"\n".join(kept.comments) + b"\0"
        main[_DESCRIPTION] = exif.Field(2, len(comment), comment)
    tags = [(700, 1, len(kept.xmp), kept.xmp, True), *_tags(main)]
    if kept.iptc:
        tags.append((33723, 7, len(kept.iptc), kept.iptc, True))
    # By name: tifffile drops these tags where they come by number.
    return [*tags, *((tifffile.TIFF.TAGS[tag], 4, 1, 0, True) for tag in description.below)]


def _tags(fields: Directory) -> list[tuple[Any, ...]]:
    return [(tag, field.type, field.count, field.data, True) for tag, field in fields.items()]


def _append_directory(stream: BinaryIO, tag: int, fields: Directory, interop: Directory, *, big: bool) -> None:
    """Hang a directory on the first page, which already has the tag for it."""
    end = stream.seek(0, 2)
    stream.write(bytes(end % 2))
    offset = end + end % 2
    stream.write(exif.pack_below(fields, interop, offset, big=big))
    count_size, entry_size = (8, 20) if big else (2, 12)
    stream.seek(8 if big else 4)
    first = int.from_bytes(stream.read(8 if big else 4), "little")
    stream.seek(first)
    count = int.from_bytes(stream.read(count_size), "little")
    entries = stream.read(entry_size * count)
    index = next(at for at in range(0, len(entries), entry_size) if entries[at : at + 2] == struct.pack("<H", tag))
    link = first + count_size + index
    if big:  # the link may be beyond 4 GB
        stream.seek(link + 2)
        stream.write(struct.pack("<HQQ", 18, 1, offset))
    else:
        stream.seek(link + 8)
        stream.write(struct.pack("<I", offset))
