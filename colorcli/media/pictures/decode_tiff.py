"""Pages of TIFF files to sRGB pixels, as their fields declare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import tifffile
from tifffile import COMPRESSION, PHOTOMETRIC

from colorcli.media.pictures import color_tags, containers, damage, decode, exif, fax, profiles
from colorcli.media.pictures.decode import (
    NotReadable,
    Pixels,
    scaled,
    scaled_to_sixteen_bits,
    split_alpha,
    to_srgb,
    unassociated,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from enum import Enum

    from numpy.typing import NDArray

_PHOTOMETRIC, _COMPRESSION, _SUB_IFDS, _DNG_VERSION = 262, 259, 330, 50706
_SMIN, _SMAX = 340, 341
_WHITE_POINT, _PRIMARIES = 318, 319
_DOT_RANGE, _COEFFICIENTS, _SUBSAMPLING, _REFERENCE = 336, 529, 530, 532
_RAW_COLORS = {32803, 34892}  # a color filter array, and linear raw
_RAW_COMPRESSIONS = {32767, 34713, 65000, 65535}  # used by Sony, Nikon, Kodak and Pentax
_ASSOCIATED, _UNASSOCIATED = 1, 2
_OLD_JPEG, _JPEG = 6, 7
_SILENT = {22610, 33003, 33004, 33005, 34712, 34927, 34934, 50001}  # JPEG XR, JPEG 2000 and WebP
_JPEG_START = 513
_DAMAGED = "its {} data does not decode cleanly, so a part of the picture may be damaged"
MAX_PAGES = 10_000
"""Pages of a TIFF that are read."""
_LOOKED_AT = 16  # directories, of which a raw camera file has fewer
# Channels that are colors, by photometric interpretation; further ones are extra samples.
_COLOR_CHANNELS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}


def tiff_pages(tiff: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    """Yield the pages of a TIFF file, one in memory at a time.

    Raises:
        ValueError: it has none.
    """
    if not len(tiff.pages):
        raise ValueError("it has no pages")
    for index in range(len(tiff.pages)):
        page = tiff.pages[index]
        if not isinstance(page, tifffile.TiffPage):
            raise ValueError(f"page {index + 1} cannot be read")
        yield page


def check_page_count(tiff: tifffile.TiffFile) -> None:
    """Check that a TIFF has at most `MAX_PAGES` pages, without looking for all of them.

    Raises:
        ValueError: it has more.
    """
    try:
        tiff.pages[MAX_PAGES]
    except IndexError:
        return
    raise ValueError(f"it has more than {MAX_PAGES:,} pages")


def tiff_orientation(page: tifffile.TiffPage) -> int:
    """Return the orientation of a page, 1 to 8."""
    number = page.tags.valueof(exif.ORIENTATION, 1)
    return number if number in range(1, 9) else 1


def is_raw(stream: BinaryIO) -> bool:
    """Return whether a TIFF is a raw camera file, by its fields: a DNG, or one with data of a color filter array."""
    try:
        reader = exif.Reader(stream)
        waiting, seen = [reader.first], set[int]()
        while waiting and len(seen) < _LOOKED_AT:
            offset = waiting.pop(0)
            if not offset or offset in seen:
                continue
            seen.add(offset)
            fields, following = reader.directory(offset, {_PHOTOMETRIC, _COMPRESSION, _SUB_IFDS, _DNG_VERSION})
            colors = fields[_PHOTOMETRIC].number() if _PHOTOMETRIC in fields else -1
            coding = fields[_COMPRESSION].number() if _COMPRESSION in fields else 1
            if _DNG_VERSION in fields or colors in _RAW_COLORS or coding in _RAW_COMPRESSIONS:
                return True
            if below := fields.get(_SUB_IFDS):
                size = max(1, len(below.data) // max(1, below.count))
                offsets = below.data[: size * _LOOKED_AT]
                waiting += [int.from_bytes(offsets[at : at + size], "little") for at in range(0, len(offsets), size)]
            waiting.append(following)
    except ValueError:
        pass
    return False


def decoded_pixels(page: tifffile.TiffPage) -> int:
    """Return how many pixels of four 16-bit samples take the memory that decoding a page does, tiles included."""
    width, height = page.imagewidth, page.imagelength
    if page.is_tiled and page.tilewidth and page.tilelength:
        width, height = max(width, page.tilewidth), max(height, page.tilelength)
    size = page.samplesperpixel * max(1, page.bitspersample // 8)
    return int(width * height * max(1, page.imagedepth) * max(8, size) // 8)


def is_for_tifffile(page: tifffile.TiffPage) -> bool:
    """Return which of the two decodes a page.

    tifffile reads every depth and faxes; Pillow reads palettes of few colors and YCbCr, up to its limit of pixels.
    """
    colors, bits = int(page.photometric), page.bitspersample
    if page.compression == _OLD_JPEG:  # as it was before 1995
        return False
    if bits == 1 and page.compression in fax.CODINGS:  # libtiff only prints what is damaged in these
        return True
    if bits == 1 and colors in {0, 1} and page.samplesperpixel == 1:
        return len(page.dataoffsets) > 0 and page.imagewidth * page.imagelength > 0
    if colors == PHOTOMETRIC.YCBCR and page.compression != _JPEG:
        return bool(page.tags.valueof(_SUBSAMPLING) == (1, 1))
    return bits > 8 or (bits == 8 and (colors in {0, 1, 2, 3, 5, 8, 9} or page.compression == _JPEG))


def decode_tiff_page(page: tifffile.TiffPage) -> tuple[Pixels, str]:
    """Decode a page by tifffile, and say what is odd about its values, if anything is.

    Raises:
        ValueError: it is damaged, or its fields describe no picture.
    """
    if page.compression not in tifffile.TIFF.DECOMPRESSORS:
        raise NotReadable(f"the compression of this TIFF ({_name(COMPRESSION, page.compression)}) cannot be read")
    pixels = page.asarray()
    if pixels.dtype == bool:
        black_is_0 = pixels if page.photometric == PHOTOMETRIC.MINISBLACK else ~pixels
        oddity = "" if fax.is_clean(page, pixels) else _DAMAGED.format("fax")
        return (np.where(black_is_0, np.uint8(255), np.uint8(0)), None), oddity
    colors = int(page.photometric)
    channels = _COLOR_CHANNELS.get(colors, 0)
    pixels = _channels_last(page, pixels, channels)
    profile = _profile(page)
    if colors in {PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB}:
        return (_lab(pixels[..., :3], legacy=colors == PHOTOMETRIC.ICCLAB), None), ""
    if colors == PHOTOMETRIC.PALETTE and page.colormap is not None:
        return (to_srgb(_palette(page)[pixels[..., 0]], profile), None), ""
    pixels, oddity = _levels(page, pixels)
    oddity = oddity or _coded_oddity(page)
    alpha, associated = _alpha(page, pixels, channels)
    pixels = pixels[..., :channels]
    if alpha is not None and associated:
        pixels = unassociated(pixels, alpha)
    if colors == PHOTOMETRIC.MINISWHITE:
        pixels = np.iinfo(pixels.dtype).max - pixels
    if colors == PHOTOMETRIC.YCBCR and page.compression not in {_OLD_JPEG, _JPEG}:  # JPEGs are RGB by now
        pixels = _rgb_of_ycbcr(page, pixels)
    if colors == PHOTOMETRIC.SEPARATED:
        if page.tags.valueof(332, 1) != 1:
            raise NotReadable("the inks of this TIFF are not cyan, magenta, yellow and black")
        pixels = _inks(page, pixels)
        return (profiles.cmyk_to_srgb(pixels, profile), alpha), oddity
    found, _ = split_alpha(np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels), profile)
    return (found, alpha), oddity


def _channels_last(page: tifffile.TiffPage, pixels: NDArray[Any], channels: int) -> NDArray[Any]:
    """Return pixels as (H, W, C).

    Raises:
        NotReadable: the page has other dimensions, or fewer channels than its colors need.
    """
    if pixels.ndim == 3 and page.planarconfig == 2:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3:
        raise NotReadable(f"the pages of this TIFF have {pixels.ndim} dimensions")
    if not 0 < channels <= pixels.shape[2]:
        what = _name(PHOTOMETRIC, page.photometric)
        raise NotReadable(f"the {pixels.shape[2]} channels of this TIFF ({what}) cannot be read")
    return pixels


def _palette(page: tifffile.TiffPage) -> NDArray[np.uint8]:
    """Return the colors (N, 3) of a palette."""
    assert page.colormap is not None
    colormap = page.colormap.astype(np.uint16)
    if colormap.max(initial=0) < 256:  # some writers give 8 bits where 16 are meant
        colormap *= 257
    return np.moveaxis(((colormap.astype(np.uint32) + 128) // 257).astype(np.uint8), 0, -1)


def _profile(page: tifffile.TiffPage) -> bytes:
    """Return the profile that a page embeds, or one for its primaries; b"" for sRGB."""
    if page.iccprofile or page.photometric != PHOTOMETRIC.RGB:
        return page.iccprofile or b""
    return color_tags.of_tiff(page.tags.valueof(_PRIMARIES), page.tags.valueof(_WHITE_POINT))


def _coded_oddity(page: tifffile.TiffPage) -> str:
    """Describe what is odd about the codes in the strips or tiles of a page; empty if nothing is.

    Raises:
        ValueError: a JPEG is damaged.
    """
    if page.compression not in {_JPEG, *_SILENT}:
        return ""
    tables = page.jpegtables[2:-2] if page.jpegtables else b""  # between the marks of their start and end
    file = page.parent.filehandle
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=False):
        if size:
            file.seek(offset)
            data = file.read(size)
            jpeg = page.compression == _JPEG
            oddity = decode.jpeg_oddity(data[:2] + tables + data[2:]) if jpeg else damage.remark_on_gaps(data)
            if oddity:
                return oddity
    return ""


def old_jpeg_oddity(stream: BinaryIO, page: tifffile.TiffPage) -> str:
    """Describe what is odd about a JPEG as it was before 1995, if a page has a whole one; empty if nothing is."""
    start = _stated(page, _JPEG_START, min)
    if page.compression != _OLD_JPEG or start is None:
        return ""
    stream.seek(int(start))
    data = stream.read()
    if not data.startswith(b"\xff\xd8\xff") or not containers.has_jpeg_scan(data):
        return ""
    try:
        return decode.jpeg_oddity(data)
    except ValueError:
        return _DAMAGED.format("JPEG")


def _levels(page: tifffile.TiffPage, pixels: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Scale values to uint8 or uint16 by the range that the page declares, or else by that of their type."""
    low, high = _stated(page, _SMIN, min), _stated(page, _SMAX, max)
    bits, kind = page.bitspersample, pixels.dtype.kind
    if kind not in "uif":
        raise NotReadable(f"the values of this TIFF, of type {pixels.dtype}, cannot be read")
    if kind == "f":
        return _float_levels(pixels, low, high)
    smallest, largest = (0, 2**bits - 1) if kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if low is not None or high is not None:
        low, high = smallest if low is None else low, largest if high is None else high
        if smallest <= low < high <= largest and (low, high) != (smallest, largest):
            return scaled(pixels, low, high), ""
    if kind == "u" and bits in {8, 16}:
        return pixels, ""
    if kind == "u" and bits < 16:
        return scaled_to_sixteen_bits(pixels, bits), ""
    return scaled(pixels, smallest, largest), ""


