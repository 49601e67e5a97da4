"""TIFF pages mean what their fields declare."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorcli.errors import UnreadableMedia
from colorcli.media.pictures import decode
from colorcli.media.pictures.files import open_picture
from tests.media.pictures.samples import HEIGHT, WIDTH, color, distance, gray, image, only_frame, rewritten

FLOAT = (gray(16) / 65535).astype(np.float32)
SIGNALING = np.array(0x7FA00000, np.uint32).view(np.float32)[()]  # NaN


def read(pixels, **options):
    """The picture and its only frame, of a TIFF with these pixels and options."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, metadata=None, **options)
    stream.seek(0)
    picture = open_picture(stream)
    return picture, only_frame(picture)


def tag(number: int, kind: int, *values):
    return (number, kind, len(values), values if len(values) > 1 else values[0], True)


# Ranges


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "value",
    [1.02, -0.05, np.nan, SIGNALING, np.inf, -np.inf, 3e38],
    ids=["over", "under", "nan", "signaling", "inf", "-inf", "huge"],
)
def test_a_single_float_beyond_the_range_changes_no_other(value):
    pixels = FLOAT.copy()
    pixels[5, 5] = value
    _, frame = read(pixels, photometric="minisblack")
    others = np.ones((HEIGHT, WIDTH), bool)
    others[5, 5] = False
    assert np.abs(frame.pixels.astype(int) - gray(16))[others].max() <= 1


def test_clipped_floats_are_reported():
    pixels = FLOAT.copy()
    pixels[:24] += 1
    picture, _ = read(pixels[:, :], photometric="minisblack")
    assert "floating point values" in picture.remarks[0]


@pytest.mark.parametrize(("scale", "top"), [(255, 255), (60000, 65535)])
def test_floats_that_cannot_be_0_to_1_are_scaled_and_reported(scale, top):
    picture, frame = read((FLOAT * 0.5 + 0.5) * scale, photometric="minisblack")
    assert np.abs(frame.pixels / 65535 - (FLOAT * 0.5 + 0.5) * scale / top).max() < 0.001
    assert f"0 to {top}" in picture.remarks[0]


def test_a_declared_range_of_floats_counts():
    pixels = FLOAT * 200 - 100
    extra = [tag(340, 11, -100.0), tag(341, 11, 100.0)]
    picture, frame = read(pixels, photometric="minisblack", extratags=extra)
    assert np.abs(frame.pixels.astype(int) - gray(16)).max() <= 1
    assert picture.remarks == []


def test_a_declared_range_of_integers_counts():
    extra = [tag(340, 3, 0), tag(341, 3, 4095)]
    _, frame = read((gray(16) // 16).astype(np.uint16), photometric="minisblack", extratags=extra)
    assert np.abs(frame.pixels.astype(int) - gray(16)).max() <= 16


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("uint32", 0, 2**32 - 1), ("int16", -(2**15), 2**15 - 1), ("int32", -(2**31), 2**31 - 1), ("int8", -128, 127)],
)
def test_integers_have_the_range_of_their_type(dtype, low, high):
    share = 0.3 + 0.2 * FLOAT.astype(np.float64)  # neither black nor white occurs
    _, frame = read((low + share * (high - low)).astype(dtype), photometric="minisblack")
    assert np.abs(frame.pixels / 65535 - share).max() < (0.005 if dtype == "int8" else 0.0001)


# Channels


def test_premultiplied_alpha_is_divided_out():
    alpha = np.linspace(0.3, 1, WIDTH) * np.ones((HEIGHT, 1))
    for top, dtype in ((255, np.uint8), (65535, np.uint16)):
        pixels = np.dstack((color() / 255 * alpha[..., None] * top, alpha * top)).round().astype(dtype)
        _, frame = read(pixels, photometric="rgb", extrasamples=["assocalpha"])
        assert distance(frame.pixels, color()) < 2
        assert np.abs(frame.alpha / top - alpha).max() < 0.01


@pytest.mark.parametrize(
    ("channels", "extrasamples", "has_alpha"),
    [
        (2, ["unassalpha"], True),
        (2, ["unspecified"], False),
        (3, ["unspecified", "unassalpha"], True),
        (3, ["unspecified", "unspecified"], False),
        (4, ["unspecified"] * 3, False),
    ],
)
def test_gray_with_extra_channels_is_gray(channels, extrasamples, has_alpha):
    rest = [np.full((HEIGHT, WIDTH), 40 * (n + 1), np.uint8) for n in range(channels - 1)]
    _, frame = read(
        np.dstack([gray(), *rest]), photometric="minisblack", extrasamples=extrasamples, planarconfig="contig"
    )
    assert np.array_equal(frame.pixels, gray())
    assert (frame.alpha is not None) == has_alpha


def test_the_alpha_of_five_channels_is_the_one_that_is_declared():
    pixels = np.dstack((color(), np.full((HEIGHT, WIDTH), 9, np.uint8), gray()))
    _, frame = read(pixels, photometric="rgb", extrasamples=["unspecified", "unassalpha"])
    assert np.array_equal(frame.pixels, color())
    assert np.array_equal(frame.alpha, gray())


