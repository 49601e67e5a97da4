"""XMP: what a picture says of itself, merged with what we did to it.

Packets are read within bounds: `MAX_SIZE` bytes, `MAX_PREFIXES` namespaces, `MAX_ELEMENTS` elements, `MAX_DEPTH` of
them nested. One that exceeds them, or has a document type, counts as damaged. Of a file, `MAX_PACKETS` are looked at.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any, cast

from colorcli.media.pictures.metadata import Provenance

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

MAX_SIZE = 16 * 2**20
MAX_PREFIXES = 200
MAX_DEPTH = 64
MAX_ELEMENTS = 20_000
MAX_PACKETS = 64
_PART = 2**16

OURS = "colorcli:ns:1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
NOTE = "http://ns.adobe.com/xmp/note/"
PREFIXES = {
    "x": META,
    "rdf": RDF,
    "colorcli": OURS,
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "xmpNote": NOTE,
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xml": "http://www.w3.org/XML/1998/namespace",
}
EDITED_BY_AI = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_START, _END = b"<x:xmpmeta", b"</x:xmpmeta>"
_OUR_PROPERTIES = ("Model", "Tag", "Version", "Settings")

# Properties that refer to data outside the picture, which no output contains: how they begin, and what they describe.
_CLAIMS = {
    "{http://ns.adobe.com/hdr-gain-map/1.0/}": "its gain map for HDR displays",
    "{http://ns.apple.com/HDRGainMap/1.0/}": "its gain map for HDR displays",
    "{http://ns.google.com/photos/1.0/camera/}MicroVideo": "the video of a motion photo",
    "{http://ns.google.com/photos/1.0/camera/}MotionPhoto": "the video of a motion photo",
    "{http://ns.google.com/photos/1.0/container/}": "pictures or videos that follow the picture",
    "{http://ns.google.com/photos/1.0/depthmap/}": "its depth map",
    "{http://ns.google.com/photos/1.0/image/}": "a second picture within its metadata",
    "{http://ns.google.com/photos/1.0/audio/}": "the sound within its metadata",
    "{http://ns.google.com/photos/dd/": "its depth map",
}


def stamped_xmp(xmp: bytes, provenance: Provenance, extension: str = "") -> bytes:
    """Return a packet with everything in `xmp` and, in place of older ones, the properties that say what we did.

    Claims about data that no output contains are left out. A damaged packet is replaced.

    Args:
        xmp: the packet so far; b"" for none.
        provenance: what made the colors.
        extension: the digest of a packet that continues this one in a JPEG.
    """
    root, prefixes = _parse(xmp) or (ET.Element(f"{{{META}}}xmpmeta"), {})
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
    stale |= {f"{{{NOTE}}}HasExtendedXMP"}
    for each in root.iter(f"{{{RDF}}}Description"):
        for name in [name for name in each.attrib if name in stale or _claimed(name)]:
            del each.attrib[name]
        for child in [child for child in each if child.tag in stale or _claimed(child.tag)]:
            each.remove(child)
    description.attrib.update(ours)
    if extension:
        description.set(f"{{{NOTE}}}HasExtendedXMP", extension)
    body = _serialized(root, prefixes)
    return b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n' + body + b'\n<?xpacket end="w"?>'


def claims_in(xmp: bytes) -> list[str]:
    """Name what a packet says is beside the picture, such as a gain map; an output contains none of it."""
    root, _ = _parse(xmp) or (None, {})
    if root is None:
        return []
    names = (name for each in root.iter(f"{{{RDF}}}Description") for name in (*each.attrib, *(c.tag for c in each)))
    return sorted({claim for name in names if (claim := _claimed(name))})


def is_damaged(xmp: bytes) -> bool:
    """Return whether there is a packet that cannot be used."""
    return bool(xmp.strip(b"\0 \n\r\t")) and _parse(xmp) is None


def orientation_in(xmp: bytes) -> int:
    """Return the orientation that a packet states, 1 to 8; 0 if it states none."""
    root, _ = _parse(xmp) or (None, {})
    if root is None:
        return 0
    name = f"{{{PREFIXES['tiff']}}}Orientation"
    for each in root.iter(f"{{{RDF}}}Description"):
        value = (each.get(name) or each.findtext(name) or "").strip()
        if value.isdecimal() and int(value) in range(1, 9):
            return int(value)
    return 0


def extension_of(xmp: bytes) -> str:
    """Return the digest of the packet that continues this one, "" if there is none."""
    root, _ = _parse(xmp) or (None, {})
    if root is None:
        return ""
    name = f"{{{NOTE}}}HasExtendedXMP"
    found = (each.get(name) or each.findtext(name) for each in root.iter(f"{{{RDF}}}Description"))
    return next((value.strip() for value in found if value), "")


def merged(xmp: bytes, extension: bytes) -> bytes:
    """Return a packet with the properties of both; the first alone if the second is damaged."""
    first, second = _parse(xmp), _parse(extension)
    if second is None:
        return xmp
    if first is None:
        return extension
    rdf, more = first[0].find(f"{{{RDF}}}RDF"), second[0].find(f"{{{RDF}}}RDF")
    if rdf is None or more is None:
        return xmp
    rdf.extend(list(more))
    return _serialized(first[0], {**second[1], **first[1]})


def provenance_in(data: bytes | mmap.mmap) -> Provenance | None:
    """Find our properties in a packet, or in a file that contains one."""
    at, looked_at = 0, 0
    while looked_at < MAX_PACKETS and (start := data.find(_START, at)) >= 0 and (end := data.find(_END, start)) >= 0:
        at = end + len(_END)
        start = data.rfind(_START, start, end)
        if end - start > MAX_SIZE or data.find(OURS.encode(), start, end) < 0:
            continue
        looked_at += 1
        root, _ = _parse(data[start:at]) or (None, {})
        for each in root.iter(f"{{{RDF}}}Description") if root is not None else ():
            values = [each.get(f"{{{OURS}}}{name}") for name in _OUR_PROPERTIES]
            if None not in values:
                return Provenance(*(value or "" for value in values))
    return None


_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([^"'>]*)""")


