"""Small files that ask for hours or gigabytes: each is read, or refused, within seconds."""

import io
import lzma
import struct
import time
import zlib

import imagecodecs
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from colorcli.errors import UnreadableMedia
from colorcli.media.pictures.containers import jpeg_segment, png_chunk
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.provenance import read_provenance

XMP = b"http://ns.adobe.com/xap/1.0/\0"
META = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:c="colorcli:ns:1.0/">'
END = b"</x:xmpmeta>"
NO_MORE_IFD = bytes(4)


def saved(format, mode="L", **options):  # noqa: A002
    file = io.BytesIO()
    Image.new(mode, (16, 16), 99).save(file, format, **options)
    return file.getvalue()


def heic(blob):
    heif = pytest.importorskip("pillow_heif")
    file, stream = heif.HeifFile(), io.BytesIO()
    file.add_frombytes("RGB", (16, 16), bytes([99] * 768))
    file.save(stream, exif=blob)
    return stream.getvalue()


def jpeg(*segments):
    whole = saved("JPEG")
    return whole[:2] + b"".join(segments) + whole[2:]


def png(*chunks):
    whole = saved("PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def webp(name, body):
    whole = saved("WebP", "RGB")
    chunk = name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(whole) - 8 + len(chunk)) + whole[8:] + chunk


def gif(blocks):
    whole = saved("GIF")
    return whole[:-1] + blocks + b";"


def directory(*entries, following=0):
    fields = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + fields + struct.pack("<I", following)


def tiff(*entries, data=b"", following=0):
    return b"II*\0\x08\0\0\0" + directory(*entries, following=following) + data


def exif(*entries, **how):
    return b"Exif\0\0" + tiff(*entries, **how)


def xmp_in_png(packet):
    return png(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))


def read(path, data):
    path.write_bytes(data)
    started = time.process_time()
    try:
        picture = open_picture(path)
        frame = next(picture.frames())
        return picture, frame
    finally:
        read_provenance(path)
        assert time.process_time() - started < 5


EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
LOOPS = {
    "a directory below itself": exif((EXIF_IFD, 4, 1, 8)),
    "a directory after itself": exif((274, 3, 1, 1), following=8),
    "two directories in a circle": exif((EXIF_IFD, 4, 1, 26), data=directory((INTEROP_IFD, 4, 1, 8))),
    "one directory from everywhere": exif(*[(EXIF_IFD, 4, 1, 8), (GPS_IFD, 4, 1, 8)] * 4000),
    "65,535 fields": exif(*[(274, 3, 1, 1)] * 5000) + bytes(100),
    "a count of four billion": exif((270, 2, 2**32 - 1, 8), (271, 2, 2**31, 8)),
    "offsets beyond the end": exif((EXIF_IFD, 4, 1, 2**32 - 1), (GPS_IFD, 4, 1, 2**31)),
}


