"""What a file shows becomes sRGB frames, and everything else that it carries survives."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import PIL
import pytest
import tifffile
from PIL import Image, ImageCms

from colorcli.errors import UnreadableMedia, UnwritableMedia
from colorcli.media import formats
from colorcli.media.pictures import exif, iptc, xmp
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.provenance import read_provenance
from colorcli.media.pictures.write import write_picture
from tests.media.pictures.samples import (
    HEIGHT,
    PROVENANCE,
    WIDTH,
    as_levels,
    color,
    colored,
    distance,
    gray,
    image,
    only_frame,
    rewritten,
)

# Kinds of files ---------------------------------------------------------------------------------------------------


def _pillow(mode: str, **options):
    return lambda path: image(mode).save(path, **options)


def _tiff(pixels, **options):
    return lambda path: tifffile.imwrite(path, pixels, **options)


def _png(pixels):
    return lambda path: path.write_bytes(imagecodecs.png_encode(pixels))


_ALPHA = gray(16)[::-1].copy()
KINDS = {
    "gray.jpg": (_pillow("L", quality=95), "gray", 8),
    "color.jpg": (_pillow("RGB", quality=95, subsampling=0), "color", 8),
    "progressive.jpg": (_pillow("RGB", quality=95, subsampling=0, progressive=True), "color", 8),
    "gray.png": (_pillow("L"), "gray", 8),
    "bilevel.png": (_pillow("1"), "bilevel", 8),
    "palette.png": (lambda path: image("L").convert("P").save(path), "gray", 8),
    "gray16.png": (_png(gray(16)), "ramp", 16),
    "color16.png": (_png(color(16)), "color", 16),
    "alpha16.png": (_png(np.dstack((color(16), _ALPHA))), "color", 16),
    "grayalpha16.png": (_png(np.dstack((gray(16), _ALPHA))), "ramp", 16),
    "color.tif": (_pillow("RGB"), "color", 8),
    "ycbcr.tif": (_pillow("YCbCr", compression="tiff_lzw", tiffinfo={530: (1, 1)}), "color", 8),
    "lzw.tif": (_pillow("RGB", compression="tiff_lzw"), "color", 8),
    "bilevel.tif": (_pillow("1", compression="group4"), "bilevel", 8),
    "gray16.tif": (_tiff(gray(16)), "ramp", 16),
    "white16.tif": (_tiff(65535 - gray(16), photometric="miniswhite"), "ramp", 16),
    "color16.tif": (_tiff(color(16), photometric="rgb"), "color", 16),
    "bigendian.tif": (_tiff(color(16), photometric="rgb", byteorder=">"), "color", 16),
    "planar.tif": (
        _tiff(np.moveaxis(color(16), 2, 0).copy(), photometric="rgb", planarconfig="separate"),
        "color",
        16,
    ),
    "tiled.tif": (_tiff(gray(16), tile=(32, 32), compression="zlib"), "ramp", 16),
    "float.tif": (_tiff((gray(16) / 65535).astype(np.float32)), "ramp", 16),
    "floatcolor.tif": (_tiff((color(16) / 65535).astype(np.float32), photometric="rgb"), "color", 16),
    "alpha16.tif": (
        _tiff(np.dstack((color(16), _ALPHA)), photometric="rgb", extrasamples=["unassalpha"]),
        "color",
        16,
    ),
    "bigtiff.tif": (_tiff(gray(16), bigtiff=True), "ramp", 16),
    "lossless.webp": (_pillow("RGB", lossless=True), "color", 8),
    "lossy.webp": (_pillow("RGB", quality=98), "color", 8),
    "color.bmp": (_pillow("RGB"), "color", 8),
    "bilevel.bmp": (_pillow("1"), "bilevel", 8),
    "gray.gif": (_pillow("L"), "gray", 8),
    "color.avif": (_pillow("RGB", quality=95, subsampling="4:4:4"), "color", 8),
}
if int(PIL.__version__.partition(".")[0]) >= 13:  # older versions cannot read YCbCr without compression
    KINDS["uncompressed-ycbcr.tif"] = (_pillow("YCbCr"), "color", 8)
SHOWN = {
    "gray": lambda: np.asarray(image("L")),
    "bilevel": lambda: np.asarray(image("1").convert("L")),
    "color": color,
    "ramp": lambda: gray(16),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_is_read_as_what_it_shows_and_written_back_at_its_depth(tmp_path, name):
    make, shows, bits = KINDS[name]
    source = tmp_path / name
    make(source)

    frame = only_frame(open_picture(source))
    assert distance(frame.pixels, SHOWN[shows]()) < 1.5
    assert frame.pixels.dtype == np.dtype(f"uint{bits}")
    assert frame.pixels.flags.c_contiguous
    assert frame.pixels.ndim == (3 if shows == "color" else 2)
    if "alpha" in name:
        assert np.array_equal(frame.alpha, _ALPHA)
    else:
        assert frame.alpha is None

    again = rewritten(source, tmp_path / "out" / name)
    assert again.format == open_picture(source).format
    written = only_frame(again)
    assert written.pixels.dtype == frame.pixels.dtype
    assert distance(written.pixels, frame.pixels) < 1.5
    assert (written.alpha is None) == (frame.alpha is None)
    assert read_provenance(tmp_path / "out" / name) == PROVENANCE


@pytest.mark.parametrize("target", [kind.suffix for kind in formats.FORMATS.values() if kind.name != "HEIC"])
def test_sixteen_bits_and_alpha_are_kept_in_every_format_that_supports_them(tmp_path, target):
    source = tmp_path / "a.png"
    source.write_bytes(imagecodecs.png_encode(np.dstack((color(16), np.full_like(_ALPHA, 65535)))))
    written = rewritten(source, tmp_path / f"b{target}")
    assert written.format == formats.BY_SUFFIX[target].name
    frame = only_frame(written)
    assert frame.pixels.dtype == (np.uint16 if target in {".png", ".tif", ".avif"} else np.uint8)
    assert distance(frame.pixels, color(16)) < (12 if target == ".gif" else 2)


def test_what_is_transparent_becomes_white_where_a_format_has_no_alpha(tmp_path):
    picture = Image.new("LA", (8, 8), (0, 0))
    picture.save(tmp_path / "a.png")
    frame = only_frame(rewritten(tmp_path / "a.png", tmp_path / "a.jpg"))
    assert frame.pixels.min() > 250


def test_palette_transparency_becomes_alpha(tmp_path):
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putpixel((0, 0), 0)
    palette.save(tmp_path / "a.png", transparency=0)
    alpha = only_frame(open_picture(tmp_path / "a.png")).alpha
    assert alpha[0, 0] == 0
    assert alpha[1, 1] == 255


def test_cielab_is_read_in_its_own_colors(tmp_path):
    lab = Image.new("LAB", (4, 4), (128, 128, 128))
    lab.save(tmp_path / "a.tif")
    pixels = only_frame(open_picture(tmp_path / "a.tif")).pixels
    assert np.abs(pixels.astype(int) - 119).max() <= 2  # L* = 50.2


def test_inverted_cmyk_of_a_jpeg_is_read_the_right_way_round(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=95)
    pixels = only_frame(open_picture(tmp_path / "red.jpg")).pixels
    assert (np.abs(pixels.astype(int) - (255, 0, 0)) < 12).all()


# Orientation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_orientation_is_applied_once_and_then_gone(tmp_path, suffix, number):
    source = tmp_path / f"a{suffix}"
    made = Image.Exif()
    made[exif.ORIENTATION] = number
    options = {"quality": 95} if suffix in {".jpg", ".webp", ".avif"} else {}
    image().save(source, exif=made, **options)
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    expected = np.asarray(image().transpose(turns[number]) if number > 1 else image())

    picture = open_picture(source)
    assert picture.size == expected.shape[1::-1]
    assert distance(only_frame(picture).pixels, expected) < 4

    written = rewritten(source, tmp_path / f"b{suffix}")
    with Image.open(tmp_path / f"b{suffix}") as plain:
        assert plain.getexif().get(exif.ORIENTATION, 1) == 1
        assert plain.size == picture.size
    assert distance(only_frame(written).pixels, expected) < 4


# Pages and frames -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".avif"])
def test_an_animation_keeps_its_frames_durations_and_loops(tmp_path, suffix):
    frames = [image().rotate(angle) for angle in (0, 90, 180)]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=3)
    source = open_picture(tmp_path / f"a{suffix}")
    written = rewritten(tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
    assert source.count == written.count == 3
    assert [frame.seconds for frame in written.frames()] == pytest.approx([0.1, 0.2, 0.3])
    for before, after in zip(source.frames(), written.frames(), strict=True):
        assert distance(before.pixels, after.pixels) < 4
    with Image.open(tmp_path / f"b{suffix}") as plain:
        assert plain.n_frames == 3
        if suffix != ".avif":
            assert plain.info["loop"] == 3


@pytest.mark.parametrize("target", [".gif", ".webp", ".png", ".tif"])
def test_an_animation_with_holes_keeps_them_in_other_formats(tmp_path, target):
    first, second = (Image.new("RGBA", (16, 16), color) for color in ((255, 0, 0, 255), (0, 0, 255, 255)))
    first.putpixel((15, 15), (0, 0, 0, 0))
    second.paste((0, 0, 0, 0), (0, 0, 8, 16))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second], duration=[100, 200], disposal=2)
    written = list(rewritten(tmp_path / "a.gif", tmp_path / f"b{target}").frames())
    assert len(written) == 2
    assert written[1].alpha[0, 0] == 0
    assert written[1].alpha[0, 12] == 255
    assert written[1].pixels[0, 12, 2] > 240


def test_each_page_of_a_tiff_keeps_its_size_and_depth(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(gray(16))
        tiff.write(color()[:20], photometric="rgb")
    written = list(rewritten(tmp_path / "a.tif", tmp_path / "b.tif").frames())
    assert [(frame.pixels.shape[0], frame.pixels.dtype.name) for frame in written] == [(48, "uint16"), (20, "uint8")]
    assert np.array_equal(written[1].pixels, color()[:20])


def test_frames_are_decoded_one_at_a_time(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for _ in range(3):
            tiff.write(gray())
    whole = (tmp_path / "a.tif").read_bytes()
    frames = open_picture(tmp_path / "a.tif").frames()
    assert next(frames).pixels.shape == (HEIGHT, WIDTH)
    (tmp_path / "a.tif").write_bytes(whole[:8])  # the rest is read only when it is asked for
    with pytest.raises(UnreadableMedia):
        list(frames)


def test_frames_with_and_without_holes_make_one_animation(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(color(), photometric="rgb")
        tiff.write(np.dstack((color(), gray())), photometric="rgb", extrasamples=["unassalpha"])
    for target in (".png", ".webp", ".avif"):
        written = list(rewritten(tmp_path / "a.tif", tmp_path / f"b{target}").frames())
        assert written[0].alpha is None or written[0].alpha.min() == 255
        assert written[1].alpha.min() < 5
        assert distance(written[1].pixels[-20:], color()[-20:]) < 12


def test_pages_of_several_sizes_are_not_an_animation(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(gray())
        tiff.write(gray()[:20])
    with pytest.raises(UnwritableMedia, match="64 x 20"):
        rewritten(tmp_path / "a.tif", tmp_path / "b.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_many_pages_into_a_format_of_one_is_an_error_that_names_both(tmp_path):
    image().save(tmp_path / "a.tif", save_all=True, append_images=[image()])
    with pytest.raises(UnwritableMedia, match=r"2 frames or pages.*JPEG"):
        rewritten(tmp_path / "a.tif", tmp_path / "b.jpg")
    assert not (tmp_path / "b.jpg").exists()


# Color management ------------------------------------------------------------------------------------------------


def test_a_gray_gamma_profile_is_honored_at_8_and_16_bits(tmp_path):
    linear = imagecodecs.cms_profile("gray", gamma=1.0)
    Image.fromarray(np.full((8, 8), 55, np.uint8)).save(tmp_path / "8.png", icc_profile=linear)
    tifffile.imwrite(tmp_path / "16.tif", np.full((8, 8), 55 * 257, np.uint16), iccprofile=linear)
    for name in ("8.png", "16.tif"):
        frame = only_frame(open_picture(tmp_path / name))
        assert frame.pixels.ndim == 2
        assert np.abs(as_levels(frame.pixels) - 128).max() <= 1  # 0.2157 of the light is sRGB 128


@pytest.mark.parametrize("bits", [8, 16])
def test_adobe_rgb_is_converted_exactly(tmp_path, bits):
    pixels = np.full((4, 4, 3), (100, 150, 120), np.uint8).astype(np.uint16) * (257 if bits == 16 else 1)
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels.astype(f"uint{bits}"),
        photometric="rgb",
        iccprofile=imagecodecs.cms_profile("adobergb"),
    )
    levels = as_levels(only_frame(open_picture(tmp_path / "a.tif")).pixels)[0, 0]
    assert levels == pytest.approx(_adobe_to_srgb(100, 150, 120), abs=1.0 if bits == 8 else 0.2)


def _adobe_to_srgb(*codes: int) -> np.ndarray:
    to_xyz = [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
    to_rgb = [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
    light = np.clip(np.array(to_rgb) @ np.array(to_xyz) @ (np.array(codes) / 255) ** (563 / 256), 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def test_a_gray_profile_in_a_color_file_is_ignored(tmp_path):
    linear = imagecodecs.cms_profile("gray", gamma=1.0)
    image().save(tmp_path / "a.png", icc_profile=linear)
    assert np.array_equal(only_frame(open_picture(tmp_path / "a.png")).pixels, color())


@pytest.mark.parametrize("profile", [b"no profile at all" * 20, b""])
def test_a_broken_profile_is_ignored(tmp_path, profile):
    image().save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(only_frame(open_picture(tmp_path / "a.png")).pixels, color())


def test_a_png_is_read_with_the_gamma_that_it_states(tmp_path):
    coded = imagecodecs.png_encode(np.full((8, 8), 55, np.uint8))
    body = b"gAMA" + struct.pack(">I", 100_000)
    chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "a.png").write_bytes(coded[:33] + chunk + coded[33:])
    assert np.abs(only_frame(open_picture(tmp_path / "a.png")).pixels.astype(int) - 128).max() <= 1


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_the_output_carries_an_srgb_profile_whatever_the_source_had(tmp_path, suffix):
    image().save(tmp_path / "a.jpg", icc_profile=imagecodecs.cms_profile("adobergb"))
    rewritten(tmp_path / "a.jpg", tmp_path / f"b{suffix}")
    with Image.open(tmp_path / f"b{suffix}") as plain:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(plain.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_color_with_three_equal_channels_is_read_as_gray(tmp_path):
    image("L").convert("RGB").save(tmp_path / "a.png")
    assert np.array_equal(only_frame(open_picture(tmp_path / "a.png")).pixels, np.asarray(image("L")))


# Metadata ---------------------------------------------------------------------------------------------------------

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:house="http://house.example/" tiff:Orientation="6" xmp:Rating="4"
 house:shelf="17"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">Gro\xc3\x9fmutter</rdf:li></rdf:Alt></dc:title>
<xmp:CreatorTool>scanner</xmp:CreatorTool></rdf:Description></rdf:RDF></x:xmpmeta>"""
IPTC = b"\x1c\x02\x78\x00\x09Backyard."


