"""What must survive beside the pixels: EXIF, IPTC, XMP, resolution; and where the colors came from."""

from __future__ import annotations

import contextlib
import re
import struct
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator


@dataclass(frozen=True)
class Provenance:
    """What made the colors of an output.

    Attributes:
        model: the colorizer's name.
        tag: the tag of its weights, or the name of a weights file.
        version: the version of colorcli.
        settings: a digest of everything that decides the result.
    """

    model: str
    tag: str
    version: str
    settings: str


@dataclass(frozen=True)
class Metadata:
    r"""What a file carries beside pixels, in a form that every format can be given.

    Attributes:
        exif: a TIFF structure, as after `Exif\0\0` in a JPEG; empty for none.
        iptc: IPTC-IIM records; empty for none.
        xmp: an XMP packet; empty for none.
        dpi: horizontal and vertical pixels per inch.
        text: the text chunks of a PNG.
        comment: the comment of a JPEG or GIF.
        loop: how often an animation repeats, 0 for ever, None if it plays once and says nothing.
    """

    exif: bytes = b""
    iptc: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict)
    comment: bytes = b""
    loop: int | None = None


# EXIF ------------------------------------------------------------------------------------------------------------

ORIENTATION, EXIF_IFD, INTEROP_IFD = 0x0112, 0x8769, 0xA005
COLOR_SPACE, WIDTH, HEIGHT, INTEROP_INDEX = 0xA001, 0xA002, 0xA003, 0x0001
THUMBNAIL_OFFSET, THUMBNAIL_LENGTH = 0x0201, 0x0202
# ImageDescription, Make, Model, Orientation, Software, DateTime, Artist, HostComputer, Rating, Copyright, and the
# Windows titles: the tags of a TIFF directory that describe the picture, where the rest describe the file.
DESCRIPTIVE_TAGS = {270, 271, 272, 274, 305, 306, 315, 316, 18246, 18249, 33432, *range(40091, 40096)}


def upright_exif(exif: bytes, width: int, height: int) -> bytes:
    """Return EXIF for an upright sRGB picture of this size, without its (gray) thumbnail.

    Fields are changed where they lie, so that makers' notes, which hold offsets, stay valid. Broken EXIF gives b"".
    """
    try:
        return _Tiff(exif).upright(width, height)
    except (struct.error, IndexError, ValueError):
        return b""


class _Tiff:
    """A TIFF structure in memory, patched field by field."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data.removeprefix(b"Exif\0\0"))
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(self.data[:2]), "")
        if not self.order:
            raise ValueError("no TIFF structure")

    def upright(self, width: int, height: int) -> bytes:
        first = self._number("I", 4)
        self._drop_thumbnail(first)
        for tag, at in self._fields(first):
            if tag == ORIENTATION:
                self._set(at, 1)
            elif tag == EXIF_IFD:
                self._describe_pixels(self._number("I", at + 8), width, height)
        return bytes(self.data)

    def _describe_pixels(self, directory: int, width: int, height: int) -> None:
        new = {COLOR_SPACE: 1, WIDTH: width, HEIGHT: height}
        for tag, at in self._fields(directory):
            if tag in new:
                self._set(at, new[tag])
            elif tag == INTEROP_IFD:
                for inner, where in self._fields(self._number("I", at + 8)):
                    if inner == INTEROP_INDEX and self.data[where + 8 : where + 11] == b"R03":
                        self.data[where + 8 : where + 11] = b"R98"

    def _drop_thumbnail(self, first: int) -> None:
        link = first + 2 + 12 * self._number("H", first)
        second = self._number("I", link)
        if not second:
            return
        with contextlib.suppress(struct.error, IndexError):
            fields = {tag: self._value(at) for tag, at in self._fields(second)}
            start, length = fields.get(THUMBNAIL_OFFSET, 0), fields.get(THUMBNAIL_LENGTH, 0)
            if start and start + length <= len(self.data):
                if start + length == len(self.data):
                    del self.data[start:]
                else:
                    self.data[start : start + length] = bytes(length)
        struct.pack_into(f"{self.order}I", self.data, link, 0)

    def _fields(self, directory: int) -> Iterator[tuple[int, int]]:
        """Yield each field's tag and where its 12 bytes begin."""
        for index in range(self._number("H", directory)):
            at = directory + 2 + 12 * index
            yield self._number("H", at), at

    def _value(self, at: int) -> int:
        short = self._number("H", at + 2) == 3
        return self._number("H" if short else "I", at + 8)

    def _set(self, at: int, value: int) -> None:
        short = self._number("H", at + 2) == 3
        self.data[at + 8 : at + 12] = bytes(4)
        struct.pack_into(self.order + ("H" if short else "I"), self.data, at + 8, value)

    def _number(self, kind: str, at: int) -> int:
        number: int = struct.unpack_from(self.order + kind, self.data, at)[0]
        return number


# IPTC ------------------------------------------------------------------------------------------------------------

PHOTOSHOP_HEADER = b"Photoshop 3.0\0"
IPTC_RESOURCE = 0x0404


