"""Primaries and curves that a file states by numbers are honored."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from colorcli.media.pictures import color_tags, containers
from colorcli.media.pictures.files import open_picture
from tests.media.pictures.samples import only_frame

P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.329))
BT2020 = ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), (0.3127, 0.329))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), (0.3127, 0.329))
IMPOSSIBLE = ((0.64, 0.33), (0.64, 0.33), (0.64, 0.33), (0.3127, 0.329))
SRGB = color_tags.SRGB


def muted(bits: int = 8):
    """Colors (16, 16, 3) that every set of primaries contains, and grays."""
    y, x = np.mgrid[:16, :16] / 15
    values = 0.4 + 0.2 * np.stack((x, y, 1 - x), axis=-1)
    values[0] = np.linspace(0.05, 0.95, 16)[:, None]
    return (values * (2**bits - 1)).round().astype(np.uint8 if bits == 8 else np.uint16)


def srgb_linear(codes):
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def to_xyz(points):
    """The matrix from linear RGB to XYZ."""
    red, green, blue, white = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in points)
    columns = np.stack((red, green, blue), axis=1)
    return columns * np.linalg.solve(columns, white)


def shown(pixels, points, linear):
    """The sRGB that a picture shows, 0..1."""
    codes = pixels / np.iinfo(pixels.dtype).max
    light = linear(codes) @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(points)).T
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def png(pixels, *chunks: tuple[bytes, bytes]) -> bytes:
    data = imagecodecs.png_encode(pixels)
    return data[:33] + b"".join(containers.png_chunk(*chunk) for chunk in chunks) + data[33:]


def chrm(points) -> tuple[bytes, bytes]:
    red, green, blue, white = points
    return b"cHRM", struct.pack(
        ">8I", *(round(100_000 * each) for point in (white, red, green, blue) for each in point)
    )


def gama(exponent: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(100_000 / exponent))


def cicp(primaries: int, transfer: int) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, 0, 1])


def avif(primaries: int, transfer: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(muted()).save(stream, "AVIF", quality=100, subsampling="4:4:4")
    data = bytearray(stream.getvalue())
    struct.pack_into(">HH", data, data.index(b"colrnclx") + 8, primaries, transfer)
    return bytes(data)


def heic(primaries: int, transfer: int) -> bytes:
    heif = pytest.importorskip("pillow_heif")
    file = heif.HeifFile()
    file.add_frombytes("RGB", (16, 16), muted().tobytes())
    stream = io.BytesIO()
    file.save(stream, quality=100, chroma=444, color_primaries=primaries, transfer_characteristics=transfer)
    return stream.getvalue()


def power(exponent: float):
    return lambda codes: codes**exponent


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("chunks", "points", "linear"),
    [
        ([chrm(P3)], P3, srgb_linear),
        ([chrm(ADOBE), gama(2.2)], ADOBE, power(2.2)),
        ([chrm(SRGB), gama(1.0)], SRGB, power(1.0)),
        ([gama(1.0)], SRGB, power(1.0)),
        ([chrm(SRGB), gama(2.2)], SRGB, srgb_linear),
        ([chrm(P3), (b"sRGB", b"\0")], SRGB, srgb_linear),
        ([chrm(IMPOSSIBLE)], SRGB, srgb_linear),
        ([cicp(12, 13)], P3, srgb_linear),
        ([cicp(9, 1)], BT2020, srgb_linear),
        ([cicp(12, 8)], P3, power(1.0)),
        ([cicp(1, 4)], SRGB, power(2.2)),
        ([cicp(2, 2)], SRGB, srgb_linear),
        ([cicp(1, 13), gama(1.0)], SRGB, srgb_linear),
        ([chrm(P3), cicp(9, 13)], BT2020, srgb_linear),
    ],
)
def test_a_png_is_read_by_its_chunks(bits, chunks, points, linear):
    frame = only_frame(open_picture(io.BytesIO(png(muted(bits), *chunks))))
    found = frame.pixels / np.iinfo(frame.pixels.dtype).max
    assert np.abs(found - shown(muted(bits), points, linear)).max() < 0.006


@pytest.mark.parametrize("make", [avif, heic])
@pytest.mark.parametrize(
    ("numbers", "points", "linear"),
    [
        ((12, 13), P3, srgb_linear),
        ((9, 13), BT2020, srgb_linear),
        ((1, 8), SRGB, power(1.0)),
        ((1, 13), SRGB, srgb_linear),
        ((2, 2), SRGB, srgb_linear),
    ],
)
def test_avif_and_heic_are_read_by_their_numbers(make, numbers, points, linear):
    found = only_frame(open_picture(io.BytesIO(make(*numbers)))).pixels / 255
    assert np.quantile(np.abs(found - shown(muted(), points, linear)), 0.98) < 0.02  # of lossy coding


def test_an_embedded_profile_goes_before_the_numbers_of_an_avif():
    stream = io.BytesIO()
    linear = bytes(imagecodecs.cms_profile("rgb", primaries=[0.64, 0.33, 1, 0.3, 0.6, 1, 0.15, 0.06, 1], gamma=1.0,
                                           whitepoint=[0.3127, 0.329, 1]))  # fmt: skip
    Image.fromarray(muted()).save(stream, "AVIF", quality=100, subsampling="4:4:4", icc_profile=linear)
    stream.seek(0)
    found = only_frame(open_picture(stream)).pixels / 255
    assert np.abs(found - shown(muted(), SRGB, power(1.0))).max() < 0.03


@pytest.mark.parametrize("make", [lambda *numbers: png(muted(16), cicp(*numbers)), avif, heic])
@pytest.mark.parametrize(("transfer", "white", "half"), [(16, 0.581, 0.359), (18, 0.75, 0.5)])
def test_high_dynamic_range_is_clipped_at_white_and_reported(make, transfer, white, half):
    curve = color_tags._CURVES[transfer]
    assert curve(np.array([white]))[0] == pytest.approx(1, abs=0.02)  # 203 cd/m2, by ITU-R BT.2408
    assert curve(np.array([half]))[0] < 0.5
    picture = open_picture(io.BytesIO(make(1, transfer)))
    found = only_frame(picture).pixels
    grays = found[0].reshape(16, -1)[:, 0] / np.iinfo(found.dtype).max
    assert grays[-1] == pytest.approx(1, abs=0.01)
    codes = muted(16)[0, :, 0] / 65535
    light = np.clip(curve(codes), 0, 1)
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(grays - expected).max() < 0.03
    assert "high dynamic range" in picture.remarks[0]


def test_pq_is_that_of_the_standard():
    # ST 2084: codes of 0, 100, 1,000 and 10,000 cd/m2
    light = color_tags._linear_from_pq(np.array([0, 0.5081, 0.7518, 1.0])) * 203
    assert light == pytest.approx([0, 100, 1_000, 10_000], rel=2e-3, abs=1e-6)


@pytest.mark.parametrize(("points", "changes"), [(P3, True), (ADOBE, True), (SRGB, False), (IMPOSSIBLE, False)])
def test_a_tiff_is_read_by_its_primaries(points, changes):
    red, green, blue, white = points

    def rational(*numbers):
        return [round(part * factor) for number in numbers for part, factor in ((number, 1_000_000), (1, 1_000_000))]

    tags = [(319, 5, 6, rational(*red, *green, *blue), True), (318, 5, 2, rational(*white), True)]
    stream = io.BytesIO()
    tifffile.imwrite(stream, muted(16), photometric="rgb", extratags=tags, metadata=None)
    stream.seek(0)
    found = only_frame(open_picture(stream)).pixels / 65535
    expected = shown(muted(16), points if changes else SRGB, srgb_linear)
    assert np.abs(found - expected).max() < 0.004


def bmp(space: bytes, *, points=SRGB, gamma=0.0, profile=b"", size=124) -> bytes:
    """A BMP with a header of version 4 or 5."""
    pixels = muted()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "BMP")
    rows = stream.getvalue()[54:]
    columns = to_xyz(points).T  # XYZ of red, green and blue
    ends = [round(part * (1 << 30)) for column in columns for part in column]
    head = struct.pack("<IiiHHIIiiII", size, 16, 16, 1, 24, 0, len(rows), 2835, 2835, 0, 0) + bytes(16) + space
    head += struct.pack("<9i3I", *ends, *[round(gamma * 65536)] * 3)
    if size == 124:
        head += struct.pack("<IIII", 4, size + len(rows), len(profile), 0)
    whole = 14 + size + len(rows) + len(profile)
    return b"BM" + struct.pack("<IHHI", whole, 0, 0, 14 + size) + head + rows + profile


LINEAR = bytes(imagecodecs.cms_profile("rgb", primaries=[0.64, 0.33, 1, 0.3, 0.6, 1, 0.15, 0.06, 1], gamma=1.0,
                                       whitepoint=[0.3127, 0.329, 1]))  # fmt: skip


@pytest.mark.parametrize(
    ("data", "points", "linear"),
    [
        (bmp(b"DEBM", profile=LINEAR), SRGB, power(1.0)),
        (bmp(bytes(4), points=ADOBE, gamma=2.2), ADOBE, power(2.2)),
        (bmp(bytes(4), points=P3, gamma=1.8, size=108), P3, power(1.8)),
        (bmp(b"BGRs", points=P3, gamma=1.0), SRGB, srgb_linear),
        (bmp(b"DEBM", profile=b"not a profile"), SRGB, srgb_linear),
        (bmp(b"DEBM", profile=LINEAR)[:-100], SRGB, srgb_linear),
    ],
)
def test_a_bmp_is_read_by_its_header(data, points, linear):
    found = only_frame(open_picture(io.BytesIO(data))).pixels / 255
    assert np.abs(found - shown(muted(), points, linear)).max() < 0.006