def _exif() -> Image.Exif:
    made = Image.Exif()
    made[0x010E], made[0x013B], made[exif.ORIENTATION] = "Grandmother", "A. Photographer", 1
    made.get_ifd(0x8769)[0x9003] = "1931:05:07 10:00:00"
    made.get_ifd(0x8769)[0xA001] = 65535
    made.get_ifd(0x8825)[1] = "N"
    made.get_ifd(0x8825)[2] = (49.0, 11.0, 11.5)
    return made


def packet_in(data: bytes) -> bytes:
    """Find an XMP packet by its text."""
    start = data.index(b"<x:xmpmeta")
    return data[start : data.index(b"</x:xmpmeta>", start) + 12]


def _with_everything(path: Path) -> None:
    """Write a JPEG with EXIF, IPTC, XMP and a resolution."""
    coded = io.BytesIO()
    image("L").save(coded, "JPEG", exif=_exif(), xmp=XMP, dpi=(300, 300), quality=95)
    resources = iptc.PHOTOSHOP_HEADER + iptc.photoshop_of_iptc(IPTC)
    segment = struct.pack(">HH", 0xFFED, len(resources) + 2) + resources
    path.write_bytes(coded.getvalue()[:20] + segment + coded.getvalue()[20:])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_exif_survives_in_every_format_that_can_hold_it(tmp_path, suffix):
    _with_everything(tmp_path / "a.jpg")
    rewritten(tmp_path / "a.jpg", tmp_path / f"b{suffix}")
    rewritten(tmp_path / f"b{suffix}", tmp_path / f"c{suffix}")
    with Image.open(tmp_path / f"c{suffix}") as plain:
        found = plain.getexif()
        assert found[0x010E] == "Grandmother"
        assert found[0x013B] == "A. Photographer"
        assert found.get_ifd(0x8769)[0x9003] == "1931:05:07 10:00:00"
        assert found.get_ifd(0x8769)[0xA001] == 1  # sRGB now
        assert found.get_ifd(0x8825)[2] == (49.0, 11.0, 11.5)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_iptc_survives(tmp_path, suffix):
    _with_everything(tmp_path / "a.jpg")
    rewritten(tmp_path / "a.jpg", tmp_path / f"b{suffix}")
    rewritten(tmp_path / f"b{suffix}", tmp_path / "c.jpg")
    with Image.open(tmp_path / "c.jpg") as plain:
        assert plain.info["photoshop"][iptc.IPTC_RESOURCE] == IPTC


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_resolution_survives(tmp_path, suffix):
    _with_everything(tmp_path / "a.jpg")
    rewritten(tmp_path / "a.jpg", tmp_path / f"b{suffix}")
    with Image.open(tmp_path / f"b{suffix}") as plain:
        assert plain.info["dpi"] == pytest.approx((300, 300), abs=0.02)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".gif"])
