"""Metadata in: from every place where a format may carry it. A part that is damaged is left out and named."""

from __future__ import annotations

import contextlib
import itertools
import struct
import zlib
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from colorcli.media.pictures import containers, exif, iptc, losses, xmp
from colorcli.media.pictures.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

MAX_TEXT = 16 * 2**20
"""Bytes that the compressed texts and profiles of a PNG may have together, unpacked; further ones are left out."""
MAX_TEXTS = 10_000
"""Texts in a PNG; further ones are left out."""

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_FULL = 65_400  # bytes of EXIF in a segment that may be continued in the next one


def read_metadata(image: Image.Image | None, data: bytes, name: str) -> Metadata:
    """Collect what must survive of a file that is not a TIFF.

    Args:
        image: the opened file; None for a JPEG.
        data: the whole file.
        name: name of its format.
    """
    readers: dict[str, Callable[[bytes], Metadata]] = {
        "JPEG": _of_jpeg,
        "PNG": _of_png,
        "WebP": _of_webp,
        "GIF": _of_gif,
    }
    found = readers[name](data) if name in readers else _of_pillow(image)
    if name in {"AVIF", "HEIC"}:
        found = replace(found, lost=tuple(losses.of_heif(data)))
    if image is not None and found.loop is None:
        found = replace(found, loop=image.info.get("loop"))
    if name in {"PNG", "BMP"} and image is not None:
        found = replace(found, dpi=found.dpi or _plausible(image.info.get("dpi")))
    return checked(found)


def checked(found: Metadata) -> Metadata:
    """Extract XMP and IPTC from EXIF, and name what is damaged or refers to data that no output contains."""
    if found.exif and not (found.xmp and found.iptc):
        packet, records = _within_exif(found.exif)
        found = replace(found, xmp=found.xmp or packet, iptc=found.iptc or records)
    lost = list(found.lost)
    if xmp.is_damaged(found.xmp):
        lost.append("its XMP, which is damaged or too complex")
    lost += xmp.claims_in(found.xmp)
    if found.exif and not exif.upright_exif(found.exif, 1, 1):
        lost.append("its EXIF data, which is damaged")
    return replace(found, lost=tuple(dict.fromkeys(lost)))


def _within_exif(blob: bytes) -> tuple[bytes, bytes]:
    """Return the XMP and the IPTC records that EXIF contains, as a TIFF does."""
    with contextlib.suppress(ValueError):
        reader = exif.Reader(BytesIO(blob))
        fields, _ = reader.directory(reader.first, {_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP})
        return _packet(fields), _iptc(fields)
    return b"", b""


def orientation(found: Metadata) -> int:
    """Return the orientation that a file states in EXIF or else in XMP, 1 to 8; 1 if it states none."""
    return exif.orientation_in(found.exif) or xmp.orientation_in(found.xmp) or 1


# JPEG ------------------------------------------------------------------------------------------------------------


def _of_jpeg(data: bytes) -> Metadata:
    segments = list(containers.jpeg_segments(data))

    def bodies(marker: int, start: bytes = b"") -> list[bytes]:
        return [body[len(start) :] for found, body in segments if found == marker and body.startswith(start)]

    packet, *others = dict.fromkeys(bodies(0xE1, _XMP)) or (b"",)
    for other in others:
        packet = xmp.merged(packet, other)
    lost = losses.of_jpeg(data, segments)
    if digest := xmp.extension_of(packet).encode("latin-1", "replace"):
        parts = [each[32:] for each in bodies(0xE1, _EXTENSION) if each[:32] == digest]
        if extension := _joined(parts):
            packet = xmp.merged(packet, extension)
        else:
            lost.append("the second part of its XMP, which is missing or damaged")
    blob = _continued([body for body in bodies(0xE1, _EXIF) if body])
    # Long resources are split over several segments; a long profile has numbered ones.
    resources = b"".join(bodies(0xED, iptc.PHOTOSHOP_HEADER))
    bare = next((body for body in bodies(0xED) if body.startswith(b"\x1c\x02")), b"")
    profile = b"".join(part[2:] for part in sorted(bodies(0xE2, b"ICC_PROFILE\0")))
    return Metadata(
        exif=blob,
        iptc=iptc.iptc_in_photoshop(resources) or bare,
        xmp=packet,
        profile=profile,
        dpi=_dpi_of_jfif(bodies(0xE0, b"JFIF\0")) or _dpi_of_exif(blob),
        comments=tuple(bodies(0xFE)),
        lost=tuple(lost),
    )


def _continued(parts: list[bytes]) -> bytes:
    """Join EXIF that is too long for a segment; a second one after a short one is another, and left out."""
    whole = parts[0] if parts else b""
    for previous, following in itertools.pairwise(parts):
        if len(previous) < _FULL or len(whole) > MAX_TEXT:
            break
        whole += following
    return whole