def _float_levels(pixels: NDArray[Any], low: float | None, high: float | None) -> tuple[NDArray[Any], str]:
    """Scale floating point numbers, which are 0..1 unless the page declares otherwise."""
    if low is not None and high is not None and low < high and np.isfinite([low, high]).all() and high < 1e30:
        return scaled(pixels, low, high), ""
    finite = np.isfinite(pixels)
    numbers, above = np.count_nonzero(finite), np.count_nonzero((pixels > 1) & finite)
    top, oddity = 1.0, ""
    if 2 * above > numbers:
        largest = float(pixels.max(where=finite, initial=0))
        top = 255.0 if largest <= 255 else 65535.0
        oddity = f"its floating point values go up to {largest:g}, unexplained by the file; 0 to {top:g} was assumed"
    elif beyond := above + np.count_nonzero((pixels < 0) & finite):
        oddity = f"{beyond / numbers:.2%} of its floating point values are outside 0 to 1 and were clipped"
    return scaled(pixels, 0.0, top), oddity


def _stated(page: tifffile.TiffPage, tag: int, choose: Any) -> float | None:
    value = page.tags.valueof(tag)
    if value is None:
        return None
    try:
        return float(choose(value) if isinstance(value, tuple) else value)
    except (TypeError, ValueError):
        return None


