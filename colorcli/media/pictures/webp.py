"""WebP out. Pillow codes each frame; not the animation, of which it would hold all frames in memory."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from colorcli.media.pictures import profiles
from colorcli.media.pictures.containers import riff_chunk, riff_chunks
from colorcli.media.pictures.encoder_input import EncodeRequest, to_pillow

if TYPE_CHECKING:
    from colorcli.media.pictures.encoder_input import EncoderFrame

_MAX_DURATION = 0xFFFFFF  # milliseconds that a frame is shown


def write_webp(stream: BinaryIO, request: EncodeRequest) -> None:
    """Write a WebP; each frame of an animation is coded by itself, so that one at a time is in memory."""
    kept = request.kept
    if request.count == 1:
        still = _still(next(request.frames), request, exif=kept.exif, xmp=kept.xmp, icc=profiles.srgb())
        stream.write(still)
        return
    flags, width, height = 0x20 | 0x04 | 0x02 | (0x08 if kept.exif else 0), 0, 0
    frames = BytesIO()
    for frame in request.frames:
        height, width = frame.pixels.shape[:2]
        flags |= 0x10 if frame.alpha is not None else 0
        still = _still(frame, request, exif=b"", xmp=b"", icc=b"")
        parts = b"".join(
            riff_chunk(name, body) for name, body in riff_chunks(still) if name in {b"ALPH", b"VP8 ", b"VP8L"}
        )
        duration = round(frame.seconds * 1000)
        if duration > _MAX_DURATION:
            request.lost.append(
                f"a frame's duration of {frame.seconds:.0f} s (a WebP allows {_MAX_DURATION // 1000:,})"
            )
        # Each frame replaces the one before: no blending.
        control = bytes(6) + _uint24(width - 1) + _uint24(height - 1) + _uint24(min(duration, _MAX_DURATION)) + b"\x02"
        frames.write(riff_chunk(b"ANMF", control + parts))
    loop = 1 if kept.loop is None else min(kept.loop, 65535)
    body = b"".join((
        b"WEBP",
        riff_chunk(b"VP8X", struct.pack("<I", flags) + _uint24(width - 1) + _uint24(height - 1)),
        riff_chunk(b"ICCP", profiles.srgb()),
        riff_chunk(b"ANIM", struct.pack("<IH", 0, loop)),
        frames.getbuffer(),
        riff_chunk(b"EXIF", kept.exif) if kept.exif else b"",
        riff_chunk(b"XMP ", kept.xmp),
    ))  # fmt: skip
    stream.write(riff_chunk(b"RIFF", body))


def _still(frame: EncoderFrame, request: EncodeRequest, *, exif: bytes, xmp: bytes, icc: bytes) -> bytes:
    coded = BytesIO()
    to_pillow(frame.pixels, frame.alpha).save(
        coded, "WEBP", quality=request.quality, lossless=request.lossless, exif=exif, xmp=xmp, icc_profile=icc
    )
    return coded.getvalue()


def _uint24(value: int) -> bytes:
    return value.to_bytes(3, "little")