def test_inks_other_than_cmyk_are_an_error_that_says_so():
    with pytest.raises(UnreadableMedia, match="inks"):
        read(np.zeros((8, 8, 4), np.uint8), photometric="separated", extratags=[tag(332, 3, 2)])


@pytest.mark.parametrize("bits", [8, 16])
def test_cielab_keeps_its_depth_and_its_colors(bits):
    lightness, a, b = 53.24, 80.09, 67.2  # red
    if bits == 8:
        pixels = np.array([lightness * 2.55, a, b]).round().astype(np.int16).astype(np.uint8)
    else:
        pixels = np.array([lightness * 655.35, a * 256, b * 256]).round().astype(np.int32).astype(np.uint16)
    _, frame = read(np.tile(pixels, (8, 8, 1)), photometric="cielab")
    assert frame.pixels.dtype == np.dtype(f"uint{bits}")
    levels = frame.pixels[0, 0] / (257 if bits == 16 else 1)
    # Red under D65 is not quite red under D50, in which the file is.
    assert levels[0] > 245
    assert levels[1:].max() < 50


# Files of other kinds, and large ones


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "rgb", "extratags": [(50706, 1, 4, bytes([1, 4, 0, 0]), True)]},
        {"photometric": 34892, "extratags": []},
    ],
)
def test_a_raw_camera_file_is_named_and_not_its_thumbnail_colored(options):
    with pytest.raises(UnreadableMedia, match="raw camera file"):
        read(color(), **options)


def test_raw_data_below_a_thumbnail_is_found():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as tiff:
        tiff.write(color()[::8, ::8].copy(), photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        cfa = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes([0, 1, 1, 2]), True)]
        tiff.write(gray(16), photometric=32803, metadata=None, extratags=cfa)
    stream.seek(0)
    with pytest.raises(UnreadableMedia, match="raw camera file"):
        open_picture(stream)


def test_a_pyramid_is_not_a_raw_file():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as tiff:
        tiff.write(color(), photometric="rgb", subifds=1, metadata=None)
        tiff.write(color()[::2, ::2].copy(), photometric="rgb", subfiletype=1, metadata=None)
    stream.seek(0)
    picture = open_picture(stream)
    assert picture.count == 1
    assert np.array_equal(only_frame(picture).pixels, color())


@pytest.mark.parametrize(
    "head",
    [
        b"II*\0\x10\0\0\0CR\2\0",
        b"II*\0\x10\0\0\0IIII",
        b"II\x1a\0\0\0HEAPCCDR",
        b"FUJIFILMCCD-RAW 0201",
        b"IIU\0\x18\0\0\0",
        b"IIRO\x08\0\0\0",
        b"FOVb\0\0\3\0",
    ],
)
def test_raw_files_other_than_tiffs_are_named(head):
    with pytest.raises(UnreadableMedia, match=r"raw camera file.*Develop"):
        open_picture(io.BytesIO(head + bytes(500)))


def test_tiles_and_channels_count_as_memory():
    stream = io.BytesIO()
    tifffile.imwrite(stream, gray(16), tile=(4096, 4096), compression="zlib", metadata=None)
    with pytest.raises(UnreadableMedia, match="because of its tiles"):
        open_picture(io.BytesIO(stream.getvalue()), max_pixels=1_000_000)
    many = io.BytesIO()
    tifffile.imwrite(many, np.zeros((64, 64, 100), np.uint8), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UnreadableMedia, match="100 channels"):
        open_picture(io.BytesIO(many.getvalue()), max_pixels=5_000)


def test_an_8_bit_palette_is_not_black(tmp_path):
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 200, 100, 50])
    palette.save(tmp_path / "a.tif")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        colormap = tiff.pages[0].tags[320]
        values = tiff.pages[0].colormap
        offset = colormap.valueoffset
    data[offset : offset + values.size * 2] = (values >> 8).astype("<u2").tobytes()
    (tmp_path / "a.tif").write_bytes(data)
    assert only_frame(open_picture(tmp_path / "a.tif")).pixels[0, 0].tolist() == [200, 100, 50]


def of_jpegs(how: str, pixels) -> bytearray:
    """A TIFF of strips or tiles that are JPEGs, with their tables in a field or in each."""
    stream = io.BytesIO()
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    if how == "tables":
        Image.fromarray(pixels).save(stream, "TIFF", compression="jpeg", tiffinfo={278: 64})
    else:
        form = {"tile": (64, 64)} if how == "tiles" else {"rowsperstrip": 64}
        tifffile.imwrite(stream, pixels, compression="jpeg", photometric=photometric, metadata=None, **form)
    return bytearray(stream.getvalue())