def iptc_in_photoshop(resources: bytes) -> bytes:
    """Return the IPTC records in a block of Photoshop resources, b"" where there are none."""
    at = resources.find(b"8BIM" + struct.pack(">H", IPTC_RESOURCE))
    if at < 0 or at + 7 > len(resources):
        return b""
    name = resources[at + 6] + 1
    size_at = at + 6 + name + name % 2
    size = int.from_bytes(resources[size_at : size_at + 4], "big")
    return resources[size_at + 4 : size_at + 4 + size]


def photoshop_of_iptc(iptc: bytes) -> bytes:
    """Return a block of Photoshop resources that holds these IPTC records."""
    header = b"8BIM" + struct.pack(">HxxI", IPTC_RESOURCE, len(iptc))
    return header + iptc + bytes(len(iptc) % 2)


# XMP -------------------------------------------------------------------------------------------------------------

OURS = "colorcli:ns:1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
PREFIXES = {
    "x": META,
    "rdf": RDF,
    "colorcli": OURS,
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
EDITED_BY_AI = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_PACKET = re.compile(rb"<x:xmpmeta.*?</x:xmpmeta>", re.DOTALL)
_serializing = threading.Lock()


def stamped_xmp(xmp: bytes, provenance: Provenance) -> bytes:
    """Return an XMP packet with everything in `xmp` and, in place of older ones, the properties that say what we did.

    A packet that cannot be parsed is replaced.
    """
    root, prefixes = _parsed(xmp)
    description = _description(root)
    ours = {
        f"{{{PREFIXES['Iptc4xmpExt']}}}DigitalSourceType": EDITED_BY_AI,
        f"{{{PREFIXES['xmp']}}}CreatorTool": f"colorcli {provenance.version}",
        f"{{{OURS}}}Model": provenance.model,
        f"{{{OURS}}}Tag": provenance.tag,
        f"{{{OURS}}}Version": provenance.version,
        f"{{{OURS}}}Settings": provenance.settings,
    }
    stale = {*ours, *(f"{{{PREFIXES['tiff']}}}{name}" for name in ("Orientation", "ImageWidth", "ImageLength"))}
    stale |= {f"{{{PREFIXES['photoshop']}}}ICCProfile", f"{{{PREFIXES['xmp']}}}Thumbnails"}
    for each in root.iter(f"{{{RDF}}}Description"):
        for name in stale & each.attrib.keys():
            del each.attrib[name]
        for child in [child for child in each if child.tag in stale]:
            each.remove(child)
    description.attrib.update(ours)
    body = _serialized(root, {**prefixes, **PREFIXES})
    return b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n' + body + b'\n<?xpacket end="w"?>'


def packet_in(data: bytes) -> bytes:
    """Find an XMP packet by its text, b"" where there is none."""
    match = _PACKET.search(data)
    return match[0] if match else b""


def provenance_in(data: bytes | mmap.mmap) -> Provenance | None:
    """Find our properties in an XMP packet, or in a file that holds one."""
    for match in _PACKET.finditer(data):
        if OURS.encode() not in match[0]:
            continue
        try:
            root = ET.fromstring(match[0])  # noqa: S314 - expat limits expansion, and ours holds no document type
        except ET.ParseError:
            continue
        for each in root.iter(f"{{{RDF}}}Description"):
            values = [each.get(f"{{{OURS}}}{name}") for name in ("Model", "Tag", "Version", "Settings")]
            if None not in values:
                return Provenance(*(value or "" for value in values))
    return None


def _parsed(xmp: bytes) -> tuple[ET.Element, dict[str, str]]:
    """Parse a packet into its x:xmpmeta element and its prefixes; a fresh one where that is impossible."""
    fresh = ET.Element(f"{{{META}}}xmpmeta")
    body = xmp[xmp.find(b"<") : xmp.rfind(b">") + 1]
    # A document type can only be there to do harm: XMP has none.
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return fresh, {}
    try:
        prefixes = {prefix: uri for _, (prefix, uri) in ET.iterparse(BytesIO(body), ["start-ns"])}  # noqa: S314
        root = ET.fromstring(body)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError):
        return fresh, {}
    if root.tag == f"{{{RDF}}}RDF":
        fresh.append(root)
        root = fresh
    return (root, prefixes) if root.tag == fresh.tag else (fresh, {})


def _description(root: ET.Element) -> ET.Element:
    """Return the description that properties are added to, made where there is none."""
    rdf = root.find(f"{{{RDF}}}RDF")
    if rdf is None:
        rdf = ET.SubElement(root, f"{{{RDF}}}RDF")
    description = rdf.find(f"{{{RDF}}}Description")
    if description is None:
        description = ET.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    return description


def _serialized(root: ET.Element, prefixes: dict[str, str]) -> bytes:
    """Write XML with the prefixes that people and simple tools expect; the serializer knows only global ones."""
    with _serializing:
        for prefix, uri in prefixes.items():
            with contextlib.suppress(ValueError):
                ET.register_namespace(prefix, uri)
        text: bytes = ET.tostring(root, encoding="utf-8")
        return text
