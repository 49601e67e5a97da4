"""From an opened file to sRGB pixels; TIFF pages are decoded by `decode_tiff`."""

from __future__ import annotations

import logging
import struct
import warnings
import zlib
from math import ceil
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

import imagecodecs
import numpy as np
import simplejpeg
import tifffile
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from colorcli.media.pictures import color_tags, containers, profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from colorcli.media.formats import Format

Pixels: TypeAlias = "tuple[NDArray[Any], NDArray[Any] | None]"  # colors, and alpha if there is any

# Our own errors say what is wrong with a file; a good picture with odd metadata is not worth a warning.
warnings.filterwarnings("ignore", module=r"PIL\.")
for _library in ("tifffile", "PIL"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

# Anything that a damaged file makes a decoder raise.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, OverflowError, AttributeError,
    ZeroDivisionError, RuntimeError, MemoryError, AssertionError, struct.error, zlib.error, tifffile.TiffFileError,
    Image.DecompressionBombError,
)  # fmt: skip


class NotReadable(ValueError):
    """A good file of a kind that cannot be read: what it is, and what to do."""

    def __init__(self, what: str, hint: str = "Save it as RGB or gray of 8 or 16 bits in an image editor.") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


# Pillow's own classes and not Image.open, whose limit on pixels is one for the whole process.
_OPENERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}


def open_image(stream: BinaryIO, kind: Format) -> ImageFile.ImageFile:
    """Read the header of a file of this kind, which is not JPEG.

    Raises:
        ImportError: it is HEIC, and the extra for it is not installed.
    """
    if kind.name == "HEIC":
        return _heif_opener()(stream)
    return _OPENERS[kind.name](stream)


def _heif_opener() -> Callable[[BinaryIO], ImageFile.ImageFile]:
    from pillow_heif import HeifImageFile

    return cast("Callable[[BinaryIO], ImageFile.ImageFile]", HeifImageFile)


# JPEG ------------------------------------------------------------------------------------------------------------

_LOSSLESS = 0xC3  # the marker of its frame
_COLORS = {1: "GRAY", 3: "RGB", 4: "CMYK"}  # by number of components
_STRIP = 2**20  # numbers that are scaled at a time
_HARMLESS = 64  # bytes between the picture and the next marker, which some writers leave


def decode_jpeg(data: bytes, frame: containers.JpegFrame, profile: bytes, share: float = 1.0) -> tuple[Pixels, str]:
    """Decode a whole JPEG file, and say what is odd about it, if anything is.

    Args:
        data: the file.
        frame: what it states about its pixels.
        profile: ICC profile, b"" for sRGB.
        share: share of the width and height that is enough.

    Raises:
        ValueError: it is damaged, or of a kind that cannot be decoded.
    """
    if frame.bits > 8 or frame.marker == _LOSSLESS:
        pixels: NDArray[Any] = imagecodecs.jpeg8_decode(data)
        oddity = jpeg_oddity(data)
        if pixels.dtype == np.uint16 and frame.bits < 16:
            pixels = scaled_to_sixteen_bits(pixels, frame.bits)
        return (_jpeg_to_srgb(pixels, data, profile), None), oddity
    if frame.components not in _COLORS:
        raise NotReadable(f"this JPEG has {frame.components} channels")
    colors = _COLORS[frame.components]
    smallest = {} if share >= 1 else {"min_height": ceil(frame.height * share), "min_width": ceil(frame.width * share)}
    pixels, oddity = _decode_strictly(data, colors, **smallest)
    return (_jpeg_to_srgb(pixels[..., 0] if frame.components == 1 else pixels, data, profile), None), oddity


def _jpeg_to_srgb(pixels: NDArray[Any], data: bytes, profile: bytes) -> NDArray[Any]:
    if pixels.ndim == 2 or pixels.shape[2] < 4:
        return to_srgb(pixels, profile)
    if any(marker == 0xEE and body.startswith(b"Adobe") for marker, body in containers.jpeg_segments(data)):
        pixels = np.iinfo(pixels.dtype).max - pixels  # Adobe's are inverted
    return profiles.cmyk_to_srgb(pixels, profile)