def noise(*shape: int):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("how", ["strips", "tiles", "tables"])
@pytest.mark.parametrize("shape", [(200, 300), (200, 300, 3)])
def test_half_of_a_damaged_jpeg_in_a_tiff_is_an_error(how, shape):
    good = of_jpegs(how, noise(*shape))
    assert distance(only_frame(open_picture(io.BytesIO(bytes(good)))).pixels, noise(*shape)) < 60
    with tifffile.TiffFile(io.BytesIO(bytes(good))) as tiff:
        page = tiff.pages[0]
        offset, size = page.dataoffsets[-1], page.databytecounts[-1]
    for filling in (b"\0", b"\xff\xd9"):
        damaged = bytearray(good)
        damaged[offset + size // 2 : offset + size - 2] = (filling * size)[: size - 2 - size // 2]
        with pytest.raises(UnreadableMedia, match="TIFF file is damaged"):
            list(open_picture(io.BytesIO(bytes(damaged))).frames())


def test_pages_keep_their_descriptions_and_resolutions(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for n in range(3):
            extra = [(269, 2, 0, f"box {n}", True), (285, 2, 0, "Zürich".encode(), True)]
            tiff.write(
                gray(), metadata=None, description=f"sheet {n}", resolution=(100 + n, 100 + n),
                resolutionunit="CENTIMETER" if n == 2 else "INCH", extratags=extra, photometric="minisblack",
            )  # fmt: skip
    rewritten(tmp_path / "a.tif", tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        for n, page in enumerate(tiff.pages):
            assert page.tags.valueof(270) == f"sheet {n}"
            assert page.tags.valueof(269) == f"box {n}"
            dpi = (100 + n) * (2.54 if n == 2 else 1)
            assert page.get_resolution(2)[0] == pytest.approx(dpi, rel=1e-4)
    assert (tmp_path / "b.tif").read_bytes().count("Zürich".encode()) >= 1


# Meanings that are declared


def test_premultiplied_gray_whose_zero_is_white_is_divided_before_it_is_inverted():
    stored = np.dstack([((255 - gray()) * 0.5).round().astype(np.uint8), np.full_like(gray(), 128)])
    assert distance(read(stored, photometric="miniswhite", extrasamples=["assocalpha"])[1].pixels, gray()) < 1


def test_inks_are_read_by_their_dot_range():
    inverted = np.dstack([color(), np.full_like(gray(), 255)])
    _, frame = read(inverted, photometric="separated", extratags=[tag(336, 3, 255, 0)])
    assert distance(frame.pixels, color()) < 1


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("studio", [False, True])
def test_ycbcr_is_read_by_the_reference_that_it_states(bits, studio):
    top = 2**bits - 1
    levels = np.asarray(image().convert("YCbCr")).astype(float)
    options = {}
    if studio:
        levels = levels * [219 / 255, 224 / 255, 224 / 255] + [16, 16, 16]
        reference = (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1)
        if bits == 16:
            reference = tuple(value * 257 if at % 2 == 0 else 1 for at, value in enumerate(reference))
        options = {"extratags": [(532, 5, 6, reference, True)]}
    pixels = (levels / 255 * top).round().astype(np.uint8 if bits == 8 else np.uint16)
    _, frame = read(pixels, photometric="ycbcr", subsampling=(1, 1), **options)
    assert distance(frame.pixels, color()) < 2


def test_cielab_of_floats_is_read():
    lab = np.dstack([gray() / 2.55, np.zeros_like(gray()), np.zeros_like(gray())]).astype(np.float32)
    white = read(lab, photometric="cielab")[1].pixels[-1, -1]
    assert white.tolist() == [65535] * 3 or white == 65535


@pytest.mark.parametrize("number", [32809, 34661, 9999])
def test_an_unknown_compression_is_not_damage(number):
    stream = io.BytesIO()
    tifffile.imwrite(stream, gray(), metadata=None)
    data = bytearray(stream.getvalue())
    at = data.index(struct.pack("<HH", 259, 3))
    data[at + 8 : at + 10] = struct.pack("<H", number)
    with pytest.raises(UnreadableMedia, match=r"compression .* cannot be read"):
        list(open_picture(io.BytesIO(bytes(data))).frames())


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
def test_one_bit_is_read_beyond_the_limit_that_pillow_has_for_a_process(tmp_path, monkeypatch, compression):
    bits = np.random.default_rng(0).integers(0, 2, (37, 53)).astype(bool)
    tifffile.imwrite(tmp_path / "a.tif", bits, photometric="minisblack", compression=compression)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert np.array_equal(only_frame(open_picture(tmp_path / "a.tif")).pixels, bits * np.uint8(255))


def test_floating_point_values_are_scaled_alike_in_every_strip(tmp_path, monkeypatch):
    values = np.linspace(-0.1, 1.1, 60 * 41, dtype=np.float32).reshape(60, 41)
    values[3, 4], values[50, 6] = np.nan, np.inf
    monkeypatch.setattr(decode, "_STRIP", 100)
    tifffile.imwrite(tmp_path / "a.tif", values)
    expected = np.nan_to_num(values.astype(np.float64), posinf=1).clip(0, 1) * 65535
    assert np.array_equal(only_frame(open_picture(tmp_path / "a.tif")).pixels, expected.round().astype(np.uint16))