def test_xmp_is_merged_and_says_that_a_model_made_the_colors(tmp_path, suffix):
    _with_everything(tmp_path / "a.jpg")
    rewritten(tmp_path / "a.jpg", tmp_path / f"b{suffix}")
    packet = packet_in((tmp_path / f"b{suffix}").read_bytes()).decode()
    assert "Großmutter" in packet
    assert 'xmp:Rating="4"' in packet
    assert 'house:shelf="17"' in packet
    assert "Orientation" not in packet
    assert packet.count("CreatorTool") == 1
    assert 'xmp:CreatorTool="colorcli 0.1.0"' in packet
    source_type = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    assert f'Iptc4xmpExt:DigitalSourceType="{source_type}"' in packet
    assert read_provenance(tmp_path / f"b{suffix}") == PROVENANCE


@pytest.mark.parametrize(
    "packet",
    [b"<x:xmpmeta no xml", b'<!DOCTYPE a [<!ENTITY b "c">]>' + XMP, b"\xff\xfe\0\0", b"<a/>", b""],
    ids=["broken", "entities", "bytes", "other", "empty"],
)
def test_xmp_that_cannot_be_used_is_replaced(packet):
    stamped = xmp.stamped_xmp(packet, PROVENANCE)
    assert xmp.provenance_in(stamped) == PROVENANCE
    assert b"<!" not in stamped