def jpeg_oddity(data: bytes) -> str:
    """Describe what is odd about a JPEG, for decoders that keep silent; empty if nothing is.

    Raises:
        ValueError: it is damaged.
    """
    frame = containers.jpeg_frame(data)
    if frame.components not in _COLORS:
        return ""
    # An eighth of each side is enough, but libjpeg crashes where it scales lossless ones.
    smallest = {} if frame.marker == _LOSSLESS else {"min_height": 1, "min_width": 1}
    return _decode_strictly(containers.with_jpeg_bits(data, 8), _COLORS[frame.components], **smallest)[1]


def _decode_strictly(data: bytes, colors: str, **smallest: int) -> tuple[NDArray[Any], str]:
    """Decode a JPEG of 8 bits to (H, W, C), and say how many bytes were skipped, if they are few.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return simplejpeg.decode_jpeg(data, colors, **smallest), ""
    except ValueError as error:
        skipped = str(error).partition("Corrupt JPEG data: ")[2].partition(" extraneous bytes")[0]
        if not (skipped.isdecimal() and int(skipped) <= _HARMLESS):
            raise
        pixels = simplejpeg.decode_jpeg(data, colors, strict=False, **smallest)
        return pixels, f"{skipped} bytes of the picture's data were skipped; it may be damaged"


# PNG and what Pillow reads ---------------------------------------------------------------------------------------


def is_for_libpng(data: bytes) -> bool:
    """Return whether a still PNG is decoded by `decode_png`.

    Pillow would cut 16 bits per channel to 8 where there is color or alpha, and takes three times the memory for gray
    of 1 bit.
    """
    bits, color_type = data[24], data[25]
    return bits == 16 or (bits == 1 and color_type == 0)


def decode_png(data: bytes, profile: bytes) -> Pixels:
    """Decode a PNG at its depth; fewer than 8 bits become 8."""
    return split_alpha(imagecodecs.png_decode(data), profile)


def avif_bits(data: bytes) -> int:
    """Return how many bits per channel an AVIF states: 8, 10 or 12."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


def decode_avif16(data: bytes, bits: int, profile: bytes) -> Pixels:
    """Decode a still AVIF of 10 or 12 bits, which Pillow would cut to 8."""
    return split_alpha(scaled_to_sixteen_bits(imagecodecs.avif_decode(data), bits), profile)


def decode_heic(data: bytes, index: int, profile: bytes) -> Pixels:
    """Decode a picture of a HEIC file at its depth."""
    import pillow_heif

    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
    image = file[index]
    pixels = np.array(image)[:, : image.size[0]]  # a copy, because the memory is the file's; rows may be padded
    if image.premultiplied_alpha:
        pixels = np.dstack((unassociated(pixels[..., :-1], pixels[..., -1]), pixels[..., -1]))
    return split_alpha(pixels, profile)  # 16-bit modes are scaled by pillow_heif


def decode_image(image: Image.Image, profile: bytes | None = None) -> Pixels:
    """Decode what Pillow reads at full depth, in any of its modes.

    Args:
        image: opened or made by Pillow.
        profile: the ICC profile; None for what the image states.
    """
    profile = profile_of(image) if profile is None else profile
    mode = image.mode
    if mode == "CMYK":
        # Pillow returns the numbers of Adobe's inverted JPEGs the right way round.
        return profiles.cmyk_to_srgb(np.asarray(image), profile), None
    if mode == "LAB":
        values = np.asarray(image)  # Pillow returns a and b plus 128
        return profiles.lab_to_srgb(values[..., 0] / 2.55, values[..., 1:].astype(np.float64) - 128, np.uint8), None
    if mode.startswith("I;16"):
        return to_srgb(np.asarray(image).astype(np.uint16, copy=False), profile), None
    if mode in {"I", "F"}:
        values = np.asarray(image)
        top = 65535.0 if mode == "I" else 1.0 if float(values.max(initial=0)) <= 1 else 255.0
        return to_srgb(scaled(values, 0.0, top), profile), None
    if image.has_transparency_data:
        gray = mode in {"1", "L", "LA", "La"}
        return split_alpha(np.asarray(image.convert("LA" if gray else "RGBA")), profile)
    if mode == "1":
        image = image.convert("L")
    elif mode not in {"L", "RGB"}:
        image = image.convert("RGB")
    return to_srgb(np.asarray(image), profile), None