@pytest.mark.parametrize("blob", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("where", ["JPEG", "PNG", "WebP", "AVIF", "HEIC"])
def test_exif_that_points_at_itself_is_read_once(tmp_path, where, blob):
    files = {
        "AVIF": lambda: saved("AVIF", "RGB", exif=blob),
        "HEIC": lambda: heic(blob),
        "JPEG": lambda: jpeg(jpeg_segment(0xE1, blob[:65_533])),
        "PNG": lambda: png(png_chunk(b"eXIf", blob[6:])),
        "WebP": lambda: webp(b"EXIF", blob[6:]),
    }
    picture, frame = read(tmp_path / "a", files[where]())
    assert frame.pixels.shape[:2] == (16, 16)
    assert picture.size == (16, 16)


CIRCLES = {
    "its EXIF is itself": (EXIF_IFD, 4, 1, 8),
    "its GPS is itself": (GPS_IFD, 4, 1, 8),
    "its first of its further directories is itself": (330, 4, 1, 8),
    "its EXIF is beyond the end": (EXIF_IFD, 4, 1, 2**32 - 1),
}


@pytest.mark.parametrize("entry", CIRCLES.values(), ids=CIRCLES)
def test_a_tiff_that_points_at_itself_is_read_once(tmp_path, entry):
    picture, frame = read(tmp_path / "a.tif", circle(entry))
    assert frame.pixels.shape == (16, 16)
    assert picture.count == 1


@pytest.mark.parametrize("entry", CIRCLES.values(), ids=CIRCLES)
def test_pages_in_a_circle_are_refused(tmp_path, entry):
    with pytest.raises(UnreadableMedia, match="more than 10,000 pages"):
        read(tmp_path / "a.tif", circle(entry, following=8))


def circle(entry, following=0):
    at = 8 + 2 + 12 * 9 + 4
    tags = ((256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, at),
            (277, 3, 1, 1), (279, 4, 1, 256), entry)  # fmt: skip
    return tiff(*tags, data=bytes(256), following=following)


PACKETS = {
    "30,000 prefixes": META[:-1] + b"".join(b' xmlns:p%d="u%d"' % (i, i) for i in range(30_000)) + b">" + END,
    "30,000 default namespaces": META + b"".join(b'<a xmlns="u%d"/>' % i for i in range(60_000)) + END,
    "100,000 elements in each other": META + b"<a>" * 100_000 + b"</a>" * 100_000 + END,
    "a million elements": META + b"<a/>" * 1_000_000 + END,
    "60,000 starts": b"<x:xmpmeta " * 60_000,
    "60,000 starts and an end": b"<x:xmpmeta " * 60_000 + b'xmlns:c="colorcli:ns:1.0/">' + END,
    "60,000 packets": (META + END) * 60_000,
    "entities in entities": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + META + b"&b;" + END,
    "a document type in EBCDIC": b"<?xml version='1.0' encoding='cp037'?>" + "<!DOCTYPE x []><x/>".encode("cp037"),
    "an attribute of ten megabytes": META[:-1] + b' a="' + b"a" * 10_000_000 + b'">' + END,
    "17 megabytes": META + b" " * (17 << 20) + END,
}


@pytest.mark.parametrize("packet", PACKETS.values(), ids=PACKETS)
@pytest.mark.parametrize("where", ["JPEG", "PNG", "WebP", "TIFF"])
def test_xmp_that_takes_forever_is_left_out(tmp_path, where, packet):
    tags = ((256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 0),
            (277, 3, 1, 1), (279, 4, 1, 1), (700, 1, len(packet), 8 + 2 + 12 * 9 + 4))  # fmt: skip
    files = {
        "JPEG": lambda: jpeg(*[jpeg_segment(0xE1, XMP + packet[at : at + 65_000]) for at in range(0, 10**6, 65_000)]),
        "PNG": lambda: xmp_in_png(packet),
        "WebP": lambda: webp(b"XMP ", packet),
        "TIFF": lambda: tiff(*tags, data=packet),
    }
    _, frame = read(tmp_path / "a", files[where]())
    assert frame.pixels.size


BOMB = zlib.compress(bytes((16 << 20) - 1), 9)
MANY = {
    "compressed texts": png(*[png_chunk(b"zTXt", b"k%d\0\0" % i + BOMB) for i in range(60)]),
    "compressed international texts": png(*[png_chunk(b"iTXt", b"k%d\0\1\0\0\0" % i + BOMB) for i in range(60)]),
    "a profile and texts": png(png_chunk(b"iCCP", b"p\0\0" + BOMB), *[png_chunk(b"zTXt", b"k\0\0" + BOMB)] * 60),
    "100,000 texts": png(png_chunk(b"tEXt", b"k\0v") * 100_000),
}


@pytest.mark.parametrize("data", MANY.values(), ids=MANY)
def test_texts_in_a_png_have_a_bound_together(tmp_path, data):
    picture, _ = read(tmp_path / "a.png", data)
    assert sum(map(len, picture.kept.text.values())) + len(picture.kept.profile) <= 16 << 20
    assert any("does not keep" in remark for remark in picture.remarks)


def pages(count):
    one = ((256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 0),
           (277, 3, 1, 1), (279, 4, 1, 1))  # fmt: skip
    size = len(directory(*one))
    ends = [8 + size * (index + 1) for index in range(count - 1)]
    return b"II*\0\x08\0\0\0" + b"".join(directory(*one, following=end) for end in [*ends, 0])


REFUSED = {
    "two million segments": (jpeg(b"\xff\xe1\0\2" * 2_000_000), "more than 10,000 segments"),
    "a million comments": (jpeg(b"\xff\xfe\0\2" * 1_000_000), "more than 10,000 segments"),
    "200,000 frames": (
        gif((b"\x21\xf9\x04\0\1\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0") * 200_000),
        "more than 50,000 frames",
    ),
    "a million comments in a GIF": (gif(b"\x21\xfe\1a\0" * 1_000_000), "too many extensions"),
    "30,000 pages": (pages(30_000), "more than 10,000 pages"),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_more_parts_than_any_picture_has_are_refused(tmp_path, data, reason):
    with pytest.raises(UnreadableMedia, match=reason):
        read(tmp_path / "a", data)


def strip(compression, data, samples=1, *more):
    bits = (258, 3, 1, 8) if samples == 1 else (258, 3, 3, 8 + 2 + 12 * (8 + len(more)) + 4)
    before = b"" if samples == 1 else struct.pack("<HHH", 8, 8, 8)
    at = 8 + 2 + 12 * (8 + len(more)) + 4 + len(before)
    tags = ((256, 4, 1, 16), (257, 4, 1, 16), bits, (259, 3, 1, compression), (262, 3, 1, 1 if samples == 1 else 2),
            (273, 4, 1, at), (277, 3, 1, samples), (279, 4, 1, len(data)), *more)  # fmt: skip
    return tiff(*tags, data=before + data)


def tile(width, height):
    data = zlib.compress(bytes(1000))
    tags = ((256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1),
            (322, 4, 1, width), (323, 4, 1, height), (324, 4, 1, 134), (325, 4, 1, len(data)))  # fmt: skip
    return tiff(*tags, data=data)


def immense_webp():
    """Claim the largest sides that WebP has."""
    coded = bytearray(imagecodecs.webp_encode(np.zeros((16, 16, 3), np.uint8), lossless=True))
    at = coded.index(b"VP8L") + 9
    (bits,) = struct.unpack_from("<I", coded, at)
    struct.pack_into("<I", coded, at, bits >> 28 << 28 | 16_382 << 14 | 16_382)
    return bytes(coded)


LARGE = {
    "an immense tile": tile(49_152, 49_152),
    "a long tile": tile(16, 1 << 28),
    "an immense JPEG in a strip": strip(
        7, simplejpeg.encode_jpeg(np.zeros((17_000, 17_000, 1), np.uint8), quality=5, colorspace="GRAY")
    ),
    "an immense JPEG 2000 in a strip": strip(
        33005, imagecodecs.jpeg2k_encode(np.zeros((64, 64), np.uint8)).replace(
            struct.pack(">II", 64, 64), struct.pack(">II", 60_000, 60_000)
        )
    ),
    "an immense WebP in a strip": strip(50001, immense_webp(), 3),
}  # fmt: skip


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
def test_tiles_and_their_own_headers_count_for_max_pixels(tmp_path, data):
    assert len(data) < 20_000_000
    with pytest.raises(UnreadableMedia, match="more than the limit of 250,000,000"):
        read(tmp_path / "a.tif", data)


UNFOLDING = {
    "deflate": strip(8, zlib.compress(bytes(1 << 26), 9)),
    "zstd": strip(50000, imagecodecs.zstd_encode(bytes(1 << 26))),
    "LZMA": strip(34925, lzma.compress(bytes(1 << 26), preset=0)),
    "PackBits": strip(32773, b"\x81\0" * 1_000_000),
}


@pytest.mark.parametrize("data", UNFOLDING.values(), ids=UNFOLDING)
def test_a_strip_decompresses_to_no_more_than_its_pixels(tmp_path, data):
    try:
        _, frame = read(tmp_path / "a.tif", data)
    except UnreadableMedia:
        return
    assert frame.pixels.shape == (16, 16)


def test_a_raw_files_list_of_directories_has_a_bound(tmp_path):
    count = 1 << 22
    with pytest.raises(UnreadableMedia):
        read(tmp_path / "a.tif", tiff((330, 4, count, 8 + 2 + 12 + 4), data=bytes(count * 4)))
