"""AVIF out. Pillow writes 8 bits; imagecodecs writes 10 and 12, but no metadata, which is put into its file here."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

import imagecodecs
import numpy as np

from colorcli.media.pictures import profiles
from colorcli.media.pictures.encoder_input import EncodeRequest, to_pillow, with_alpha

if TYPE_CHECKING:
    from collections.abc import Iterator

# Primaries and transfer, in the numbers of ITU-T H.273: unspecified, and those of sRGB.
_UNSPECIFIED, _SRGB = b"colrnclx\0\2\0\2", b"colrnclx\0\1\0\x0d"


def write_avif(stream: BinaryIO, request: EncodeRequest) -> None:
    """Write an AVIF at full chroma resolution; all frames of an animation are held in memory."""
    first = next(request.frames)
    if request.count == 1 and first.pixels.dtype == np.uint16:
        channels = with_alpha(first.pixels, first.alpha)
        bits = 10 if request.bits == 10 else 12
        top = 2**bits - 1
        levels = ((channels.astype(np.uint32) * top + 32767) // 65535).astype(np.uint16)
        coded = imagecodecs.avif_encode(levels, request.quality, bitspersample=bits, pixelformat="444")
        stream.write(with_metadata(bytes(coded), request.kept.exif, request.kept.xmp))
        return
    many = request.count > 1  # all frames of an animation are of one kind
    images, seconds = [], []
    for frame in (first, *request.frames):
        image = to_pillow(frame.pixels, frame.alpha)
        images.append(image.convert("RGBA") if many else image)
        seconds.append(frame.seconds)
    images[0].save(
        stream,
        "AVIF",
        save_all=many,
        append_images=images[1:],
        duration=[round(each * 1000) for each in seconds],
        quality=request.quality,
        subsampling="4:4:4",
        exif=request.kept.exif,
        xmp=request.kept.xmp,
        icc_profile=profiles.srgb(),
    )


def with_metadata(coded: bytes, exif: bytes, xmp: bytes) -> bytes:
    """Put EXIF and XMP into an AVIF of libavif's, whose items are in one `mdat` after the `meta` box."""
    boxes = dict(_boxes(coded))
    meta = boxes[b"meta"]
    inner = list(_boxes(meta, 4))
    items = [(b"Exif", bytes(4) + exif)] if exif else []
    items.append((b"mime", xmp))
    numbers = range(100, 100 + len(items))
    primary = next(body for name, body in inner if name == b"pitm")[4:6]

    def rebuilt(shift: int) -> bytes:
        end_of_data = len(coded)
        parts = []
        for name, body in inner:
            new = body
            if name == b"iinf":
                entries = b"".join(map(_item, numbers, (kind for kind, _ in items)))
                count = int.from_bytes(body[4:6], "big") + len(items)
                new = body[:4] + struct.pack(">H", count) + body[6:] + entries
            elif name == b"iloc":
                new = _located(body, shift, numbers, [data for _, data in items], end_of_data)
            elif name == b"iref":
                continue
            parts.append(_box(name, new))
        links = next((body for name, body in inner if name == b"iref"), bytes(4))
        links += b"".join(_box(b"cdsc", struct.pack(">HH", number, 1) + primary) for number in numbers)
        parts.append(_box(b"iref", links))
        return _box(b"meta", meta[:4] + b"".join(parts))

    shift = len(rebuilt(0)) - len(_box(b"meta", meta))
    whole = [rebuilt(shift) if name == b"meta" else _box(name, body) for name, body in _boxes(coded)]
    # The new items are at the end of the last box, which is the one of the data.
    whole[-1] = _box(b"mdat", boxes[b"mdat"] + b"".join(data for _, data in items))
    return b"".join(whole).replace(_UNSPECIFIED, _SRGB, 1)


def _located(body: bytes, shift: int, numbers: range, items: list[bytes], end: int) -> bytes:
    """Move the extents of an item location box of version 0, and add those of new items at the end of the data."""
    if body[0] or body[4] != 0x44 or body[5] & 0xF0:
        raise ValueError("an AVIF of an unknown layout")
    count = int.from_bytes(body[6:8], "big")
    new, at = b"", 8
    for _ in range(count):
        number, reference, extents = struct.unpack_from(">HHH", body, at)
        new += struct.pack(">HHH", number, reference, extents)
        at += 6
        for _ in range(extents):
            offset, length = struct.unpack_from(">II", body, at)
            new += struct.pack(">II", offset + shift, length)
            at += 8
    for number, data in zip(numbers, items, strict=True):
        new += struct.pack(">HHHII", number, 0, 1, end + shift, len(data))
        end += len(data)
    return body[:6] + struct.pack(">H", count + len(items)) + new


def _item(number: int, kind: bytes) -> bytes:
    media_type = b"application/rdf+xml\0" if kind == b"mime" else b""
    return _box(b"infe", b"\2\0\0\0" + struct.pack(">HH", number, 0) + kind + b"\0" + media_type)


def _boxes(data: bytes, at: int = 0) -> Iterator[tuple[bytes, bytes]]:
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8:
            raise ValueError("an AVIF of an unknown layout")
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body
