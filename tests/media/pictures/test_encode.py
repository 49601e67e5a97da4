"""Limits of formats are errors that name them; what can be written in another way is."""

from __future__ import annotations

import gc
import io
import struct
import weakref

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from colorcli.errors import UnreadableMedia, UnwritableMedia
from colorcli.media.pictures import tiff
from colorcli.media.pictures.encoder_input import EncodeRequest, EncoderFrame
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.metadata import Metadata
from colorcli.media.pictures.png import write_png
from colorcli.media.pictures.provenance import read_provenance
from colorcli.media.pictures.write import write_picture
from tests.media.pictures.samples import PROVENANCE, color, colored, distance, gray, image, only_frame, rewritten


@pytest.mark.parametrize(
    ("target", "width", "limit"),
    [
        ("a.webp", 16_384, "16,383"),
        ("a.jpg", 65_501, "65,500"),
        ("a.gif", 65_536, "65,535"),
        ("a.avif", 65_537, "65,536"),
    ],
)
def test_a_picture_that_is_too_wide_for_a_format_is_an_error_that_says_so(tmp_path, target, width, limit):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.zeros((2, width), np.uint8)))
    with pytest.raises(UnwritableMedia, match=rf"{width} x 2.*at most {limit}.*--format png"):
        rewritten(tmp_path / "a.png", tmp_path / target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def animation(path, durations):
    frames = [image().rotate(90 * n) for n in range(len(durations))]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations)


@pytest.mark.parametrize("milliseconds", [40, 65_535, 90_000, 700_000])
def test_long_durations_of_an_animated_png_have_a_coarser_unit(tmp_path, milliseconds):
    animation(tmp_path / "a.webp", [100, milliseconds])
    written = rewritten(tmp_path / "a.webp", tmp_path / "b.png")
    assert [frame.seconds for frame in written.frames()] == pytest.approx([0.1, milliseconds / 1000], rel=0.01)


@pytest.mark.parametrize(("target", "longest"), [("b.gif", 655.35)])
def test_a_duration_beyond_a_format_is_cut_and_named(tmp_path, target, longest):
    animation(tmp_path / "a.webp", [100, 900_000])
    picture = open_picture(tmp_path / "a.webp")
    lost = write_picture(tmp_path / target, colored(picture), picture, provenance=PROVENANCE)
    assert "duration of 900 s" in lost[0]
    assert [frame.seconds for frame in open_picture(tmp_path / target).frames()][1] == pytest.approx(longest)


@pytest.mark.parametrize(("target", "lost"), [("tiff", True), ("heic", True), ("avif", False), ("webp", False)])
def test_times_of_an_animation_that_a_format_cannot_keep_are_named(tmp_path, target, lost):
    frames = [Image.fromarray(np.roll(color(), n, axis=1)) for n in (0, 9)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 2000], loop=3)
    picture = open_picture(tmp_path / "a.gif")
    if target == "heic":
        pytest.importorskip("pillow_heif")
    notes = write_picture(
        tmp_path / f"b.{target}", iter(colored(picture)), picture, format=target, provenance=PROVENANCE
    )
    assert ("how long frames are shown" in "".join(notes)) is lost
    assert ("how often it repeats (3)" in "".join(notes)) is (target != "webp")


def test_the_hidden_picture_before_an_animation_is_not_one_of_its_frames(tmp_path):
    frames = [image().rotate(90 * n) for n in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=100, default_image=True)
    picture = open_picture(tmp_path / "a.png")
    assert picture.count == 2
    assert "without animation" in picture.remarks[0]
    assert distance(next(picture.frames()).pixels, np.asarray(frames[1])) < 1
    assert rewritten(tmp_path / "a.png", tmp_path / "b.png").count == 2


# Depth


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("alpha", [False, True])
def test_an_avif_keeps_its_depth_and_its_metadata(tmp_path, bits, alpha):
    pixels = color(16) >> (16 - bits)
    if alpha:
        pixels = np.dstack((pixels, gray(16) >> (16 - bits)))
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(pixels, 95, bitspersample=bits, pixelformat="444"))
    source = only_frame(open_picture(tmp_path / "a.avif"))
    assert source.pixels.dtype == np.uint16
    written = rewritten(tmp_path / "a.avif", tmp_path / "b.avif")
    assert distance(only_frame(written).pixels, source.pixels) < 2
    assert (only_frame(written).alpha is not None) == alpha
    assert imagecodecs.avif_decode((tmp_path / "b.avif").read_bytes()).max() >= 2 ** (bits - 1)
    assert read_provenance(tmp_path / "b.avif") == PROVENANCE
    with Image.open(tmp_path / "b.avif") as plain:  # which reads the file by its structure
        assert b"colorcli" in plain.info["xmp"]


