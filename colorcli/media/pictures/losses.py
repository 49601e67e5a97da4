"""What a file carries and no output can, in words: data of other programs, and what follows the picture."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from colorcli.media.pictures import containers, exif, iptc

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREDENTIALS = "its content credentials (C2PA)"
_TRAILER = 64  # bytes behind a picture, which some writers leave
_NAMED = 4  # programs in one note
_FIRST_BOXES = 200  # bytes, before which pixels come before what describes them
_BOXES = 1 << 20  # bytes in which the boxes before the pixels are looked for

# Segments of a JPEG that are kept, or that describe the coding or the thumbnail of the old picture.
_JPEG_KNOWN = (
    b"JFIF\0", b"JFXX\0", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0",
    b"ICC_PROFILE\0", b"Photoshop 3.0\0", b"Adobe", b"Ducky", b"\x1c\x02",
)  # fmt: skip
_PNG_KNOWN = {
    *(b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"tIME", b"pHYs"),
    *(b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"hIST", b"sPLT", b"iDOT"),
    *(b"acTL", b"fcTL", b"fdAT"),
}
_WEBP_KNOWN = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "}
_GIF_KNOWN = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"XMP DataXMP", b"ICCRGBG1012")
# What the boxes of AVIF and HEIC contain where there is more than a picture and its transparency.
_HEIF_MARKS = {
    b"hdrgainmap": "its gain map for HDR displays",
    b"tmap": "its gain map for HDR displays",
    b"hevc:2015:auxid:2": "its depth map",
    b"auxiliary:depth": "its depth map",
    b"\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81": _CREDENTIALS,
    b"jumb": _CREDENTIALS,
}
# Photoshop resources that users create: the copyright flag, a link, and paths.
_PHOTOSHOP_RESOURCES = {0x040A: "the copyright flag of Photoshop", 0x040B: "a link of Photoshop"}
_PATHS = range(0x07D0, 0x0BB7)
# Fields of TIFF that say how pixels are stored, or are read elsewhere.
_TIFF_KNOWN = {
    *range(254, 260), 262, 263, 264, 265, 266, 273, *range(277, 285), 286, 287, 288, 289, 290, 291, 292, 293, 296,
    301, 317, 318, 319, 320, 321, *range(322, 326), 326, 327, 328, 330, 332, 334, 336, 338, 339, 340, 341, 347,
    *range(512, 522), 529, 530, 531, 532, 700, 33723, 34377, 34675, 36864, 40961, 50341,
} | exif.DESCRIPTIVE_TAGS | {exif.EXIF_IFD, exif.GPS_IFD, exif.INTEROP_IFD}  # fmt: skip
_TIFF_NAMES = {
    33550: "map coordinates",
    33922: "map coordinates",
    34264: "map coordinates",
    34735: "map coordinates",
    34736: "map coordinates",
    34737: "map coordinates",
    37724: "layers of Photoshop",
    42112: "data of GDAL",
    42113: "data of GDAL",
    50838: "data of ImageJ",
    50839: "data of ImageJ",
}


def of_jpeg(data: bytes, segments: Iterable[tuple[int, bytes]]) -> list[str]:
    """Name what the segments of a JPEG and the bytes behind it contain besides what is kept."""
    lost, programs = [], []
    for marker, body in segments:
        if body.startswith(iptc.PHOTOSHOP_HEADER):
            lost += of_photoshop(body)
        if marker not in range(0xE0, 0xF0) or body.startswith(_JPEG_KNOWN) or not body.strip(b"\0"):
            continue
        if marker == 0xEB and body.startswith(b"JP") and b"c2pa" in body:
            lost.append(_CREDENTIALS)
        elif marker == 0xE2 and body.startswith(b"MPF"):
            lost.append("the further pictures in the file")
        else:
            programs.append(_printable(body) or f"APP{marker - 0xE0}")
    if len(data[containers.jpeg_end(data) :].strip(b"\0\xff\n\r ")) > _TRAILER:
        lost.append("the data that follow the picture in the file")
    return lost + _of_programs(programs)


def of_png(chunks: Iterable[containers.PngChunk]) -> list[str]:
    """Name the chunks of a PNG that no output has."""
    names = [chunk.name for chunk in chunks if chunk.name[:1].islower() and chunk.name not in _PNG_KNOWN]
    lost = [_CREDENTIALS] if b"caBX" in names else []
    return lost + _of_programs(_printable(name) for name in names if name != b"caBX")


def of_webp(chunks: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """Name the chunks of a WebP that no output has."""
    names = [name for name, _ in chunks if name not in _WEBP_KNOWN]
    lost = [_CREDENTIALS] if b"C2PA" in names else []
    return lost + _of_programs(_printable(name) for name in names if name != b"C2PA")


def of_gif(extensions: Iterable[tuple[int, bytes]]) -> list[str]:
    """Name the extensions of a GIF that no output has."""
    lost, programs = [], []
    for label, body in extensions:
        if label == 0x01:
            lost.append("text that GIF viewers would draw")
        elif label == 0xFF and body.startswith(b"C2PA_GIF"):
            lost.append(_CREDENTIALS)
        elif label == 0xFF and not body.startswith(_GIF_KNOWN):
            programs.append(_printable(body[:8]))
    return lost + _of_programs(programs)


def of_heif(data: bytes) -> list[str]:
    """Name the auxiliary pictures of an AVIF or HEIC."""
    pixels = data.find(b"mdat", 0, _BOXES)
    head = data[: pixels if pixels > _FIRST_BOXES else _BOXES]
    return [words for mark, words in _HEIF_MARKS.items() if mark in head]


def of_tiff(tags: Iterable[int], photoshop: bytes) -> list[str]:
    """Name the fields of a TIFF's first page that no output has."""
    unknown = [tag for tag in sorted(tags) if tag not in _TIFF_KNOWN]
    lost = [_TIFF_NAMES[tag] for tag in unknown if tag in _TIFF_NAMES]
    programs = (f"tag {tag}" for tag in unknown if tag not in _TIFF_NAMES)
    return lost + of_photoshop(photoshop) + _of_programs(programs)


def of_photoshop(resources: bytes) -> list[str]:
    """Name the Photoshop resources that users create and no output has."""
    # Photoshop writes a copyright flag and a link into every file: 0 and an empty one unless the user sets them.
    numbers = [number for number, data in iptc.photoshop_resources(resources) if data.strip(b"\0")]
    lost = [_PHOTOSHOP_RESOURCES[number] for number in numbers if number in _PHOTOSHOP_RESOURCES]
    return lost + (["paths of Photoshop"] if any(number in _PATHS for number in numbers) else [])


def _of_programs(names: Iterable[str]) -> list[str]:
    different = list(dict.fromkeys(name for name in names if name))
    if not different:
        return []
    more = f" and {len(different) - _NAMED} more" if len(different) > _NAMED else ""
    return [f"data of other programs ({', '.join(different[:_NAMED])}{more})"]


def _printable(name: bytes) -> str:
    """Return the word that data begins with."""
    letters = itertools.takewhile(lambda byte: 0x20 < byte < 0x7F, name[:32])
    return bytes(letters).decode("ascii")