def test_xmp_too_long_for_a_jpeg_gives_way_to_the_provenance(tmp_path):
    long = XMP.replace(b'house:shelf="17"', b'house:shelf="' + b"1" * 70_000 + b'"')
    image().save(tmp_path / "a.png", pnginfo=_png_xmp(long))
    rewritten(tmp_path / "a.png", tmp_path / "b.jpg")
    assert read_provenance(tmp_path / "b.jpg") == PROVENANCE


def _png_xmp(packet: bytes):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    return info


def test_bmp_keeps_its_provenance_in_a_file_beside_it(tmp_path):
    image().save(tmp_path / "a.bmp")
    rewritten(tmp_path / "a.bmp", tmp_path / "b.bmp")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bmp", "b.bmp", "b.bmp.xmp"]
    assert read_provenance(tmp_path / "b.bmp") == PROVENANCE
    (tmp_path / "b.bmp").unlink()
    assert read_provenance(tmp_path / "b.bmp") is None


@pytest.mark.parametrize(
    "packet",
    [
        XMP,
        b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>\n" + XMP + b"\n<?xpacket end='w'?>",
        XMP[XMP.index(b"<rdf:RDF") : XMP.index(b"</x:xmpmeta>")],  # without the element that is optional
    ],
)
def test_what_another_program_wrote_beside_a_bmp_stays(tmp_path, packet):
    image().save(tmp_path / "a.bmp")
    (tmp_path / "b.bmp.xmp").write_bytes(packet)
    rewritten(tmp_path / "a.bmp", tmp_path / "b.bmp")
    assert b'shelf="17"' in (tmp_path / "b.bmp.xmp").read_bytes()
    assert read_provenance(tmp_path / "b.bmp") == PROVENANCE
    rewritten(tmp_path / "a.bmp", tmp_path / "b.bmp")
    assert read_provenance(tmp_path / "b.bmp") == PROVENANCE