@pytest.mark.parametrize("bits", [8, 10])
def test_a_heic_keeps_its_depth_and_its_metadata(tmp_path, bits):
    heif = pytest.importorskip("pillow_heif")
    file = heif.HeifFile()
    pixels = color(16) if bits == 10 else color()
    file.add_frombytes("RGB;16" if bits == 10 else "RGB", (64, 48), np.ascontiguousarray(pixels).tobytes())
    file.save(tmp_path / "a.heic", quality=95, chroma=444)
    written = rewritten(tmp_path / "a.heic", tmp_path / "b.heic")
    assert written.bits == bits
    frame = only_frame(written)
    assert frame.pixels.dtype == (np.uint16 if bits == 10 else np.uint8)
    assert distance(frame.pixels, color()) < 1
    assert read_provenance(tmp_path / "b.heic") == PROVENANCE


def test_exif_goes_into_a_deep_avif(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(color(16)))
    made = Image.Exif()
    made[0x010E] = "Grandmother"
    blob = made.tobytes().removeprefix(b"Exif\0\0")
    data = (tmp_path / "a.png").read_bytes()
    chunk = b"eXIf" + blob
    data = (
        data[:33]
        + struct.pack(">I", len(blob))
        + chunk
        + struct.pack(">I", __import__("zlib").crc32(chunk))
        + data[33:]
    )
    (tmp_path / "a.png").write_bytes(data)
    rewritten(tmp_path / "a.png", tmp_path / "b.avif")
    with Image.open(tmp_path / "b.avif") as plain:
        assert plain.getexif()[0x010E] == "Grandmother"


def test_a_jpeg_of_12_bits_is_read_at_its_depth(tmp_path):
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(gray(16) >> 4, 95, bitspersample=12))
    frame = only_frame(open_picture(tmp_path / "a.jpg"))
    assert frame.pixels.dtype == np.uint16
    assert distance(frame.pixels, gray(16)) < 1
    picture = open_picture(tmp_path / "a.jpg")
    lost = write_picture(tmp_path / "b.jpg", colored(picture), picture, provenance=PROVENANCE)
    assert "more than 8 bits per channel" in lost[0]
    assert only_frame(rewritten(tmp_path / "a.jpg", tmp_path / "b.png")).pixels.dtype == np.uint16


def test_a_jpeg_of_12_bits_and_four_inks_is_read_as_inks():
    inks = np.dstack([color(16) >> 4, np.full((48, 64), 4095, np.uint16)])  # inverted, as Adobe's are
    data = bytes(imagecodecs.jpeg8_encode(inks, 98, bitspersample=12, colorspace="cmyk", outcolorspace="cmyk"))
    assert distance(only_frame(open_picture(io.BytesIO(data))).pixels, color(16)) < 2


@pytest.mark.parametrize("mode", ["RGBa", "RGBa;16"])
def test_premultiplied_alpha_of_a_heic_is_divided_out(mode):
    heif = pytest.importorskip("pillow_heif")
    pixels = color(16 if mode.endswith("16") else 8)
    half = np.iinfo(pixels.dtype).max // 2
    file, stream = heif.HeifFile(), io.BytesIO()
    channels = np.dstack([pixels // 2, np.full(pixels.shape[:2], half, pixels.dtype)])
    file.add_frombytes(mode, (64, 48), channels.tobytes())
    file.save(stream, quality=100, chroma=444)
    assert distance(only_frame(open_picture(io.BytesIO(stream.getvalue()))).pixels, pixels) < 3


def test_a_picture_keeps_its_format_under_a_wrong_name(tmp_path):
    pixels = np.dstack((color(16), np.full((48, 64), 30_000, np.uint16)))
    (tmp_path / "a.jpg").write_bytes(imagecodecs.png_encode(pixels))
    written = rewritten(tmp_path / "a.jpg", tmp_path / "out" / "a.jpg")
    assert written.format == "PNG"
    assert only_frame(written).pixels.dtype == np.uint16
    assert only_frame(written).alpha is not None
    assert rewritten(tmp_path / "a.jpg", tmp_path / "b.webp").format == "WebP"


def test_transparency_that_a_format_cannot_keep_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.dstack((color(), gray()))))
    picture = open_picture(tmp_path / "a.png")
    lost = write_picture(tmp_path / "b.jpg", colored(picture), picture, provenance=PROVENANCE)
    assert "transparency" in lost[0]


