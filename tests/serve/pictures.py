"""Pictures for the tests, as bytes of files."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
import tifffile
from PIL import Image


def gray(width: int = 120, height: int = 80) -> Image.Image:
    """A simple landscape: a ramp with a dark block in it."""
    picture = Image.linear_gradient("L").resize((width, height))
    picture.paste(30, (width // 4, height // 3, width // 2, height - 4))
    return picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def in_color() -> bytes:
    bands = [Image.linear_gradient("L").rotate(90 * turn).resize((120, 80)) for turn in range(3)]
    return encoded(Image.merge("RGB", bands))


def tiff16(pages: int = 1) -> bytes:
    ramp = np.linspace(0, 65535, 60 * 90, dtype=np.uint16).reshape(60, 90)
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for page in range(pages):
            writer.write(np.roll(ramp, 7 * page, axis=1), photometric="minisblack", description=f"page {page}")
    return stream.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zip_archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.jpg", encoded(gray(), "JPEG"))
    return stream.getvalue()
