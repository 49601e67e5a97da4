"""The picture formats that can be read and written, and what each can hold. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """The name of a file format and what it can hold.

    Attributes:
        name: common name of the format.
        suffixes: suffixes of its files, the usual one first.
        holds_many: whether a file may have several frames or pages.
        holds_sizes: whether pages may have different sizes.
        holds_xmp: whether it holds XMP, and with it the provenance.
        holds_alpha: whether it holds transparency.
        longest_side: the most pixels that a side may have.
        bits: the most bits per channel.
        metadata: other kinds of it: "exif", "iptc", "text", "comments", "resolution"; of animations "durations" of
            frames and "loops".
    """

    name: str
    suffixes: tuple[str, ...]
    holds_many: bool = False
    holds_sizes: bool = False
    holds_xmp: bool = True
    holds_alpha: bool = True
    longest_side: int = 2**31 - 1
    bits: int = 8
    metadata: frozenset[str] = frozenset({"exif"})

    @property
    def suffix(self) -> str:
        """The suffix of new files."""
        return self.suffixes[0]


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format(
            "JPEG",
            (".jpg", ".jpeg", ".jpe", ".jfif"),
            holds_alpha=False,
            longest_side=65_500,  # in libjpeg; the format itself stops at 65,535
            metadata=frozenset({"exif", "iptc", "comments", "resolution"}),
        ),
        Format(
            "PNG",
            (".png", ".apng"),
            holds_many=True,
            bits=16,
            metadata=frozenset({"exif", "iptc", "text", "resolution", "durations", "loops"}),
        ),
        Format(
            "TIFF",
            (".tif", ".tiff"),
            holds_many=True,
            holds_sizes=True,
            bits=16,
            metadata=frozenset({"exif", "iptc", "comments", "resolution"}),
        ),
        Format(
            "WebP",
            (".webp",),
            holds_many=True,
            longest_side=16_383,
            metadata=frozenset({"exif", "durations", "loops"}),
        ),
        Format("BMP", (".bmp", ".dib"), holds_xmp=False, metadata=frozenset({"resolution"})),
        Format(
            "GIF",
            (".gif",),
            holds_many=True,
            longest_side=65_535,
            metadata=frozenset({"comments", "durations", "loops"}),
        ),
        Format(
            "AVIF",
            (".avif", ".avifs"),
            holds_many=True,
            longest_side=65_536,
            bits=12,
            metadata=frozenset({"exif", "durations"}),
        ),
        Format("HEIC", (".heic", ".heif", ".hif"), holds_many=True, holds_sizes=True, longest_side=16_384, bits=12),
    )
}

BY_SUFFIX: dict[str, Format] = {suffix: each for each in FORMATS.values() for suffix in each.suffixes}


def named(name: str) -> Format | None:
    """Find the format that people mean by "jpg", ".JPEG" or "Tiff"; None for any other word."""
    wanted = name.lower().removeprefix(".")
    by_name = next((each for each in FORMATS.values() if each.name.lower() == wanted), None)
    return by_name or BY_SUFFIX.get(f".{wanted}")


def sniff(head: bytes) -> tuple[Format | None, str]:
    """Recognize a file by its first bytes: its format, and a phrase for people such as "a PNG picture".

    If the format is None, the phrase says what the file seems to be instead.
    """
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return FORMATS["WebP"], "a WebP picture"
    if head[4:8] == b"ftyp":
        return _sniff_isobmff(head)
    if head.startswith(_RAW) or (head[:4] in {b"II*\0", b"MM\0*"} and head[8:12].startswith(_RAW_AFTER_HEAD)):
        return None, "a raw camera file"
    for magic, name in _PICTURES.items():
        if head.startswith(magic):
            return FORMATS[name], f"a {name} picture"
    for magic, words in _OTHERS.items():
        if head.lstrip().lower().startswith(magic):
            return None, words
    return None, "nothing" if not head else "not a picture format that can be read"


def _sniff_isobmff(head: bytes) -> tuple[Format | None, str]:
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(len(head), int.from_bytes(head[:4], "big")), 4))}
    if brands & {b"avif", b"avis"}:
        return FORMATS["AVIF"], "an AVIF picture"
    if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
        return FORMATS["HEIC"], "a HEIC picture"
    if b"crx " in brands:
        return None, "a raw camera file"
    if brands & {b"jpx ", b"jp2 "}:
        return None, "a JPEG 2000 picture"
    return None, "a film"


_PICTURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
}
# Raw files of Fujifilm, Olympus, Panasonic, Sigma, Minolta and old Canon; others are TIFFs, recognized by their
# fields.
_RAW = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR")
_RAW_AFTER_HEAD = (b"CR", b"IIII", b"MMMM")  # raw files of Canon and Phase One
_OTHERS = {
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<?xml": "an XML or SVG document",
    b"<svg": "an SVG drawing",
    b"%pdf": "a PDF document",
    b"8bps": "a Photoshop document",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cjxl ": "a JPEG XL picture",
    b"\0\0\0\x0cjp  ": "a JPEG 2000 picture",
    b"\xff\x6f\xff\x71": "a JPEG 2000 picture",
    b"ii\xbc\x01": "a JPEG XR picture",
    b"v/1\x01": "an OpenEXR picture",
    b"sdpx": "a DPX picture",
    b"xpds": "a DPX picture",
    b"#?radiance": "a Radiance picture",
    b"simple  =": "a FITS picture",
    b"%!ps": "a PostScript document",
    b"\0\0\x01\0": "an icon",
    b"pk\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x1a\x45\xdf\xa3": "a film",
    b"p1": "a PNM picture",
    b"p4": "a PNM picture",
    b"p5": "a PNM picture",
    b"p6": "a PNM picture",
}