def _dpi_of_jfif(bodies: list[bytes]) -> tuple[float, float] | None:
    if not bodies or len(bodies[0]) < 7:
        return None
    factor = {1: 1.0, 2: 2.54}.get(bodies[0][2], 0.0)
    across, down = struct.unpack_from(">HH", bodies[0], 3)
    return _plausible((across * factor, down * factor))


def _joined(parts: list[bytes]) -> bytes:
    """Join the parts of an extended packet: each begins with the length of the whole and where the part begins."""
    whole = b""
    for part in sorted(parts):
        length, offset = int.from_bytes(part[:4], "big"), int.from_bytes(part[4:8], "big")
        if offset != len(whole) or max(length, offset) > xmp.MAX_SIZE:
            return b""
        whole += part[8:]
    return whole if parts and len(whole) == int.from_bytes(parts[0][:4], "big") else b""


def _dpi_of_exif(blob: bytes) -> tuple[float, float] | None:
    with contextlib.suppress(ValueError):
        reader = exif.Reader(BytesIO(blob))
        tags = {exif.X_RESOLUTION, exif.Y_RESOLUTION, exif.RESOLUTION_UNIT}
        return _plausible(exif.dpi_in(reader.directory(reader.first, tags)[0]))
    return None


# PNG -------------------------------------------------------------------------------------------------------------

_RAW_PROFILE = "Raw profile type "
# Chunks that determine the pixels; the rest is metadata, which Pillow mistakes for damage if it is long or odd.
_PNG_PIXELS = {
    b"IHDR",
    b"PLTE",
    b"tRNS",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"IDAT",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"IEND",
    b"pHYs",
}


def png_pixels(data: bytes) -> bytes:
    """Return a PNG without its metadata."""
    parts, size = [containers.PNG_SIGNATURE], len(containers.PNG_SIGNATURE)
    for chunk in containers.png_chunks(data):
        size += len(chunk.whole)
        critical = chunk.name[:1].isupper()
        if chunk.name in _PNG_PIXELS and (chunk.valid or critical or chunk.name in {b"fcTL", b"fdAT"}):
            parts.append(chunk.whole)
    return b"".join((*parts, data[size:]))


def _of_png(data: bytes) -> Metadata:
    found = Metadata()
    raw: dict[str, bytes] = {}
    lost: list[str] = []
    texts, room = 0, MAX_TEXT
    for chunk in containers.png_chunks(data):
        if chunk.name not in {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP"}:
            continue
        if (texts := texts + 1) > MAX_TEXTS:
            lost.append(f"texts beyond the first {MAX_TEXTS:,}")
            break
        try:
            if chunk.name == b"eXIf":
                found = replace(found, exif=found.exif or chunk.body.removeprefix(_EXIF))
            elif chunk.name == b"iCCP":
                _, _, rest = chunk.body.partition(b"\0")
                found = replace(found, profile=found.profile or _inflated(rest[1:], room))
                room -= len(found.profile)
            else:
                keyword, text = _png_text(chunk, room)
                room -= 0 if chunk.name == b"tEXt" else len(text)
                if keyword == "XML:com.adobe.xmp":
                    found = replace(found, xmp=found.xmp or text.encode())
                elif keyword.startswith(_RAW_PROFILE):
                    raw.setdefault(keyword.removeprefix(_RAW_PROFILE).lower(), _unhexed(text))
                elif not chunk.valid:
                    raise ValueError("wrong checksum")
                elif text not in (before := found.text.get(keyword, "")).split("\n"):  # several may have one keyword
                    found.text[keyword] = f"{before}\n{text}" if before else text
        except (ValueError, zlib.error):
            what = "a color profile" if chunk.name == b"iCCP" else "a text"
            lost.append(f"{what} that is damaged or longer than {MAX_TEXT:,} bytes")
    app1 = raw.get("app1", b"")
    return replace(
        found,
        exif=found.exif or raw.get("exif", b"").removeprefix(_EXIF) or (app1[6:] if app1.startswith(_EXIF) else b""),
        xmp=found.xmp or raw.get("xmp", b"") or (app1[len(_XMP) :] if app1.startswith(_XMP) else b""),
        iptc=iptc.iptc_in_photoshop(raw.get("iptc", b""))
        or _records(raw.get("iptc", b""))
        or iptc.iptc_in_photoshop(raw.get("8bim", b"")),
        profile=found.profile or raw.get("icc", b"") or raw.get("icm", b""),
        lost=(*lost, *losses.of_png(containers.png_chunks(data))),
    )


def _png_text(chunk: containers.PngChunk, room: int) -> tuple[str, str]:
    keyword, _, rest = chunk.body.partition(b"\0")
    name = keyword.decode("latin-1")
    if chunk.name == b"tEXt":
        return name, rest.decode("latin-1")
    if chunk.name == b"zTXt":
        return name, _inflated(rest[1:], room).decode("latin-1")
    if len(rest) < 2:
        raise ValueError("cut off")
    _, _, translated = rest[2:].partition(b"\0")
    _, _, text = translated.partition(b"\0")
    return name, (_inflated(text, room) if rest[0] else text).decode("utf-8", "replace")


def _inflated(data: bytes, room: int) -> bytes:
    unpacker = zlib.decompressobj()
    found = unpacker.decompress(data, max(1, room))
    if not unpacker.eof:
        raise ValueError("cut off or too long")
    return found


def _unhexed(text: str) -> bytes:
    """Unpack what ImageMagick writes: a name, a length, and hexadecimal digits."""
    return bytes.fromhex("".join(text.split()[2:]))


def _records(data: bytes) -> bytes:
    return data if data.startswith(b"\x1c") else b""


# WebP, GIF and what Pillow reads ---------------------------------------------------------------------------------


def _of_webp(data: bytes) -> Metadata:
    found: dict[bytes, bytes] = {}
    for name, body in containers.riff_chunks(data):
        if name in {b"EXIF", b"XMP ", b"ICCP"}:
            found.setdefault(name, body)
    blob = found.get(b"EXIF", b"").removeprefix(_EXIF)
    return Metadata(
        exif=blob,
        xmp=found.get(b"XMP ", b""),
        profile=found.get(b"ICCP", b""),
        dpi=_dpi_of_exif(blob),
        lost=tuple(losses.of_webp(containers.riff_chunks(data))),
    )


def _of_gif(data: bytes) -> Metadata:
    packet, profile, comments = b"", b"", []
    extensions = list(containers.gif_extensions(data))
    for label, body in extensions:
        if label == 0xFE:
            comments.append(body)
        elif body.startswith(b"XMP DataXMP"):
            packet = packet or body[11:]
        elif body.startswith(b"ICCRGBG1012"):
            profile = profile or body[11:]
    return Metadata(xmp=packet, profile=profile, comments=tuple(comments), lost=tuple(losses.of_gif(extensions)))


def _of_pillow(image: Image.Image | None) -> Metadata:
    info = image.info if image is not None else {}
    blob, packet = info.get("exif") or b"", info.get("xmp") or b""
    blob = blob.removeprefix(_EXIF) if isinstance(blob, bytes) else b""
    return Metadata(
        exif=blob,
        xmp=packet.encode() if isinstance(packet, str) else packet,
        profile=info.get("icc_profile") or b"",
        dpi=_dpi_of_exif(blob),
    )


def _plausible(dpi: object) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in dpi)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    # Pillow returns 1 if the file states nothing.
    return (across, down) if 1 < across < 1e6 and 1 < down < 1e6 else None