@pytest.mark.parametrize("found", [b"my notes", b"<x:xmpmeta", b"\x00\x01\x02", b"<html/>"])
def test_a_file_beside_a_bmp_that_is_not_xmp_is_not_replaced(tmp_path, found):
    image().save(tmp_path / "a.bmp")
    (tmp_path / "b.bmp.xmp").write_bytes(found)
    with pytest.raises(UnwritableMedia, match=r"b\.bmp\.xmp: colorcli did not write this file"):
        rewritten(tmp_path / "a.bmp", tmp_path / "b.bmp")
    assert (tmp_path / "b.bmp.xmp").read_bytes() == found
    assert not (tmp_path / "b.bmp").exists()


def test_a_sidecar_of_an_earlier_output_is_replaced(tmp_path):
    image().save(tmp_path / "a.png", pnginfo=_png_xmp(XMP))
    rewritten(tmp_path / "a.png", tmp_path / "b.bmp")
    assert b'shelf="17"' in (tmp_path / "b.bmp.xmp").read_bytes()
    image().save(tmp_path / "a.png")
    rewritten(tmp_path / "a.png", tmp_path / "b.bmp")
    assert b"shelf" not in (tmp_path / "b.bmp.xmp").read_bytes()


def test_a_picture_by_another_program_has_no_provenance(tmp_path):
    _with_everything(tmp_path / "a.jpg")
    (tmp_path / "empty.jpg").touch()
    assert read_provenance(tmp_path / "a.jpg") is None
    assert read_provenance(tmp_path / "empty.jpg") is None
    assert read_provenance(tmp_path / "missing.jpg") is None


