"""What no output can keep is named, and what it can keep is found in every place where it may be."""

from __future__ import annotations

import io
import struct
import time
import zlib

import pytest
import tifffile

from colorcli.media.pictures.files import open_picture
from tests.media.pictures.samples import gray, image

IPTC = b"\x1c\x02\x78\x00\x07caption"
KEYWORDS = b"\x1c\x02\x19\x00\x05words\0"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="box 7"/></rdf:RDF>'
    b"</x:xmpmeta>"
)
APP1_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def jpeg(*segments: tuple[int, bytes], after: bytes = b"") -> bytes:
    stream = io.BytesIO()
    image().save(stream, "JPEG")
    data = stream.getvalue()
    parts = (struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return data[:2] + b"".join(parts) + data[2:] + after


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    stream = io.BytesIO()
    image().save(stream, "PNG")
    data = stream.getvalue()
    parts = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    return data[:33] + b"".join(parts) + data[33:]


def webp(name: bytes) -> bytes:
    stream = io.BytesIO()
    image().save(stream, "WEBP", xmp=XMP)
    data = stream.getvalue() + name + struct.pack("<I", 4) + b"abcd"
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def gif(extension: bytes) -> bytes:
    stream = io.BytesIO()
    image().convert("P").save(stream, "GIF")
    return stream.getvalue()[:-1] + extension + b";"


def tiff(tag: int, value: bytes) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, gray(), metadata=None, extratags=[(tag, 7, len(value), value, True)])
    return stream.getvalue()


def resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HxxI", number, len(data)) + data + bytes(len(data) % 2)


def photoshop(*resources: bytes) -> tuple[int, bytes]:
    return 0xED, b"Photoshop 3.0\0" + b"".join(resources)


def exif(tag: int, kind: int, data: bytes) -> bytes:
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, tag, kind, len(data), 26) + bytes(4) + data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg((0xEB, b"JP\0\1\0\0\0\1jumb c2pa")), "content credentials"),
        (jpeg((0xE1, b"FLIR\0\1\0\0thermal")), "data of other programs (FLIR)"),
        (jpeg((0xE2, b"MPF\0II*\0")), "the further pictures in the file"),
        (jpeg(after=b"a video of a motion photo" * 9), "the data that follow the picture"),
        (jpeg(photoshop(resource(0x07D0, b"p" * 26))), "paths of Photoshop"),
        (jpeg(photoshop(resource(0x040A, b"\1"))), "the copyright flag of Photoshop"),
        (png((b"caBX", b"jumb c2pa")), "content credentials"),
        (png((b"sCAL", b"\1" + b"0.1\0000.1"), (b"prVt", b"x")), "data of other programs (sCAL, prVt)"),
        (webp(b"C2PA"), "content credentials"),
        (webp(b"PRVT"), "data of other programs (PRVT)"),
        (gif(b"\x21\x01\x0c" + bytes(12) + b"\5hello\0"), "text that GIF viewers would draw"),
        (gif(b"\x21\xff\x0bMAGICKfoo10\4abcd\0"), "data of other programs (MAGICKfo)"),
        (tiff(33922, bytes(48)), "map coordinates"),
        (tiff(37724, b"Adobe Photoshop Document Data Block\0"), "layers of Photoshop"),
        (tiff(65432, b"x" * 20), "data of other programs (tag 65432)"),
    ],
)
def test_what_no_output_can_keep_is_named(data, words):
    assert words in open_picture(io.BytesIO(data)).remarks[0]


@pytest.mark.parametrize(
    "data",
    [
        jpeg(),
        jpeg((0xE0, b"JFXX\0\x10"), (0xEC, b"Ducky\0\1\0\4"), photoshop(resource(0x0425, b"d" * 16))),
        jpeg(photoshop(resource(0x040A, b"\0"), resource(0x040B, b""))),
        jpeg(after=bytes(5000)),
        png((b"tIME", b"\x07\xe0\1\1\0\0\0"), (b"bKGD", bytes(6))),
        webp(b"XMP "),
        gif(b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0"),
    ],
)
def test_tags_about_the_coding_alone_are_not_a_loss(data):
    assert not [remark for remark in open_picture(io.BytesIO(data)).remarks if "not keep" in remark]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (jpeg(photoshop(resource(0x0404, IPTC)), photoshop(resource(0x0404, KEYWORDS))), IPTC + KEYWORDS),
        (jpeg(photoshop(resource(0x0404, IPTC)), photoshop(resource(0x0404, IPTC))), IPTC),
        (jpeg((0xED, IPTC)), IPTC),
        (jpeg((0xE1, b"Exif\0\0" + exif(33723, 7, IPTC))), IPTC),
    ],
)
def test_iptc_is_found_in_every_place(data, wanted):
    assert open_picture(io.BytesIO(data)).kept.iptc.rstrip(b"\0") == wanted.rstrip(b"\0")


@pytest.mark.parametrize(
    "data",
    [
        jpeg((0xE1, b"Exif\0\0" + exif(700, 1, XMP))),
        jpeg((0xE1, APP1_XMP + XMP.replace(b"box 7", b"first")), (0xE1, APP1_XMP + XMP)),
    ],
)
def test_xmp_is_found_in_every_place(data):
    assert b"box 7" in open_picture(io.BytesIO(data)).kept.xmp


def test_an_empty_exif_segment_does_not_hide_the_next():
    data = jpeg((0xE1, b"Exif\0\0"), (0xE1, b"Exif\0\0" + exif(315, 2, b"Grandma!\0")))
    assert b"Grandma!" in open_picture(io.BytesIO(data)).kept.exif


def test_texts_of_one_keyword_are_all_kept():
    data = png((b"tEXt", b"Comment\0one"), (b"tEXt", b"Comment\0two"), (b"tEXt", b"Comment\0one"))
    assert open_picture(io.BytesIO(data)).kept.text == {"Comment": "one\ntwo"}


def test_a_gif_may_have_a_color_profile():
    import imagecodecs

    profile = bytes(imagecodecs.cms_profile("adobergb"))
    parts = (profile[at : at + 255] for at in range(0, len(profile), 255))
    data = gif(b"\x21\xff\x0bICCRGBG1012" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0")
    assert open_picture(io.BytesIO(data)).kept.profile == profile


def test_a_picture_in_color_ends_where_its_mark_says():
    from colorcli.media.pictures.containers import jpeg_end

    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 1}):
        stream = io.BytesIO()
        image().save(stream, "JPEG", **options)
        assert jpeg_end(stream.getvalue() + b"more") == len(stream.getvalue())


@pytest.mark.parametrize("body", [b"\xff\x00", b"\xff", b"\xff\xe0\0\2", b"\xff\xda\0\0"])
def test_the_end_of_a_hostile_jpeg_is_looked_for_within_seconds(body):

    from colorcli.media.pictures.containers import jpeg_end

    data = jpeg()[:-2] + body * (20_000_000 // len(body))
    started = time.process_time()
    assert jpeg_end(data) <= len(data)
    assert time.process_time() - started < 5
