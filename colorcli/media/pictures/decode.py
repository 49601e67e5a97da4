"""From an opened file to upright sRGB pixels and to the metadata that must survive."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import imagecodecs
import numpy as np
import tifffile
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from colorcli.media import formats
from colorcli.media.pictures import metadata, profiles
from colorcli.media.pictures.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from colorcli.media.formats import Format

# What these libraries say about a file is for our own errors to say; a good picture with odd metadata is no news.
warnings.filterwarnings("ignore", module=r"PIL\.")
for _library in ("tifffile", "PIL"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

# Anything that a damaged file makes a decoder raise.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, OverflowError, AttributeError,
    ZeroDivisionError, RuntimeError, MemoryError, tifffile.TiffFileError, Image.DecompressionBombError,
)  # fmt: skip

# Pillow's own classes and not Image.open, whose limit on pixels is one for the whole process.
_OPENERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}


def open_image(stream: BinaryIO, kind: Format) -> ImageFile.ImageFile:
    """Read the header of a file of this kind.

    Raises:
        ImportError: it is HEIC, and the extra for it is not installed.
    """
    if kind.name == "HEIC":
        return _heif_opener()(stream)
    return _OPENERS[kind.name](stream)


def _heif_opener() -> Callable[[BinaryIO], ImageFile.ImageFile]:
    from pillow_heif import HeifImageFile

    return cast("Callable[[BinaryIO], ImageFile.ImageFile]", HeifImageFile)


# Metadata --------------------------------------------------------------------------------------------------------


def tiff_pages(tiff: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    """Yield the pages of a TIFF file, one in memory at a time."""
    if not len(tiff.pages):
        raise ValueError("it has no pages")
    for index in range(len(tiff.pages)):
        page = tiff.pages[index]
        assert isinstance(page, tifffile.TiffPage)
        yield page


def tiff_orientation(page: tifffile.TiffPage) -> int:
    """Return the orientation of a page, 1 to 8."""
    number = page.tags.valueof(metadata.ORIENTATION, 1)
    return number if number in range(1, 9) else 1


def read_tiff_metadata(stream: BinaryIO, page: tifffile.TiffPage) -> Metadata:
    """Collect what must survive of a TIFF; only XMP where Pillow does not know the kind of its pixels."""
    stream.seek(0)
    try:
        with open_image(stream, formats.FORMATS["TIFF"]) as image:
            return read_metadata(image)
    except DECODER_ERRORS:
        return Metadata(xmp=bytes(page.tags.valueof(700, b"")))


def read_metadata(image: ImageFile.ImageFile) -> Metadata:
    """Collect what must survive; a part that is broken is left out."""
    info = image.info
    comment = info.get("comment", b"")
    return Metadata(
        exif=_exif(image),
        iptc=_iptc(image),
        xmp=_xmp(image),
        dpi=_dpi(image),
        text={
            key: str(value)
            for key, value in (image.text if isinstance(image, PngImagePlugin.PngImageFile) else {}).items()
            if not key.startswith(("Raw profile type", "XML:com.adobe.xmp"))
        },
        comment=comment.encode() if isinstance(comment, str) else comment,
        loop=info.get("loop"),
    )


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    try:
        number = image.getexif().get(metadata.ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1
    return number if number in range(1, 9) else 1


def _exif(image: ImageFile.ImageFile) -> bytes:
    """Return EXIF as one TIFF structure; that of a TIFF file is gathered from its first directory."""
    if image.format != "TIFF":
        exif = image.info.get("exif", b"")
        return exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""
    try:
        exif = Image.Exif()
        exif.endian = "<"
        gathered = image.getexif()
        exif.update({tag: value for tag, value in gathered.items() if tag in metadata.DESCRIPTIVE_TAGS})
        for directory in (0x8769, 0x8825):
            if fields := gathered.get_ifd(directory):
                exif.get_ifd(directory).update(fields)
        return exif.tobytes().removeprefix(b"Exif\0\0") if len(exif) or exif.get_ifd(0x8769) else b""
    except DECODER_ERRORS:
        return b""


def _iptc(image: ImageFile.ImageFile) -> bytes:
    try:
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            records = image.tag_v2.get(33723, b"")
            if isinstance(records, tuple):  # many writers say that the records are 32-bit numbers
                records = np.array(records, ">u4" if image.tag_v2.prefix == b"MM" else "<u4").tobytes()
            return cast("bytes", records) or metadata.iptc_in_photoshop(image.tag_v2.get(34377, b""))
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            resources = next((data for name, data in image.applist if name == "APP13"), b"")
            return metadata.iptc_in_photoshop(resources)
        if isinstance(image, PngImagePlugin.PngImageFile):
            hexadecimal = str(image.info.get("Raw profile type iptc", "")).split()[2:]
            return metadata.iptc_in_photoshop(bytes.fromhex("".join(hexadecimal)))
    except DECODER_ERRORS:
        pass
    return b""


def _xmp(image: ImageFile.ImageFile) -> bytes:
    packet = image.info.get("xmp", b"")
    if image.format == "GIF":  # Pillow leaves it in the file
        stream = cast("BinaryIO", image.fp)
        stream.seek(0)
        packet = metadata.packet_in(stream.read())
    if isinstance(packet, tuple):  # a TIFF tag of single bytes
        packet = bytes(packet)
    return packet.encode() if isinstance(packet, str) else packet


def _dpi(image: ImageFile.ImageFile) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    # 1 is what Pillow says where a file says nothing.
    return (across, down) if 1 < across < 1e6 and 1 < down < 1e6 else None


# Pixels ----------------------------------------------------------------------------------------------------------

Pixels = tuple["NDArray[Any]", "NDArray[Any] | None"]


def decode_jpeg(data: bytes, image: ImageFile.ImageFile) -> Pixels:
    """Decode a whole JPEG file."""
    # Decoders fill what is missing with gray and say nothing.
    if data.rfind(b"\xff\xd9") < cast("BinaryIO", image.fp).tell():
        raise OSError("the file is cut off before the end of the picture")
    if image.mode == "CMYK":
        return decode_image(image)
    pixels: NDArray[Any] = imagecodecs.jpeg8_decode(data)
    return to_srgb(pixels, _profile(image)), None


def decode_png16(data: bytes, image: ImageFile.ImageFile) -> Pixels:
    """Decode a PNG of 16 bits per channel, which Pillow would cut to 8 where it has color or alpha."""
    return split_alpha(imagecodecs.png_decode(data), _profile(image))


def decode_image(image: Image.Image) -> Pixels:
    """Decode what Pillow reads at full depth, in any of its modes."""
    profile = _profile(image)
    mode = image.mode
    if mode == "CMYK":
        # Pillow hands out the numbers of Adobe's inverted JPEGs the right way round.
        return profiles.cmyk_to_srgb(np.asarray(image), profile), None
    if mode == "LAB":
        return np.asarray(profiles.lab_to_srgb(image)), None
    if mode.startswith("I;16"):
        return to_srgb(np.asarray(image).astype(np.uint16, copy=False), profile), None
    if mode in {"I", "F"}:
        return to_srgb(_sixteen_bits(np.asarray(image)), profile), None
    if image.has_transparency_data:
        gray = mode in {"1", "L", "LA", "La"}
        return split_alpha(np.asarray(image.convert("LA" if gray else "RGBA")), profile)
    if mode == "1":
        image = image.convert("L")
    elif mode not in {"L", "RGB"}:
        image = image.convert("RGB")
    return to_srgb(np.asarray(image), profile), None


def is_for_tifffile(page: tifffile.TiffPage) -> bool:
    """Tell which of the two reads a page.

    tifffile knows every depth and is silent about damage; Pillow knows faxes, small palettes, CIELab and odd YCbCr.
    """
    colors = int(page.photometric)
    return page.bitspersample > 8 or (page.bitspersample == 8 and (colors in {0, 1, 2, 5} or page.compression == 7))


def decode_tiff_page(page: tifffile.TiffPage) -> Pixels:
    """Decode a TIFF page by tifffile: 8, 16 and 32 bits, floating point, any layout."""
    pixels = page.asarray()
    if pixels.ndim == 3 and page.planarconfig == 2:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim not in {2, 3}:
        raise ValueError(f"pages of {pixels.ndim} dimensions are no pictures")
    if pixels.dtype not in (np.uint8, np.uint16):
        pixels = _sixteen_bits(pixels)
    elif pixels.dtype == np.uint16 and 8 < page.bitspersample < 16:
        pixels = (pixels.astype(np.uint32) * 65535 // (2**page.bitspersample - 1)).astype(np.uint16)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        pixels = np.iinfo(pixels.dtype).max - pixels
    profile = page.iccprofile or b""
    if page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
        return profiles.cmyk_to_srgb(pixels[..., :4], profile), None
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        return np.moveaxis(page.colormap[:, pixels], 0, -1), None
    if page.photometric not in (0, 1, 2, 6):
        raise ValueError(f"its colors are {page.photometric!r} at {page.bitspersample} bits")
    if pixels.ndim == 3 and pixels.shape[2] in {2, 4} and not set(page.extrasamples) & {1, 2}:
        pixels = pixels[..., :-1]  # a further channel that is not said to be alpha
    return split_alpha(pixels, profile)


def to_srgb(pixels: NDArray[Any], profile: bytes) -> NDArray[Any]:
    """Bring (H, W) or (H, W, 3) pixels to sRGB; color with three equal channels becomes gray (H, W)."""
    if pixels.ndim == 3 and _is_gray(pixels):
        pixels = np.ascontiguousarray(pixels[..., 0])
        if profiles.is_gray(profile):  # a gray profile in a color file is a mistake
            return pixels
    if not profile:
        return pixels
    return profiles.gray_to_srgb(pixels, profile) if pixels.ndim == 2 else profiles.rgb_to_srgb(pixels, profile)


def upright(pixels: NDArray[Any], number: int) -> NDArray[Any]:
    """Turn pixels as EXIF orientation 1 to 8 says."""
    if number >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if number in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if number in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def split_alpha(pixels: NDArray[Any], profile: bytes) -> Pixels:
    """Split alpha, the second or fourth channel, from what a profile speaks of."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels not in {1, 2, 3, 4}:
        raise ValueError(f"it has {channels} channels")
    if channels in {1, 3}:
        return to_srgb(pixels.reshape(pixels.shape[:2]) if channels == 1 else pixels, profile), None
    alpha = np.ascontiguousarray(pixels[..., -1])
    color = pixels[..., 0] if channels == 2 else pixels[..., :3]
    return to_srgb(np.ascontiguousarray(color), profile), alpha