def test_the_thumbnail_which_would_be_gray_is_dropped(tmp_path):
    thumbnail = io.BytesIO()
    image("L").save(thumbnail, "JPEG")
    first = struct.pack("<HHHII", 1, exif.ORIENTATION, 3, 1, 6) + struct.pack("<I", 26)
    fields = ((exif.THUMBNAIL_OFFSET, 56), (exif.THUMBNAIL_LENGTH, len(thumbnail.getvalue())))
    second = struct.pack("<H", 2) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    blob = b"II*\0\x08\0\0\0" + first + second + bytes(4) + thumbnail.getvalue()
    upright = exif.upright_exif(blob, 1, 1)
    assert len(upright) == 56
    parsed = Image.Exif()
    parsed.load(b"Exif\0\0" + upright)
    assert parsed[exif.ORIENTATION] == 1
    assert not parsed.get_ifd(1)


@pytest.mark.parametrize(
    "blob", [b"", b"garbage", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 40]
)
def test_broken_exif_does_not_stop_a_good_picture(tmp_path, blob):
    image().save(tmp_path / "a.jpg", exif=b"Exif\0\0" + blob, quality=95)
    assert distance(only_frame(rewritten(tmp_path / "a.jpg", tmp_path / "b.jpg")).pixels, color()) < 2


