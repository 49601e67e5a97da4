"""From colour frames to a file of one format, with the metadata that the format can hold."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from PIL import GifImagePlugin, Image, TiffImagePlugin

from colorcli.errors import UnwritableMedia
from colorcli.media import metadata, profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from colorcli.media.metadata import Metadata


@dataclass(frozen=True)
class Order:
    """What an encoder is to write.

    Attributes:
        frames: colour (H, W, 3), alpha (H, W) or None, and seconds, one after the other.
        count: how many frames there will be.
        kept: metadata of an upright picture; its XMP says where the colours came from.
        quality: 1 to 100, for formats that lose something.
        lossless: for formats that leave the choice.
    """

    frames: Iterator[tuple[NDArray[Any], NDArray[Any] | None, float]]
    count: int
    kept: Metadata
    quality: int
    lossless: bool


# JPEG ------------------------------------------------------------------------------------------------------------

_JPEG_SEGMENT_LIMIT = 65533


def write_jpeg(stream: BinaryIO, order: Order) -> None:
    """Write one picture at full chroma resolution; what is transparent becomes white."""
    pixels, alpha, _ = next(order.frames)
    coded = imagecodecs.jpeg8_encode(on_white(eight_bits(pixels), alpha), order.quality, subsampling="444")
    app0_end = 4 + int.from_bytes(coded[4:6], "big")
    stream.write(coded[:2])
    for segment in _jpeg_segments(order.kept):
        stream.write(segment)
    stream.write(memoryview(coded)[app0_end:])


def _jpeg_segments(kept: Metadata) -> Iterator[bytes]:
    across, down = (min(65535, max(1, round(value))) for value in kept.dpi or (0, 0))
    density = struct.pack(">BHH", 1, across, down) if kept.dpi else struct.pack(">BHH", 0, 1, 1)
    yield _jpeg_segment(0xE0, b"JFIF\0\1\1" + density + b"\0\0")
    if kept.exif:
        yield _jpeg_segment(0xE1, b"Exif\0\0" + kept.exif)
    yield _jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + kept.xmp)
    if kept.iptc:
        yield _jpeg_segment(0xED, metadata.PHOTOSHOP_HEADER + metadata.photoshop_of_iptc(kept.iptc))
    yield _jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1" + profiles.srgb())
    if kept.comment:
        yield _jpeg_segment(0xFE, kept.comment)


def _jpeg_segment(marker: int, body: bytes) -> bytes:
    if len(body) > _JPEG_SEGMENT_LIMIT:
        return b""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


_STANDARD_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


DEFAULT_QUALITY, HIGHEST_QUALITY = 92, 98
"""Below the first, losses begin to show; above the second, files grow and pictures do not improve."""


def jpeg_quality(tables: dict[int, list[int]]) -> int:
    """Return the quality to write at: about what quantization tables stand for, between the two bounds."""
    if 0 not in tables:
        return DEFAULT_QUALITY
    percent = 100 * sum(tables[0]) / sum(_STANDARD_LUMINANCE)
    quality = 5000 / percent if percent > 100 else (200 - percent) / 2
    return max(DEFAULT_QUALITY, min(HIGHEST_QUALITY, round(quality)))


# PNG -------------------------------------------------------------------------------------------------------------

# Level 6 takes 2.6 times as long and saves a tenth.
_PNG_LEVEL = 3


def write_png(stream: BinaryIO, order: Order) -> None:
    """Write a PNG of 8 or 16 bits, or an animated one frame by frame."""
    sequence = 0
    for index, (pixels, alpha, seconds) in enumerate(order.frames):
        channels = with_alpha(pixels, alpha)
        if order.count > 1:  # all frames of an animation are of one kind
            channels = np.asarray(to_pillow(pixels, alpha).convert("RGBA"))
        coded = bytes(imagecodecs.png_encode(channels, _PNG_LEVEL))
        chunks = list(_png_chunks(coded))
        if index == 0:
            stream.write(coded[:8] + _png_chunk(b"IHDR", chunks[0][1]))
            for name, body in _png_metadata(order.kept):
                stream.write(_png_chunk(name, body))
            if order.count > 1:
                # A file that says nothing of loops plays once.
                plays = 1 if order.kept.loop is None else order.kept.loop
                stream.write(_png_chunk(b"acTL", struct.pack(">II", order.count, plays)))
        if order.count > 1:
            height, width = pixels.shape[:2]
            control = struct.pack(">5I2H2B", sequence, width, height, 0, 0, round(seconds * 1000), 1000, 0, 0)
            stream.write(_png_chunk(b"fcTL", control))
            sequence += 1
        for name, body in chunks:
            if name != b"IDAT":
                continue
            if index == 0:
                stream.write(_png_chunk(b"IDAT", body))
            else:
                stream.write(_png_chunk(b"fdAT", struct.pack(">I", sequence) + body))
                sequence += 1
    stream.write(_png_chunk(b"IEND", b""))


def _png_metadata(kept: Metadata) -> Iterator[tuple[bytes, bytes]]:
    yield b"iCCP", b"sRGB\0\0" + zlib.compress(profiles.srgb())
    if kept.dpi:
        across, down = (min(2**31 - 1, round(value / 0.0254)) for value in kept.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    if kept.exif:
        yield b"eXIf", kept.exif
    yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + kept.xmp
    if kept.iptc:
        records = metadata.photoshop_of_iptc(kept.iptc)
        profile = f"\niptc\n{len(records):8d}\n{records.hex()}\n".encode()
        yield b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(profile)
    for key, value in kept.text.items():
        yield b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + value.encode()


def _png_chunks(coded: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(coded):
        length = int.from_bytes(coded[at : at + 4], "big")
        yield coded[at + 4 : at + 8], coded[at + 8 : at + 8 + length]
        at += length + 12


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


# TIFF ------------------------------------------------------------------------------------------------------------


def write_tiff(stream: BinaryIO, order: Order) -> None:
    """Write a TIFF of 8 or 16 bits, page by page."""
    fields, directories = _tiff_fields(order.kept)
    with tifffile.TiffWriter(stream, byteorder="<") as tiff:
        for index, (pixels, alpha, _) in enumerate(order.frames):
            tiff.write(
                with_alpha(pixels, alpha),
                photometric="rgb",
                extrasamples=None if alpha is None else ["unassalpha"],
                compression="zlib",
                predictor=True,
                iccprofile=profiles.srgb(),
                resolution=order.kept.dpi,
                resolutionunit="INCH" if order.kept.dpi else None,
                metadata=None,
                software=False,
                contiguous=False,
                extratags=fields if index == 0 else [],
            )
    for tag, fields_within in directories.items():
        _append_directory(stream, tag, fields_within)


def _tiff_fields(kept: Metadata) -> tuple[list[tuple[Any, ...]], dict[int, dict[int, Any]]]:
    """Return the tags of the first page, and by tag the EXIF directories that hang on it."""
    fields: list[tuple[Any, ...]] = [(700, 1, len(kept.xmp), kept.xmp, True)]
    if kept.iptc:
        fields.append((33723, 7, len(kept.iptc), kept.iptc, True))
    exif = Image.Exif()
    try:
        exif.load(b"Exif\0\0" + kept.exif if kept.exif else b"")
        directories = {tag: found for tag in (0x8769, 0x8825) if (found := dict(exif.get_ifd(tag)))}
        for tag, value in exif.items():
            if tag in metadata.DESCRIPTIVE_TAGS and isinstance(value, str):
                fields.append((tag, 2, 0, value, True))
            elif tag in metadata.DESCRIPTIVE_TAGS and isinstance(value, bytes):
                fields.append((tag, 1, len(value), value, True))
            elif tag in metadata.DESCRIPTIVE_TAGS and isinstance(value, int):
                fields.append((tag, 3, 1, value, True))
    except (SyntaxError, ValueError, OSError, struct.error):
        return fields, {}
    # By name: tifffile drops these tags where they come by number.
    links = [(tifffile.TIFF.TAGS[tag], 4, 1, 0, True) for tag in directories]
    return [*fields, *links], directories


def _append_directory(stream: BinaryIO, tag: int, fields: dict[int, Any]) -> None:
    """Hang a directory on the first page, which already has the tag for it; tifffile has no means to."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II\x2a\0\0\0\0\0")
    for inner, value in fields.items():
        directory[inner] = dict(value) if isinstance(value, dict) else value
    end = stream.seek(0, 2)
    stream.write(bytes(end % 2))
    offset = end + end % 2
    stream.write(directory.tobytes(offset))
    stream.seek(4)
    first = int.from_bytes(stream.read(4), "little")
    stream.seek(first)
    count = int.from_bytes(stream.read(2), "little")
    entries = stream.read(12 * count)
    index = next(at for at in range(0, len(entries), 12) if entries[at : at + 2] == struct.pack("<H", tag))
    stream.seek(first + 2 + index + 8)
    stream.write(struct.pack("<I", offset))