def _profile(image: Image.Image) -> bytes:
    """Return the profile that a file embeds or else speaks of, b"" for sRGB."""
    if profile := image.info.get("icc_profile"):
        return cast("bytes", profile)
    if image.format == "PNG" and "gamma" in image.info and "srgb" not in image.info:
        return profiles.of_gamma(image.info["gamma"])
    try:
        if (
            image.format == "JPEG"
            and image.getexif().get_ifd(metadata.INTEROP_IFD).get(metadata.INTEROP_INDEX) == "R03"
        ):
            return profiles.adobe_rgb()
    except DECODER_ERRORS:
        pass
    return b""


def _is_gray(pixels: NDArray[Any]) -> bool:
    """Tell whether three channels are equal; a look at few rows spares most color pictures the whole."""
    rows = pixels[:: max(1, len(pixels) // 16)]
    return all(
        np.array_equal(part[..., 0], part[..., 1]) and np.array_equal(part[..., 1], part[..., 2])
        for part in (rows, pixels)
    )


def _sixteen_bits(pixels: NDArray[Any]) -> NDArray[Any]:
    """Bring integers and floating point numbers of unknown meaning to 0..65535.

    The range is the smallest that makes sense of the values: 0..1, 0..255, 0..65535; else their own.
    """
    values = np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    if low >= 0 and high <= 65535:
        is_float = np.issubdtype(pixels.dtype, np.floating)
        top = (1.0 if high <= 1 else 255.0 if high <= 255 else 65535.0) if is_float else 65535.0
        low, high = 0.0, top
    return ((values - low) * (65535 / (high - low))).round().astype(np.uint16)


def iterate_pages(image: ImageFile.ImageFile) -> Iterator[Image.Image]:
    """Yield each page or frame of a file, the same object each time."""
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        yield image