@pytest.mark.parametrize(("source", "lowest", "highest"), [(30, 92, 92), (95, 95, 95), (100, 98, 98)])
def test_a_jpeg_is_written_at_about_its_own_quality_but_never_a_poor_one(tmp_path, source, lowest, highest):
    image().save(tmp_path / "a.jpg", quality=source)
    rewritten(tmp_path / "a.jpg", tmp_path / "b.jpg")
    image().save(tmp_path / "low.jpg", quality=lowest)
    image().save(tmp_path / "high.jpg", quality=highest)
    tables = [Image.open(tmp_path / name).quantization[0] for name in ("low.jpg", "b.jpg", "high.jpg")]
    assert sum(tables[0]) >= sum(tables[1]) >= sum(tables[2])
    with Image.open(tmp_path / "b.jpg") as plain:
        assert {layer[1:3] for layer in plain.layer} == {(1, 1)}  # 4:4:4


# Damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp", ".gif", ".avif"])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_a_file_that_is_cut_off_is_an_error_and_never_half_a_picture(tmp_path, suffix, part):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"a{suffix}")
    whole = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(UnreadableMedia, match=f"a{suffix}"):
        list(open_picture(tmp_path / f"a{suffix}").frames())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><p>", "a web page"),
        (b"%PDF-1.7", "a PDF"),
        (b"\xff\x4f\xff\x51\0", "a JPEG 2000 picture"),
        (b"v/1\1", "an OpenEXR picture"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\4CgBIP\0 \2", "a PNG for iPhone apps"),
        (b"hello", "not a picture format"),
    ],
)
def test_a_file_that_is_not_a_picture_is_named_for_what_it_is(tmp_path, content, words):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableMedia, match=words):
        open_picture(tmp_path / "a.jpg")


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(UnreadableMedia, match=r"a\.jpg"):
        open_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".gif"])
def test_a_picture_larger_than_allowed_is_refused_before_it_is_decoded(tmp_path, suffix):
    image().save(tmp_path / f"a{suffix}")
    with pytest.raises(UnreadableMedia, match=r"64 x 48.*--max-pixels 3072"):
        open_picture(tmp_path / f"a{suffix}", max_pixels=3071)
    assert open_picture(tmp_path / f"a{suffix}", max_pixels=3072).size == (64, 48)


def test_heic_without_its_extra_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(UnreadableMedia) as caught:
        open_picture(tmp_path / "a.heic")
    assert 'pip install "colorcli[heic]"' in caught.value.hint