# The formats that Pillow writes --------------------------------------------------------------------------------


def write_webp(stream: BinaryIO, order: Order) -> None:
    """Write a WebP; of an animation each frame is coded by itself, so that one at a time is in memory."""
    if order.count == 1:
        pixels, alpha, _ = next(order.frames)
        stream.write(_webp_still(pixels, alpha, order, exif=order.kept.exif, xmp=order.kept.xmp, icc=profiles.srgb()))
        return
    flags, width, height = 0x20 | 0x04 | 0x02 | (0x08 if order.kept.exif else 0), 0, 0
    frames = BytesIO()
    for pixels, alpha, seconds in order.frames:
        height, width = pixels.shape[:2]
        flags |= 0x10 if alpha is not None else 0
        still = _webp_still(pixels, alpha, order, exif=b"", xmp=b"", icc=b"")
        parts = b"".join(
            _riff_chunk(name, body) for name, body in _riff_chunks(still) if name in {b"ALPH", b"VP8 ", b"VP8L"}
        )
        # Each frame replaces the one before: no blending.
        control = bytes(6) + _uint24(width - 1) + _uint24(height - 1) + _uint24(round(seconds * 1000)) + b"\x02"
        frames.write(_riff_chunk(b"ANMF", control + parts))
    loop = 1 if order.kept.loop is None else order.kept.loop
    body = b"".join((
        b"WEBP",
        _riff_chunk(b"VP8X", struct.pack("<I", flags) + _uint24(width - 1) + _uint24(height - 1)),
        _riff_chunk(b"ICCP", profiles.srgb()),
        _riff_chunk(b"ANIM", struct.pack("<IH", 0, loop)),
        frames.getbuffer(),
        _riff_chunk(b"EXIF", order.kept.exif) if order.kept.exif else b"",
        _riff_chunk(b"XMP ", order.kept.xmp),
    ))  # fmt: skip
    stream.write(_riff_chunk(b"RIFF", body))