def profile_of(image: Image.Image) -> bytes:
    """Return the profile that an image embeds or one for the primaries and gamma of a PNG; b"" for sRGB."""
    if profile := image.info.get("icc_profile"):
        return cast("bytes", profile)
    return color_tags.of_png(image.info) if image.format == "PNG" else b""


def iterate_pages(image: ImageFile.ImageFile, start: int = 0) -> Iterator[Image.Image]:
    """Yield each page or frame of a file from one on, the same object each time."""
    for index in range(start, getattr(image, "n_frames", 1)):
        image.seek(index)
        yield image


# Pixels ----------------------------------------------------------------------------------------------------------


def to_srgb(pixels: NDArray[Any], profile: bytes) -> NDArray[Any]:
    """Convert (H, W) or (H, W, 3) pixels to sRGB; color with three equal channels becomes gray (H, W)."""
    if pixels.ndim == 3 and _is_gray(pixels):
        pixels = np.ascontiguousarray(pixels[..., 0])
        if profiles.is_gray(profile):  # a gray profile in a color file is a mistake
            return pixels
    if not profile:
        return pixels
    return profiles.gray_to_srgb(pixels, profile) if pixels.ndim == 2 else profiles.rgb_to_srgb(pixels, profile)


def upright(pixels: NDArray[Any], number: int) -> NDArray[Any]:
    """Rotate and mirror pixels by their EXIF orientation, 1 to 8."""
    if number >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if number in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if number in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def split_alpha(pixels: NDArray[Any], profile: bytes) -> Pixels:
    """Split alpha, the second or fourth channel, from the colors, which a profile is about.

    Raises:
        ValueError: there are more than four channels.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels not in {1, 2, 3, 4}:
        raise ValueError(f"it has {channels} channels")
    if channels in {1, 3}:
        return to_srgb(pixels.reshape(pixels.shape[:2]) if channels == 1 else pixels, profile), None
    alpha = np.ascontiguousarray(pixels[..., -1])
    color = pixels[..., 0] if channels == 2 else pixels[..., :3]
    return to_srgb(np.ascontiguousarray(color), profile), alpha


def unassociated(pixels: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Divide colors (H, W, C) by alpha (H, W), which they are multiplied by."""
    top = np.iinfo(pixels.dtype).max
    divided = pixels.astype(np.float32) * (top / np.maximum(alpha, 1).astype(np.float32))[..., None]
    straight: NDArray[Any] = np.minimum(divided.round(), top).astype(pixels.dtype)
    return straight


def scaled(pixels: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """Scale numbers in low..high to uint16; numbers beyond are clipped, and NaN becomes 0.

    This works on some rows at a time: in double precision, all would take four times the memory of the result.
    """
    levels = np.empty(pixels.shape, np.uint16)
    rows = max(1, _STRIP * len(pixels) // max(1, pixels.size))
    for start in range(0, len(pixels), rows):
        part = pixels[start : start + rows]
        with np.errstate(invalid="ignore"):  # signaling NaN
            values = np.nan_to_num(part.astype(np.float64), posinf=high, neginf=low)
        levels[start : start + rows] = (np.clip((values - low) / (high - low), 0, 1) * 65535).round()
    return levels


def scaled_to_sixteen_bits(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """Scale integers of `bits` bits, 1 to 16, to uint16."""
    top = 2**bits - 1
    values = np.minimum(pixels, top).astype(np.uint32)
    levels: NDArray[Any] = ((values * 65535 + top // 2) // top).astype(np.uint16)
    return levels


def _is_gray(pixels: NDArray[Any]) -> bool:
    """Return whether three channels are equal; a look at few rows spares most color pictures the whole."""
    rows = pixels[:: max(1, len(pixels) // 16)]
    return all(
        np.array_equal(part[..., 0], part[..., 1]) and np.array_equal(part[..., 1], part[..., 2])
        for part in (rows, pixels)
    )
