"""Metadata is read from every place where a format may carry it, and what is lost is named."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from colorcli.media.pictures import exif, iptc, xmp
from colorcli.media.pictures.containers import jpeg_segment, png_chunk
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.provenance import read_provenance
from colorcli.media.pictures.write import write_picture
from tests.media.pictures.samples import PROVENANCE, colored, gray, image, only_frame

if TYPE_CHECKING:
    from pathlib import Path

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
RECORDS = b"\x1c\x02\x78\x00\x09mycaption\x1c\x02\x19\x00\x02kw"
XMP_HEAD, EXTENSION_HEAD = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"


def packet(source: str = "mysource", attributes: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}><rdf:Description rdf:about="" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="{source}" {attributes}/></rdf:RDF></x:xmpmeta>'
    ).encode()


def exif_blob(text: bytes = b"Grandmother") -> bytes:
    return exif.pack(exif.Description({270: exif.Field(2, len(text) + 1, text + b"\0")}, {}, {}))


def jpeg(*segments: bytes) -> bytes:
    stream = io.BytesIO()
    image("L").save(stream, "JPEG", quality=95)
    return stream.getvalue()[:2] + b"".join(segments) + stream.getvalue()[2:]


def png(*chunks: bytes, after: bytes = b"") -> bytes:
    coded = bytes(imagecodecs.png_encode(gray()))
    end = coded.rindex(b"IEND") - 4
    return coded[:33] + b"".join(chunks) + coded[33:end] + after + coded[end:]


def output(data: bytes, target: Path, format: str | None = None) -> tuple[bytes, str]:  # noqa: A002
    """Write the picture of a file; return the bytes of the output and all remarks."""
    picture = open_picture(io.BytesIO(data))
    lost = write_picture(target, colored(picture), picture, format=format, provenance=PROVENANCE)
    assert read_provenance(target) == PROVENANCE
    assert np.abs(only_frame(open_picture(target)).pixels.astype(int)).max() > 0
    return target.read_bytes(), " ".join((*picture.remarks, *lost))


# JPEG


def test_iptc_is_found_in_any_app13_and_across_two(tmp_path):
    block = iptc.photoshop_of_iptc(RECORDS)
    head = iptc.PHOTOSHOP_HEADER
    other = b"8BIM" + struct.pack(">HxxI", 0x0425, 16) + bytes(16)
    for segments in (
        [jpeg_segment(0xED, b"Adobe_CM\0\1"), jpeg_segment(0xED, head + block)],
        [jpeg_segment(0xED, head + block[:20]), jpeg_segment(0xED, head + block[20:])],
        [jpeg_segment(0xED, head + other + block)],
        [jpeg_segment(0xED, head + other), jpeg_segment(0xFE, b"between"), jpeg_segment(0xED, head + block)],
    ):
        data, lost = output(jpeg(*segments), tmp_path / "a.jpg")
        assert RECORDS in data
        assert lost == ""


def extended(rest: bytes, parts: int, missing: int | None = None) -> bytes:
    digest = hashlib.md5(rest).hexdigest().upper()
    note = f'xmlns:N="http://ns.adobe.com/xmp/note/" N:HasExtendedXMP="{digest}"'
    step = -(-len(rest) // parts)
    segments = [jpeg_segment(0xE1, XMP_HEAD + packet("short", note))]
    for at in range(0, len(rest), step):
        head = EXTENSION_HEAD + digest.encode() + struct.pack(">II", len(rest), at)
        segments.append(jpeg_segment(0xE1, head + rest[at : at + step]))
    if missing is not None:
        del segments[1 + missing]
    return jpeg(*segments[:1], *reversed(segments[1:]))


@pytest.mark.parametrize(("length", "parts"), [(900, 1), (900, 3), (150_000, 3)])
def test_extended_xmp_is_read_in_any_order_and_written(tmp_path, length, parts):
    data, lost = output(extended(packet("mysource" + "s" * length), parts), tmp_path / "a.jpg")
    assert b"mysource" in data
    assert b"short" in data
    assert lost == ""
    assert ("mysource" + "s" * length).encode() in open_picture(tmp_path / "a.jpg").kept.xmp


def test_extended_xmp_with_a_missing_part_is_named(tmp_path):
    data, lost = output(extended(packet("mysource" + "s" * 900), 3, missing=1), tmp_path / "a.jpg")
    assert "second part of its XMP" in lost
    assert b"HasExtendedXMP" not in data


@pytest.mark.parametrize("length", [60_000, 64_600, 65_400, 200_000])
def test_xmp_of_any_length_fits_into_a_jpeg(tmp_path, length):
    text = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet("mysource" + "s" * length))
    data, lost = output(png(text), tmp_path / "a.jpg")
    assert b"mysource" in data
    assert lost == ""
    assert ("s" * length).encode() in open_picture(tmp_path / "a.jpg").kept.xmp


def test_all_comments_are_kept(tmp_path):
    data, _ = output(
        jpeg(jpeg_segment(0xFE, b"one"), jpeg_segment(0xFE, "zwei Ä".encode("latin-1"))), tmp_path / "a.jpg"
    )
    assert jpeg_segment(0xFE, b"one") in data
    assert jpeg_segment(0xFE, "zwei Ä".encode("latin-1")) in data


def test_long_exif_is_continued_and_named_where_it_does_not_fit(tmp_path):
    blob = exif_blob(b"x" * 80_000)
    source = jpeg(jpeg_segment(0xE1, b"Exif\0\0" + blob[:65_500]), jpeg_segment(0xE1, b"Exif\0\0" + blob[65_500:]))
    data, lost = output(source, tmp_path / "a.png")
    assert b"x" * 80_000 in data
    assert lost == ""
    data, lost = output(source, tmp_path / "a.jpg")
    assert "EXIF data of 80," in lost


def test_further_pictures_and_motion_photos_are_named(tmp_path):
    motion = 'xmlns:G="http://ns.google.com/photos/1.0/camera/" G:MotionPhoto="1"'
    source = jpeg(
        jpeg_segment(0xE1, XMP_HEAD + packet("mysource", motion)), jpeg_segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0")
    )
    data, lost = output(source, tmp_path / "a.jpg")
    assert "motion photo" in lost
    assert "further pictures" in lost
    assert b"MotionPhoto" not in data
    assert b"mysource" in data


# PNG


def raw_profile(name: str, body: bytes, *, compressed: bool = True) -> bytes:
    text = f"\n{name}\n{len(body):8d}\n".encode() + b"\n".join(
        body.hex().encode()[at : at + 72] for at in range(0, 2 * len(body), 72)
    )
    keyword = f"Raw profile type {name}".encode()
    if compressed:
        return png_chunk(b"zTXt", keyword + b"\0\0" + zlib.compress(text))
    return png_chunk(b"tEXt", keyword + b"\0" + text)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    ("name", "body", "wanted"),
    [
        ("exif", b"Exif\0\0" + exif_blob(), b"Grandmother"),
        ("exif", exif_blob(), b"Grandmother"),
        ("APP1", b"Exif\0\0" + exif_blob(), b"Grandmother"),
        ("APP1", XMP_HEAD + packet(), b"mysource"),
        ("xmp", packet(), b"mysource"),
        ("iptc", iptc.photoshop_of_iptc(RECORDS), b"mycaption"),
        ("iptc", RECORDS, b"mycaption"),
        ("8bim", iptc.photoshop_of_iptc(RECORDS), b"mycaption"),
    ],
)
def test_profiles_in_texts_of_a_png_are_read(tmp_path, name, body, wanted, compressed):
    data, lost = output(png(raw_profile(name, body, compressed=compressed)), tmp_path / "a.jpg")
    assert wanted in data
    assert lost == ""


@pytest.mark.parametrize(
    ("chunk", "wanted"),
    [
        (png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet()), b"mysource"),
        (png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet())), b"mysource"),
        (png_chunk(b"eXIf", exif_blob()), b"Grandmother"),
        (png_chunk(b"tEXt", b"Title\0Backyard"), b"Backyard"),
    ],
)
def test_metadata_after_the_pixels_of_a_png_is_read(tmp_path, chunk, wanted):
    data, lost = output(png(after=chunk), tmp_path / "a.jpg")
    assert wanted in data
    assert lost == ""


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(b"x" * 2_000_000)),
        png_chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 2_000_000)),
        png_chunk(b"tEXt", b"parameters\0" + b"x" * 2_000_000),
    ],
)
def test_long_texts_of_a_png_are_kept(tmp_path, chunk):
    output(png(chunk), tmp_path / "a.png")
    assert open_picture(tmp_path / "a.png").kept.text["parameters"] == "x" * 2_000_000


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"tEXt", b"Title\0hello")[:-1] + b"\0",
        png_chunk(b"zTXt", b"Title\0\0" + b"not zlib"),
        png_chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(40_000_000))),
        png_chunk(b"iCCP", b"scanner\0\0" + zlib.compress(bytes(40_000_000))),
        png_chunk(b"iTXt", b"Title\0\1"),
    ],
    ids=["checksum", "garbage", "bomb", "profile bomb", "cut off"],
)
def test_a_damaged_text_of_a_good_png_is_left_out_and_named(tmp_path, chunk):
    _, lost = output(png(chunk), tmp_path / "a.png")
    assert "damaged or longer than" in lost


def test_a_long_profile_of_a_png_does_not_stop_a_picture(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, 1_300_000, np.uint8).tobytes()
    output(png(png_chunk(b"iCCP", b"scanner\0\0" + zlib.compress(noise))), tmp_path / "a.png")


# Where it goes


def test_texts_and_comments_go_into_every_format_that_has_a_place(tmp_path):
    titled = png(png_chunk(b"tEXt", b"Title\0Backyard"), png_chunk(b"tEXt", b"Comment\0box 7"))
    data, lost = output(titled, tmp_path / "a.jpg")
    assert jpeg_segment(0xFE, b"Title: Backyard") in data
    assert jpeg_segment(0xFE, b"box 7") in data
    assert lost == ""
    data, lost = output(titled, tmp_path / "a.tif")
    assert b"Backyard" in data
    assert lost == ""
    output(jpeg(jpeg_segment(0xFE, b"box 7")), tmp_path / "a.png")
    assert open_picture(tmp_path / "a.png").kept.text == {"Comment": "box 7"}


@pytest.mark.parametrize("target", ["a.webp", "a.avif"])
def test_what_a_format_has_no_place_for_is_named(tmp_path, target):
    source = png(png_chunk(b"tEXt", b"Title\0Backyard"), png_chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1)))
    _, lost = output(source, tmp_path / target)
    assert "texts (Title)" in lost
    assert "300 dpi" in lost


def test_iptc_and_exif_without_a_place_are_named(tmp_path):
    source = jpeg(
        jpeg_segment(0xE1, b"Exif\0\0" + exif_blob()),
        jpeg_segment(0xED, iptc.PHOTOSHOP_HEADER + iptc.photoshop_of_iptc(RECORDS)),
    )
    _, lost = output(source, tmp_path / "a.gif")
    assert "IPTC records" in lost
    assert "EXIF data" in lost


def test_the_orientation_is_read_from_xmp_if_exif_has_none():
    turned = jpeg(
        jpeg_segment(0xE1, XMP_HEAD + packet("a", 'xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="6"'))
    )
    assert open_picture(io.BytesIO(turned)).size == (48, 64)
    assert xmp.orientation_in(packet()) == 0


def test_a_gif_has_its_comments_and_its_xmp(tmp_path):
    image().save(tmp_path / "a.gif", comment=b"box 7")
    data, _ = output((tmp_path / "a.gif").read_bytes(), tmp_path / "b.gif")
    again = open_picture(tmp_path / "b.gif").kept
    assert again.comments == (b"box 7",)
    assert xmp.provenance_in(again.xmp) == PROVENANCE
    with Image.open(io.BytesIO(data)) as plain:
        assert plain.info["comment"] == b"box 7"