def _webp_still(
    pixels: NDArray[Any], alpha: NDArray[Any] | None, order: Order, *, exif: bytes, xmp: bytes, icc: bytes
) -> bytes:
    coded = BytesIO()
    to_pillow(pixels, alpha).save(
        coded, "WEBP", quality=order.quality, lossless=order.lossless, exif=exif, xmp=xmp, icc_profile=icc
    )
    return coded.getvalue()


def _riff_chunks(coded: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(coded):
        size = int.from_bytes(coded[at + 4 : at + 8], "little")
        yield coded[at : at + 4], coded[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _uint24(value: int) -> bytes:
    return min(value, 0xFFFFFF).to_bytes(3, "little")


def write_gif(stream: BinaryIO, order: Order) -> None:
    """Write a GIF frame by frame, each with a palette of its own."""
    for index, (pixels, alpha, seconds) in enumerate(order.frames):
        height, width = pixels.shape[:2]
        if index == 0:
            stream.write(b"GIF89a" + struct.pack("<HH3B", width, height, 0x70, 0, 0))
            if order.count > 1 and order.kept.loop is not None:
                stream.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", order.kept.loop) + b"\0")
            # The packet is not cut into sub-blocks: the ramp of bytes after it leads any reader to the end.
            stream.write(b"\x21\xff\x0bXMP DataXMP" + order.kept.xmp + b"\1" + bytes(range(255, -1, -1)) + b"\0")
            for part in (order.kept.comment[at : at + 255] for at in range(0, len(order.kept.comment), 255)):
                stream.write(b"\x21\xfe" + bytes([len(part)]) + part + b"\0")
        image, transparent = _gif_palette(pixels, alpha)
        blocks = GifImagePlugin.getdata(
            image,
            duration=round(seconds * 1000),
            include_color_table=True,
            disposal=2 if transparent else 1,
            transparency=255 if transparent else None,
        )
        stream.writelines(blocks)
    stream.write(b";")


def _gif_palette(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> tuple[Image.Image, bool]:
    """Reduce a frame to 256 colours, or to 255 and a transparent one."""
    image = Image.fromarray(eight_bits(pixels))
    if alpha is None:
        return _quantized(image, 256), False
    quantized = _quantized(image, 255)
    hidden = eight_bits(alpha) < 128
    quantized.paste(255, mask=Image.fromarray(hidden))
    return quantized, True


def _quantized(image: Image.Image, colours: int) -> Image.Image:
    palette = image.quantize(colours, method=Image.Quantize.MEDIANCUT)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def write_bmp(stream: BinaryIO, order: Order) -> None:
    """Write a BMP."""
    pixels, alpha, _ = next(order.frames)
    to_pillow(pixels, alpha).save(stream, "BMP", dpi=order.kept.dpi or (96, 96))


def write_avif(stream: BinaryIO, order: Order) -> None:
    """Write an AVIF at full chroma resolution; all frames of an animated one are held in memory."""
    many = order.count > 1  # all frames of an animation are of one kind
    first, *others = [
        (to_pillow(pixels, alpha).convert("RGBA") if many else to_pillow(pixels, alpha), seconds)
        for pixels, alpha, seconds in order.frames
    ]
    first[0].save(
        stream,
        "AVIF",
        save_all=bool(others),
        append_images=[image for image, _ in others],
        duration=[round(seconds * 1000) for _, seconds in (first, *others)],
        quality=order.quality,
        subsampling="4:4:4",
        exif=order.kept.exif,
        xmp=order.kept.xmp,
        icc_profile=profiles.srgb(),
    )


def write_heic(stream: BinaryIO, order: Order) -> None:
    """Write a HEIC at full chroma resolution; all its pictures are held in memory."""
    try:
        import pillow_heif
    except ImportError:
        raise UnwritableMedia(
            "HEIC pictures need an extra that is not installed.", 'Install it with: pip install "colorcli[heic]"'
        ) from None
    file = pillow_heif.HeifFile()
    for pixels, alpha, _ in order.frames:
        file.add_from_pillow(to_pillow(pixels, alpha))
    file.info.update(exif=b"Exif\0\0" + order.kept.exif if order.kept.exif else None, xmp=order.kept.xmp)
    file.info["icc_profile"] = profiles.srgb()
    file.save(stream, quality=order.quality, chroma=444)


WRITERS: dict[str, Callable[[BinaryIO, Order], None]] = {
    "JPEG": write_jpeg,
    "PNG": write_png,
    "TIFF": write_tiff,
    "WebP": write_webp,
    "GIF": write_gif,
    "BMP": write_bmp,
    "AVIF": write_avif,
    "HEIC": write_heic,
}

# Arrays ----------------------------------------------------------------------------------------------------------


def eight_bits(pixels: NDArray[Any]) -> NDArray[Any]:
    """Round 16 bits to 8; 8 stay as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def with_alpha(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> NDArray[Any]:
    """Put alpha behind the colours."""
    return np.ascontiguousarray(pixels) if alpha is None else np.dstack((pixels, alpha))


def on_white(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> NDArray[Any]:
    """Lay 8-bit colours with alpha on white."""
    if alpha is None:
        return np.ascontiguousarray(pixels)
    cover = eight_bits(alpha)[..., None].astype(np.uint16)
    return ((pixels * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)


def to_pillow(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> Image.Image:
    """Make an 8-bit Pillow image: L, RGB, LA or RGBA."""
    return Image.fromarray(with_alpha(eight_bits(pixels), None if alpha is None else eight_bits(alpha)))