def _alpha(page: tifffile.TiffPage, pixels: NDArray[Any], channels: int) -> tuple[NDArray[Any] | None, bool]:
    """Return the alpha channel and whether the colors are multiplied by it; other extra samples are left out."""
    for index, meaning in enumerate(page.extrasamples):
        if meaning in {_ASSOCIATED, _UNASSOCIATED} and channels + index < pixels.shape[2]:
            return np.ascontiguousarray(pixels[..., channels + index]), meaning == _ASSOCIATED
    return None, False


def _lab(pixels: NDArray[Any], *, legacy: bool) -> NDArray[Any]:
    """Convert CIELab of 8 or 16 bits; in the encoding of ICC profiles a and b are unsigned."""
    if pixels.dtype.kind == "f":
        return profiles.lab_to_srgb(pixels[..., 0], pixels[..., 1:], np.uint16)
    if pixels.dtype not in (np.uint8, np.uint16, np.int8, np.int16):
        raise NotReadable(f"the CIELab values of this TIFF, of type {pixels.dtype}, cannot be read")
    wide = pixels.dtype.itemsize == 2
    values: NDArray[Any] = pixels.view(np.uint16 if wide else np.uint8)
    step = 256.0 if wide else 1.0
    lightness = values[..., 0] / ((65280 if legacy else 65535) if wide else 255) * 100
    ab: NDArray[Any] = values[..., 1:]
    coded: NDArray[Any] = ab if legacy else ab.view(np.int16 if wide else np.int8)
    signed = coded / step - (128 if legacy else 0)
    return profiles.lab_to_srgb(lightness, signed, np.uint16 if wide else np.uint8)


