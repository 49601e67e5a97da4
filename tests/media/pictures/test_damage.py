"""Damage that decoders do not report: gaps, AVIF with changed bytes, and JPEGs that are deep or without loss."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from colorcli.errors import UnreadableMedia
from colorcli.media.pictures.damage import remark_on_av1, remark_on_gaps
from colorcli.media.pictures.files import open_picture

NOISE = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
PIXELS = NOISE.shape[0] * NOISE.shape[1]
DEEP = NOISE.astype(np.uint16) * 16


def saved(format: str) -> bytes:  # noqa: A002
    exif = Image.Exif()
    exif[0x927C] = bytes(2000)  # zeros in metadata are no damage
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, format, exif=exif)
    return stream.getvalue()


def tiff(compression: str) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, NOISE, photometric="rgb", compression=compression, rowsperstrip=128, metadata=None)
    return stream.getvalue()


def old_style_tiff() -> bytes:
    """A TIFF of compression 6, whose fields point to a whole JPEG and to its pixels."""
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, "JPEG")
    jpeg = stream.getvalue()
    scan = jpeg.index(b"\xff\xda")
    scan += 2 + int.from_bytes(jpeg[scan + 2 : scan + 4], "big")
    bits_at = 8 + 2 + 12 * 13 + 4
    fields = (
        (256, 128), (257, 128), (258, bits_at), (259, 6), (262, 6), (273, bits_at + 6 + scan), (277, 3), (278, 128),
        (279, len(jpeg) - scan), (284, 1), (513, bits_at + 6), (514, len(jpeg)), (530, 2 | 2 << 16),
    )  # fmt: skip
    entries = b"".join(
        struct.pack("<HHII", tag, 3 if tag in {258, 530} else 4, {258: 3, 530: 2}.get(tag, 1), value)
        for tag, value in fields
    )
    return (
        b"II*\0\x08\0\0\0" + struct.pack("<H", len(fields)) + entries + bytes(4) + struct.pack("<3H", 8, 8, 8) + jpeg
    )


def with_gap(data: bytes) -> bytes:
    at = len(data) * 2 // 3
    return data[:at] + bytes(600) + data[at + 600 :]


def remarks_on(data: bytes) -> list[str]:
    picture = open_picture(io.BytesIO(data))
    assert [frame.pixels.shape for frame in picture.frames()] == [NOISE.shape]
    return picture.remarks


@pytest.mark.parametrize(
    "make",
    [
        lambda: saved("WEBP"),
        lambda: saved("AVIF"),
        lambda: tiff("jpeg2000"),
        lambda: tiff("webp"),
        lambda: tiff("jpegxr"),
        old_style_tiff,
    ],
)
def test_a_lost_part_is_reported(make):
    good = make()
    assert not remarks_on(good)
    assert "a part of the picture may be damaged" in remarks_on(with_gap(good))[0]


def animation() -> bytes:
    stream = io.BytesIO()
    frames = [Image.fromarray(np.roll(NOISE, number, 0)) for number in range(3)]
    frames[0].save(stream, "AVIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


@pytest.mark.parametrize(
    "make",
    [
        lambda: saved("AVIF"),
        lambda: bytes(imagecodecs.avif_encode(DEEP, 60, bitspersample=12)),
        lambda: bytes(imagecodecs.avif_encode(np.dstack((NOISE, NOISE[..., 0])), 60)),
        animation,
    ],
    ids=["8 bits", "12 bits", "alpha", "animation"],
)
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_changed_byte_in_an_avif_is_reported(make, part):
    good = make()
    assert not remark_on_av1(good, PIXELS)
    damaged = bytearray(good)
    start = good.index(b"mdat") + 4
    damaged[start + int((len(good) - start) * part)] ^= 0x55
    assert "a part of the picture may be damaged" in remark_on_av1(bytes(damaged), PIXELS)


def test_an_avif_larger_than_allowed_is_not_decoded_to_be_judged():
    damaged = bytearray(saved("AVIF"))
    damaged[-2000] ^= 0x55
    assert remark_on_av1(bytes(damaged), PIXELS)
    assert not remark_on_av1(bytes(damaged), PIXELS - 1)


@pytest.mark.parametrize("data", [b"", b"no picture", saved("WEBP")[:50]])
def test_what_ffmpeg_cannot_read_is_not_judged(data):
    assert not remark_on_av1(data, PIXELS)


@pytest.mark.parametrize(
    "options",
    [{"bitspersample": 12}, {"bitspersample": 12, "subsampling": "444"}, {"bitspersample": 12, "lossless": True}],
)
@pytest.mark.parametrize("pixels", [DEEP, DEEP[..., 0].copy()])
def test_half_of_a_deep_or_lossless_jpeg_is_an_error(options, pixels):
    good = bytes(imagecodecs.jpeg8_encode(pixels, **options))
    picture = open_picture(io.BytesIO(good))
    assert next(picture.frames()).pixels.dtype == np.uint16
    assert not picture.remarks
    middle = len(good) // 2
    for damaged in (good[:middle], good[:middle] + bytes(middle - 2) + b"\xff\xd9"):
        with pytest.raises(UnreadableMedia, match="damaged"):
            list(open_picture(io.BytesIO(damaged)).frames())


def test_zeros_at_the_end_and_in_metadata_are_padding():
    assert not remark_on_gaps(b"pixels" + bytes(5000))
    assert not remark_on_gaps(b"pixels" + bytes(5000) + b"more", apart_from=(b"", bytes(5000)))
    assert remark_on_gaps(b"pixels" + bytes(5000) + b"more", apart_from=(b"x",))
