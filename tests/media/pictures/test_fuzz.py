"""Damaged files of every format: a picture or a clear error, never another exception, a hang or a leftover."""

from __future__ import annotations

import io
import random
import time
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from colorcli.errors import MediaError
from colorcli.media.pictures.files import Frame, open_picture
from colorcli.media.pictures.provenance import read_provenance
from colorcli.media.pictures.write import write_picture
from tests.media.pictures.samples import PROVENANCE, color, gray, image

if TYPE_CHECKING:
    from pathlib import Path

MUTATIONS = 500
SECONDS_FOR_ONE = 5  # of the processor
SECONDS_FOR_ALL = 60  # of one format; a few on an idle machine
MAX_PIXELS = 1_000_000
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a"/></rdf:RDF></x:xmpmeta>'
)


def saved(format: str, **options) -> bytes:  # noqa: A002
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "Grandmother", 6
    exif.get_ifd(0x8769)[0x9003] = "1931:05:07 10:00:00"
    exif.get_ifd(0x8825)[2] = (49.0, 11.0, 11.5)
    stream = io.BytesIO()
    small = image().resize((24, 16))
    metadata = {} if format in {"BMP", "GIF"} else {"exif": exif}
    if format in {"JPEG", "WEBP", "AVIF"}:
        metadata["xmp"] = XMP
    small.save(stream, format, **metadata, **options)
    return stream.getvalue()


def tiff(pixels, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, extratags=[(700, 1, len(XMP), XMP, True)], metadata=None, **options)
    return stream.getvalue()


def animated(format: str) -> bytes:  # noqa: A002
    stream = io.BytesIO()
    frames = [image().resize((16, 12)).rotate(angle) for angle in (0, 90, 180)]
    frames[0].save(stream, format, save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=2)
    return stream.getvalue()


def seeds(format: str) -> list[bytes]:  # noqa: A002
    """Small good files of a format, of several kinds."""
    small8, small16 = color()[:16, :24], color(16)[:16, :24]
    kinds = {
        "JPEG": lambda: [saved("JPEG"), saved("JPEG", progressive=True), saved("JPEG", icc_profile=_profile())],
        "PNG": lambda: [saved("PNG"), animated("PNG"), bytes(imagecodecs.png_encode(small16))],
        "TIFF": lambda: [
            saved("TIFF"),
            tiff(small16, photometric="rgb", compression="zlib"),
            tiff(gray(16)[:32, :32], tile=(16, 16)),
            tiff(small8, photometric="rgb", bigtiff=True),
            tiff((gray(16)[:16, :24] / 65535).astype(np.float32)),
        ],
        "WebP": lambda: [saved("WEBP"), saved("WEBP", lossless=True), animated("WEBP")],
        "BMP": lambda: [saved("BMP")],
        "GIF": lambda: [saved("GIF", comment=b"box 7"), animated("GIF")],
        "AVIF": lambda: [saved("AVIF"), bytes(imagecodecs.avif_encode(small16 >> 6, 60, bitspersample=10))],
        "HEIC": lambda: [heic("RGB", small8), heic("RGB;16", small16)],
    }
    return kinds[format]()


def heic(mode: str, pixels) -> bytes:
    heif = pytest.importorskip("pillow_heif")
    file, exif, stream = heif.HeifFile(), Image.Exif(), io.BytesIO()
    exif[0x010E] = "Grandmother"
    height, width = pixels.shape[:2]
    file.add_frombytes(mode, (width, height), np.ascontiguousarray(pixels).tobytes())
    file.save(stream, exif=exif.tobytes(), xmp=XMP)
    return stream.getvalue()


def _profile() -> bytes:
    return bytes(imagecodecs.cms_profile("adobergb"))


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Damage a file as disks, transfers and attackers do."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if not found:
            break
        at, length = chance.randrange(len(found)), chance.choice((1, 2, 4, 16))
        match chance.randrange(6):
            case 0:
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                found[at : at + length] = chance.randbytes(length)
            case 2:
                found[at : at + length] = chance.choice((b"\0", b"\xff", b"\x7f\xff\xff\xff")) * length
            case 3:
                del found[at:]
            case 4:
                del found[at : at + length]
            case 5:
                other = chance.randrange(len(found))
                found[at:at] = found[other : other + length]
    return bytes(found)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WebP", "BMP", "GIF", "AVIF", "HEIC"])
def test_a_damaged_file_gives_a_picture_or_a_clear_error(tmp_path, format):  # noqa: A002
    chance = random.Random(f"colorcli {format}")
    originals = seeds(format)
    source, pictures, messages = tmp_path / "a", 0, list[str]()
    begun = time.monotonic()
    for number in range(MUTATIONS):
        source.write_bytes(mutated(originals[number % len(originals)], chance))
        start = time.process_time()
        try:
            copy(source, io.BytesIO() if number % 20 else tmp_path / "out" / "b.tif")
            pictures += 1
        except MediaError as error:
            messages.append(error.message)
        assert time.process_time() - start < SECONDS_FOR_ONE, f"mutation {number}"
        if time.monotonic() - begun > SECONDS_FOR_ALL:
            break
    assert pictures
    assert messages
    assert all(str(source) in message and "\n" not in message for message in messages)
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


def copy(source: Path, target: Path | io.BytesIO) -> None:
    read_provenance(source)
    picture = open_picture(source, max_pixels=MAX_PIXELS)
    frames = (
        Frame(f.pixels if f.pixels.ndim == 3 else np.dstack([f.pixels] * 3), f.alpha, f.seconds, f.page)
        for f in picture.frames()
    )
    write_picture(target, frames, picture, provenance=PROVENANCE)