# Large TIFFs


def test_a_tiff_beyond_four_gigabytes_is_a_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "_CLASSIC_LIMIT", 20_000)
    image().save(tmp_path / "a.tif", save_all=True, append_images=[image(), image()])
    written = rewritten(tmp_path / "a.tif", tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.is_bigtiff
    assert written.count == 3
    assert np.array_equal(list(written.frames())[2].pixels, color())
    monkeypatch.undo()
    with tifffile.TiffFile(rewritten(tmp_path / "b.tif", tmp_path / "c.tif").path) as file:
        assert not file.is_bigtiff


@pytest.mark.parametrize("limit", [100, 10**9])
def test_a_bigtiff_has_the_same_exif_as_a_tiff(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(tiff, "_CLASSIC_LIMIT", limit)
    made = Image.Exif()
    made[0x010E] = "Grandmother"
    made.get_ifd(0x8769)[0x9003] = "1931:05:07 10:00:00"
    made.get_ifd(0x8825)[2] = (49.0, 11.0, 11.5)
    image().save(tmp_path / "a.jpg", exif=made)
    rewritten(tmp_path / "a.jpg", tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.is_bigtiff == (limit == 100)
        assert file.pages[0].tags.valueof(270) == "Grandmother"
        assert file.pages[0].tags.valueof(0x8769)["DateTimeOriginal"] == "1931:05:07 10:00:00"
    rewritten(tmp_path / "b.tif", tmp_path / "c.jpg")
    with Image.open(tmp_path / "c.jpg") as plain:
        assert plain.getexif().get_ifd(0x8825)[2] == (49.0, 11.0, 11.5)


# Damage that libraries only warn about


def noisy_jpeg(**options) -> bytearray:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG", quality=90, **options)
    return bytearray(stream.getvalue())


@pytest.mark.parametrize("filling", [b"\0", b"\xff\xd9", b"\x55"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_has_lost_a_part_is_damaged(filling, progressive):
    data = noisy_jpeg(progressive=progressive)
    middle = len(data) // 2
    data[middle:-2] = (filling * len(data))[: len(data) - 2 - middle]
    with pytest.raises(UnreadableMedia, match="damaged"):
        list(open_picture(io.BytesIO(bytes(data))).frames())


def test_a_few_odd_bytes_behind_a_picture_are_a_remark():
    data = noisy_jpeg()
    picture = open_picture(io.BytesIO(bytes(data[:-2] + b"12345678" + data[-2:])))
    assert len(list(picture.frames())) == 1
    assert "skipped" in picture.remarks[0]


@pytest.mark.parametrize("turned", [False, True], ids=["smooth across", "smooth down"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(40, 30), (1, 1), (1, 9), (9, 1)])
def test_a_png_has_every_pixel_whatever_filter_suits_it(size, channels, dtype, turned):
    height, width = size
    noise = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (height, 1, channels), dtype, endpoint=True)
    pixels = np.ascontiguousarray(np.broadcast_to(noise, (height, width, channels)))
    pixels = np.ascontiguousarray(pixels.swapaxes(0, 1)) if turned else pixels
    frame = EncoderFrame(pixels[..., :3], pixels[..., 3] if channels == 4 else None, 0.0, None)
    stream = io.BytesIO()
    write_png(stream, EncodeRequest(iter([frame]), 1, Metadata(), PROVENANCE, 90, True, 8, height * width))
    assert np.array_equal(imagecodecs.png_decode(stream.getvalue()), pixels)


@pytest.mark.parametrize("name", ["jpeg", "png", "tiff", "webp", "gif", "bmp"])
def test_a_frame_leaves_memory_as_soon_as_it_is_written(tmp_path, name):
    """Frames that wait for the garbage collector would add up to gigabytes in a folder of large pictures."""
    image().save(tmp_path / "a.png")
    picture = open_picture(tmp_path / "a.png")
    frame = next(picture.frames())
    gone = weakref.ref(frame)
    gc.disable()
    try:
        write_picture(io.BytesIO(), [frame], picture, format=name, provenance=PROVENANCE)
        del frame
        assert gone() is None
    finally:
        gc.enable()