def _rgb_of_ycbcr(page: tifffile.TiffPage, pixels: NDArray[Any]) -> NDArray[Any]:
    """Convert YCbCr by the coefficients and the reference black and white that a page states, or the usual ones."""
    top = float(np.iinfo(pixels.dtype).max)
    red, green, blue = _fractions(page, _COEFFICIENTS, 3) or (0.299, 0.587, 0.114)
    half = (top + 1) / 2
    reference = _fractions(page, _REFERENCE, 6) or [0.0, top, half, top, half, top]
    if max(reference) <= 255:  # as tifffile and others write it at any depth
        reference = [value * top / 255 for value in reference]
    black, white, *chroma = reference
    values = pixels.astype(np.float64)
    y = (values[..., 0] - black) * top / (white - black)
    cb, cr = (
        (values[..., at + 1] - zero) * (top / 2) / (most - zero)
        for at, (zero, most) in enumerate(zip(chroma[::2], chroma[1::2], strict=True))
    )
    r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
    rgb = np.stack((r, (y - red * r - blue * b) / green, b), axis=-1)
    return np.clip(rgb.round(), 0, top).astype(pixels.dtype)


def _fractions(page: tifffile.TiffPage, tag: int, count: int) -> list[float]:
    """Return the values of a field of fractions; nothing if their number differs, or one divides by zero."""
    try:
        found = [above / below for above, below in _pairs(page.tags.valueof(tag))]
    except (TypeError, ValueError, ZeroDivisionError):
        return []
    usable = len(found) == count and (count == 3 or all(low < high for low, high in _pairs(found)))
    return found if usable else []


def _pairs(values: Sequence[float]) -> zip[tuple[float, float]]:
    return zip(values[::2], values[1::2], strict=True)


def _inks(page: tifffile.TiffPage, pixels: NDArray[Any]) -> NDArray[Any]:
    """Scale inks to 0 for none, by the values that a page states for none and for all of them."""
    top = np.iinfo(pixels.dtype).max
    stated = page.tags.valueof(_DOT_RANGE)
    if not isinstance(stated, tuple) or len(stated) < 2 or stated[0] == stated[1] or stated[:2] == (0, top):
        return pixels
    none, full = stated[:2]
    share = np.clip((pixels.astype(np.float64) - none) / (full - none), 0, 1)
    scaled_inks: NDArray[Any] = (share * top).round().astype(pixels.dtype)
    return scaled_inks


def _name(kind: type[Enum], number: int) -> str:
    try:
        return kind(number).name
    except ValueError:
        return str(number)
