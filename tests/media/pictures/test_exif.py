"""EXIF and TIFF directories: bytes are kept as they are, and hostile structures cost nothing."""

from __future__ import annotations

import struct
import time
from io import BytesIO

import pytest
from PIL import Image

from colorcli.media.pictures import exif
from colorcli.media.pictures.exif import EXIF_IFD, GPS_IFD, Field


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def directory(*entries: bytes, following: int = 0) -> bytes:
    return struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", following)


def parsed(blob: bytes) -> Image.Exif:
    found = Image.Exif()
    found.load(b"Exif\0\0" + blob)
    return found


@pytest.mark.parametrize(
    "text", ["René Müller".encode(), "© 1936".encode("latin-1"), "写真".encode(), b"plain", b"\xff\xfe\x00odd"]
)
def test_texts_keep_their_bytes_in_any_encoding(text):
    field = Field(2, len(text) + 1, text + b"\0")
    packed = exif.pack(exif.Description({315: field}, {}, {}))
    assert exif.description_of(packed).main[315] == field


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read_alike(order):
    blob = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    blob += struct.pack(f"{order}H", 2)
    blob += struct.pack(f"{order}HHIHxx", exif.ORIENTATION, 3, 1, 6)
    blob += struct.pack(f"{order}HHII", exif.X_RESOLUTION, 5, 1, 38) + bytes(4) + struct.pack(f"{order}II", 600, 2)
    assert exif.orientation_in(blob) == 6
    reader = exif.Reader(BytesIO(blob))
    assert reader.directory(reader.first)[0][exif.X_RESOLUTION].rational() == 300


def test_gps_alone_is_kept():
    blob = b"II*\0\x08\0\0\0" + directory(entry(GPS_IFD, 4, 1, 26)) + directory(entry(1, 2, 2, ord("N")))
    description = exif.description_of(blob)
    assert description.below[GPS_IFD][1].data == b"N\0"
    assert parsed(exif.pack(description)).get_ifd(GPS_IFD)[1] == "N"


def test_a_description_survives_being_packed_and_read():
    made = Image.Exif()
    made[270], made[305] = "Grandmother", "scanner"
    made.get_ifd(EXIF_IFD)[0x9003] = "1931:05:07 10:00:00"
    made.get_ifd(EXIF_IFD)[0xA005] = {1: "R03"}
    made.get_ifd(GPS_IFD)[2] = (49.0, 11.0, 11.5)
    description = exif.description_of(made.tobytes().removeprefix(b"Exif\0\0"))
    again = parsed(exif.pack(description))
    assert (again[270], again[305]) == ("Grandmother", "scanner")
    assert again.get_ifd(EXIF_IFD)[0x9003] == "1931:05:07 10:00:00"
    assert again.get_ifd(GPS_IFD)[2] == (49.0, 11.0, 11.5)
    assert exif.is_adobe_rgb(exif.pack(description))


HOSTILE = {
    "a directory below itself": b"II*\0\x08\0\0\0" + directory(entry(EXIF_IFD, 4, 1, 8)),
    "a directory full of itself": b"II*\0\x08\0\0\0" + directory(*[entry(EXIF_IFD, 4, 1, 8)] * 65535),
    "interoperability that points back": b"II*\0\x08\0\0\0"
    + directory(entry(EXIF_IFD, 4, 1, 26))
    + directory(*[entry(exif.INTEROP_IFD, 4, 1, 26)] * 65535),
    "a field of four gigabytes": b"II*\0\x08\0\0\0" + directory(entry(270, 2, 0xFFFFFFFF, 26)),
    "a thumbnail beyond the end": b"II*\0\x08\0\0\0"
    + directory(entry(274, 3, 1, 6), following=26)
    + directory(entry(0x0201, 4, 1, 0xFFFFFFF0), entry(0x0202, 4, 1, 0xFFFFFFF0)),
    "the next directory is itself": b"II*\0\x08\0\0\0" + directory(entry(274, 3, 1, 6), following=8),
    "nothing": b"",
    "half a header": b"II*\0\x08",
    "half a BigTIFF header": b"II+\0\x08\0\0\0\x10",
    "offset beyond the end": b"MM\0*\xff\xff\xff\xff",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_structures_are_rejected_quickly(name):
    began = time.process_time()
    exif.upright_exif(HOSTILE[name], 4, 4)
    exif.description_of(HOSTILE[name])
    exif.orientation_in(HOSTILE[name])
    assert time.process_time() - began < 0.5