def _claimed(name: str) -> str:
    return next((claim for start, claim in _CLAIMS.items() if name.startswith(start)), "")


def _parse(xmp: bytes) -> tuple[ET.Element, dict[str, str]] | None:
    """Parse a packet into its x:xmpmeta element and its prefixes; None if it is empty or damaged."""
    if len(xmp) > MAX_SIZE:
        return None
    if b"\0<" in xmp[:64] or b"<\0" in xmp[:64]:  # UTF-16, which the standard allows
        big = 0 <= xmp.find(b"\0<") < xmp.find(b"<\0") or xmp.find(b"<\0") < 0
        xmp = xmp.decode("utf-16-be" if big else "utf-16-le", "replace").encode()
    body = xmp[xmp.find(b"<") : xmp.rfind(b">") + 1]
    # A document type can only be there to do harm: XMP has none.
    if not body or b"<!DOCTYPE" in body or b"<!ENTITY" in body or body.count(b"xmlns:") > MAX_PREFIXES:
        return None
    encoding = _ENCODING.match(body)  # in another one a document type could hide
    if encoding and encoding[1].lower() not in {b"utf-8", b"us-ascii", b"iso-8859-1", b"utf-16"}:
        return None
    try:
        root, prefixes = _bounded(body)
    except (ET.ParseError, ValueError, LookupError):
        return None
    if root.tag == f"{{{RDF}}}RDF":
        wrapper = ET.Element(f"{{{META}}}xmpmeta")
        wrapper.append(root)
        root = wrapper
    if root.tag == f"{{{META}}}xapmeta":  # as older programs of Adobe write it
        root.tag = f"{{{META}}}xmpmeta"
    return (root, prefixes) if root.tag == f"{{{META}}}xmpmeta" else None


def _bounded(body: bytes) -> tuple[ET.Element, dict[str, str]]:
    """Parse XML within bounds into its element and its prefixes.

    Raises:
        ValueError: it exceeds them.
        ParseError: it is damaged.
    """
    prefixes: dict[str, str] = {}
    opened: list[ET.Element] = []
    elements, at, size = 0, 0, _PART
    parser: Any = ET.XMLPullParser(("start", "end", "start-ns"))
    while at < len(body):
        parser.feed(body[at : at + size])
        # Each part is twice as long as the one before: expat reads an unfinished attribute again with every part.
        at, size = at + size, 2 * size
        for event, found in cast("Iterator[tuple[str, Any]]", parser.read_events()):
            if event == "start-ns":
                prefixes.setdefault(*cast("tuple[str, str]", found))
            elif event == "start":
                opened.append(cast("ET.Element", found))
                elements += 1
            elif len(opened) > 1:
                opened.pop()
            if len(opened) > MAX_DEPTH or elements > MAX_ELEMENTS:
                raise ValueError("it has too many elements")
    parser.close()
    if not opened:
        raise ValueError("it has no element")
    return opened[0], prefixes


def _description(root: ET.Element) -> ET.Element:
    """Return the description that properties are added to; it is made if there is none."""
    rdf = root.find(f"{{{RDF}}}RDF")
    if rdf is None:
        rdf = ET.SubElement(root, f"{{{RDF}}}RDF")
    description = rdf.find(f"{{{RDF}}}Description")
    if description is None:
        description = ET.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    return description


_QUALIFIED = re.compile(r"\{(.*)\}(.*)", re.DOTALL)


def _serialized(root: ET.Element, prefixes: dict[str, str]) -> bytes:
    """Write XML with the prefixes that people and simple tools expect. The names in the tree are replaced."""
    by_uri = {uri: prefix for prefix, uri in PREFIXES.items()}
    taken = set(PREFIXES)
    for prefix, uri in prefixes.items():
        if uri not in by_uri and prefix and prefix not in taken:
            by_uri[uri] = prefix
            taken.add(prefix)
    used: dict[str, str] = {}

    def short(name: str) -> str:
        found = _QUALIFIED.fullmatch(name)
        if not found:
            return name
        uri = found[1]
        if uri not in by_uri:
            number = len(by_uri)
            by_uri[uri] = next(f"ns{n}" for n in range(number, 2 * number + 1) if f"ns{n}" not in taken)
            taken.add(by_uri[uri])
        used[by_uri[uri]] = uri
        return f"{by_uri[uri]}:{found[2]}"

    for each in root.iter():
        each.tag = short(each.tag)
        each.attrib = {short(name): value for name, value in each.attrib.items()}
    used.pop("xml", None)
    root.attrib = {**{f"xmlns:{prefix}": uri for prefix, uri in used.items()}, **root.attrib}
    text: bytes = ET.tostring(root, encoding="utf-8")
    return text.partition(b"?>\n")[2] if text.startswith(b"<?xml") else text