def test_libraries_say_nothing_on_their_own(tmp_path):
    image().save(tmp_path / "a.tif")
    whole = bytearray((tmp_path / "a.tif").read_bytes())
    whole[-40:] = b"\xff" * 40
    (tmp_path / "a.tif").write_bytes(whole)
    image().save(tmp_path / "b.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 40)
    script = (
        "import sys, pathlib\n"
        "from colorcli.media.pictures.files import open_picture\n"
        "from colorcli.errors import MediaError\n"
        "for name in sys.argv[1:]:\n"
        "    try: list(open_picture(pathlib.Path(name)).frames())\n"
        "    except MediaError: pass\n"
    )
    command = [sys.executable, "-c", script, tmp_path / "a.tif", tmp_path / "b.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


# Writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, interruption):
    image().save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"old")
    picture = open_picture(tmp_path / "a.jpg")

    def frames():
        yield from colored(picture)[:0]
        raise interruption

    with pytest.raises(interruption):
        write_picture(tmp_path / "b.jpg", frames(), picture, provenance=PROVENANCE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "b.jpg"]
    assert (tmp_path / "b.jpg").read_bytes() == b"old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    image().save(tmp_path / "a.jpg")
    real_open = Path.open

    def full(self, mode="r", *args, **kwargs):
        return (
            real_open(Path("/dev/full"), "wb", buffering=0) if "x" in mode else real_open(self, mode, *args, **kwargs)
        )

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(UnwritableMedia, match=r"b\.jpg: no space left"):
        rewritten(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_a_stream_is_read_and_written_like_a_file(tmp_path):
    image().save(tmp_path / "a.png")
    picture = open_picture(io.BytesIO((tmp_path / "a.png").read_bytes()))
    out = io.BytesIO()
    write_picture(out, colored(picture), picture, format="tiff", provenance=PROVENANCE)
    out.seek(0)
    assert np.array_equal(only_frame(open_picture(out)).pixels, color())
    assert xmp.provenance_in(out.getvalue()) == PROVENANCE


def test_many_threads_read_and_write_at_once(tmp_path):
    for index in range(12):
        image().rotate(30 * index).save(tmp_path / f"{index}.jpg", xmp=XMP)
    failures = []

    def work(index: int) -> None:
        try:
            for _ in range(5):
                rewritten(tmp_path / f"{index}.jpg", tmp_path / f"out-{index}.jpg")
            assert read_provenance(tmp_path / f"out-{index}.jpg") == PROVENANCE
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# The Python API ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transparent", [None, 0])
def test_a_png_of_one_bit_is_black_and_white(tmp_path, transparent):
    bits = np.random.default_rng(0).integers(0, 2, (13, 21)).astype(bool)
    Image.fromarray(bits).save(tmp_path / "a.png", **({} if transparent is None else {"transparency": transparent}))
    frame = only_frame(open_picture(tmp_path / "a.png"))
    assert np.array_equal(frame.pixels, bits * np.uint8(255))
    assert (frame.alpha is None) if transparent is None else np.array_equal(frame.alpha, bits * np.uint8(255))


@pytest.mark.parametrize("open_stream", [lambda path: path.open("rb", buffering=0), lambda path: path.open("rb")])
def test_a_stream_is_called_by_the_name_of_its_file(tmp_path, open_stream):
    (tmp_path / "a.jpg").touch()
    with open_stream(tmp_path / "a.jpg") as stream, pytest.raises(UnreadableMedia, match=r"a\.jpg: the file is empty"):
        open_picture(stream)


def test_a_stream_without_a_file_name_is_called_standard_input(tmp_path):
    (tmp_path / "a.jpg").touch()
    descriptor = os.open(tmp_path / "a.jpg", os.O_RDONLY)
    for stream in (os.fdopen(descriptor, "rb"), io.BytesIO()):
        with stream, pytest.raises(UnreadableMedia, match=r"^standard input: the file is empty"):
            open_picture(stream)