# TIFF ------------------------------------------------------------------------------------------------------------

_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, _TIFF_ICC = 700, 33723, 34377, 34675
_TIFF_RESOLUTION = {exif.X_RESOLUTION, exif.Y_RESOLUTION, exif.RESOLUTION_UNIT}


def read_tiff_metadata(stream: BinaryIO, offset: int) -> Metadata:
    """Collect what must survive of the first page of a TIFF, whose directory is at an offset."""
    try:
        reader = exif.Reader(stream)
        tags = {_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, _TIFF_ICC, *_TIFF_RESOLUTION}
        fields, _ = reader.directory(offset, tags)
        all_tags = reader.tags(offset)
        description = exif.read_description(reader, offset)
    except ValueError:
        return Metadata(lost=("its metadata, which is damaged",))
    return checked(
        Metadata(
            exif=exif.pack(description),
            iptc=_iptc(fields),
            xmp=_packet(fields),
            profile=_bytes(fields, _TIFF_ICC),
            dpi=_plausible(exif.dpi_in(fields)),
            lost=tuple(losses.of_tiff(all_tags, _bytes(fields, _TIFF_PHOTOSHOP))),
        )
    )


def _bytes(fields: exif.Directory, tag: int) -> bytes:
    return fields[tag].data if tag in fields else b""


def _packet(fields: exif.Directory) -> bytes:
    return _bytes(fields, _TIFF_XMP).rstrip(b"\0")


def _iptc(fields: exif.Directory) -> bytes:
    records = _bytes(fields, _TIFF_IPTC)
    if not records.startswith(b"\x1c"):  # many writers call the bytes 32-bit numbers, whose order may be another
        records = exif.swapped(records, 4)
    return records if records.startswith(b"\x1c") else iptc.iptc_in_photoshop(_bytes(fields, _TIFF_PHOTOSHOP))


def read_page(stream: BinaryIO, offset: int) -> tuple[exif.Directory, tuple[float, float] | None]:
    """Read what describes one page of a TIFF, and its resolution; nothing if its directory is damaged."""
    try:
        fields, _ = exif.Reader(stream).directory(offset, exif.PAGE_TAGS | _TIFF_RESOLUTION)
    except ValueError:
        return {}, None
    dpi = _plausible(exif.dpi_in(fields))
    return {tag: field for tag, field in fields.items() if tag in exif.PAGE_TAGS}, dpi
