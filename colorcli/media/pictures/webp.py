"""WebP out: Pillow codes each frame, and the animation around them is laid here."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

from colorcli.media.pictures import profiles
from colorcli.media.pictures.encoder_input import Order, to_pillow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def write_webp(stream: BinaryIO, order: Order) -> None:
    """Write a WebP; of an animation each frame is coded by itself, so that one at a time is in memory."""
    if order.count == 1:
        pixels, alpha, _ = next(order.frames)
        stream.write(_webp_still(pixels, alpha, order, exif=order.kept.exif, xmp=order.kept.xmp, icc=profiles.srgb()))
        return
    flags, width, height = 0x20 | 0x04 | 0x02 | (0x08 if order.kept.exif else 0), 0, 0
    frames = BytesIO()
    for pixels, alpha, seconds in order.frames:
        height, width = pixels.shape[:2]
        flags |= 0x10 if alpha is not None else 0
        still = _webp_still(pixels, alpha, order, exif=b"", xmp=b"", icc=b"")
        parts = b"".join(
            _riff_chunk(name, body) for name, body in _riff_chunks(still) if name in {b"ALPH", b"VP8 ", b"VP8L"}
        )
        # Each frame replaces the one before: no blending.
        control = bytes(6) + _uint24(width - 1) + _uint24(height - 1) + _uint24(round(seconds * 1000)) + b"\x02"
        frames.write(_riff_chunk(b"ANMF", control + parts))
    loop = 1 if order.kept.loop is None else order.kept.loop
    body = b"".join((
        b"WEBP",
        _riff_chunk(b"VP8X", struct.pack("<I", flags) + _uint24(width - 1) + _uint24(height - 1)),
        _riff_chunk(b"ICCP", profiles.srgb()),
        _riff_chunk(b"ANIM", struct.pack("<IH", 0, loop)),
        frames.getbuffer(),
        _riff_chunk(b"EXIF", order.kept.exif) if order.kept.exif else b"",
        _riff_chunk(b"XMP ", order.kept.xmp),
    ))  # fmt: skip
    stream.write(_riff_chunk(b"RIFF", body))


def _webp_still(
    pixels: NDArray[Any], alpha: NDArray[Any] | None, order: Order, *, exif: bytes, xmp: bytes, icc: bytes
) -> bytes:
    coded = BytesIO()
    to_pillow(pixels, alpha).save(
        coded, "WEBP", quality=order.quality, lossless=order.lossless, exif=exif, xmp=xmp, icc_profile=icc
    )
    return coded.getvalue()


def _riff_chunks(coded: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(coded):
        size = int.from_bytes(coded[at + 4 : at + 8], "little")
        yield coded[at : at + 4], coded[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _uint24(value: int) -> bytes:
    return min(value, 0xFFFFFF).to_bytes(3, "little")
