"""Pictures in and out: the upright sRGB frames that a file shows, and back with everything else that it carried."""

from __future__ import annotations

import contextlib
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import tifffile

from colorcli.errors import UnreadableMedia
from colorcli.files import shown
from colorcli.media import formats
from colorcli.media.pictures import (
    color_tags,
    containers,
    damage,
    decode,
    decode_tiff,
    exif,
    jpeg,
    profiles,
    read_metadata,
    xmp,
)
from colorcli.media.pictures.coded_sizes import coded_sizes
from colorcli.media.pictures.encoder_input import PageDescription
from colorcli.media.pictures.metadata import Metadata, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from PIL import ImageFile

    from colorcli.media.formats import Format

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Frame",
    "Picture",
    "Provenance",
    "open_picture",
]

DEFAULT_MAX_PIXELS = 250_000_000
"""A picture of more pixels is refused unless allowed: a file of a few bytes can claim any size."""

_STDIN = "standard input"
_DEVELOP = "Develop it first, and use the developed picture."
_MAX_REASON_LENGTH = 200  # characters of what a decoder says


@dataclass(frozen=True)
class Frame:
    """One picture, page or frame: sRGB-encoded, full range, upright.

    Attributes:
        pixels: gray (H, W) or color (H, W, 3), uint8 or uint16.
        alpha: (H, W) of the same type, or None where nothing is transparent.
        seconds: how long a frame of an animation is shown; 0 for a still.
        page: what describes it, if it is a page of a TIFF.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None
    seconds: float = 0.0
    page: PageDescription | None = None


class Picture:
    """An opened picture file, and everything of it that must survive.

    Attributes:
        name: what to call the file in messages.
        path: where it is; None for a stream.
        format: "JPEG", "PNG", "TIFF", "WebP", "BMP", "GIF", "AVIF" or "HEIC".
        count: how many frames or pages there are.
        size: width and height of the first, upright.
        kept: its metadata.
        bits: per channel.
        quality: quality to write at in a lossy format, 1 to 100.
        lossless: whether a WebP is.
        total_pixels: number of pixels in all frames.
        remarks: what is odd about the file or cannot be kept, in words; decoding may add to them.
    """

    count: int
    size: tuple[int, int]
    kept: Metadata
    total_pixels: int

    def __init__(self, source: Path | BinaryIO, max_pixels: int) -> None:
        self.path = source if isinstance(source, Path) else None
        self.name = shown(source) if isinstance(source, Path) else _name_of(source)
        self.remarks: list[str] = []
        self._max_pixels = max_pixels
        self._reopened = False
        self._data, self._kind = self._read(source)
        self.quality, self.lossless = jpeg.DEFAULT_QUALITY, False
        self.bits, self._first_frame = 8, 0
        with self._explained():
            if self.format == "TIFF":
                self._read_tiff_header()
            elif self.format == "JPEG":
                self._read_jpeg_header()
            else:
                self._read_header()
        if self.kept.lost:
            self.remarks.append(f"the output does not keep {listed(self.kept.lost)}")

    def _read_jpeg_header(self) -> None:
        frame = containers.jpeg_frame(self._data)
        self._check_size((frame.width, frame.height))
        self.count, self.bits = 1, frame.bits
        self.kept = read_metadata.read_metadata(None, self._data, "JPEG")
        self._orientation = read_metadata.orientation(self.kept)
        self.size = _turned((frame.width, frame.height), self._orientation)
        self.total_pixels = frame.width * frame.height
        self.quality = jpeg.jpeg_quality(self._data)

    def _read_header(self) -> None:
        if self._data[12:16] == b"CgBI":
            raise decode.NotReadable("this is a PNG for iPhone apps", "Convert it first, such as with: pngdefry")
        with self._opened() as image:
            self._check_size(image.size)
            if self.format == "GIF":  # before Pillow counts its frames, however many there are
                self.kept = read_metadata.read_metadata(image, self._data, self.format)
            self.count = getattr(image, "n_frames", 1)
            if self.count > 1 and image.info.get("default_image"):
                self._first_frame = 1
                self.count -= 1
                self.remarks.append("the output does not keep the picture that viewers without animation show")
            self.kept = read_metadata.read_metadata(image, self._data, self.format)
            self._orientation = 1 if self.format == "HEIC" else read_metadata.orientation(self.kept)
            self.size = _turned(image.size, self._orientation)
            self.total_pixels = image.width * image.height * self.count
            if self.format == "WebP":
                self.lossless = containers.is_lossless_webp(self._data)
            elif self.format == "PNG":
                self.bits = self._data[24]
            elif self.format == "AVIF":
                self.bits = decode.avif_bits(self._data)
            elif self.format == "HEIC":
                self.bits = image.info.get("bit_depth", 8)

    def _read_tiff_header(self) -> None:
        with self._stream() as stream:
            if decode_tiff.is_raw(stream):
                raise decode.NotReadable(
                    "this is a raw camera file", "Develop it first, and use the developed picture."
                )
            stream.seek(0)
            with tifffile.TiffFile(stream) as tiff:
                decode_tiff.check_page_count(tiff)
                page = next(decode_tiff.tiff_pages(tiff))
                self._check_page(page)
                self.count = len(tiff.pages)
                self._orientation = decode_tiff.tiff_orientation(page)
                self.size = _turned((page.imagewidth, page.imagelength), self._orientation)
                self.bits = page.bitspersample
                self.kept = read_metadata.read_tiff_metadata(stream, page.offset)
                first = page.imagewidth * page.imagelength
                self.total_pixels = first * self.count
                if self.count > 1:
                    sizes = (each.imagewidth * each.imagelength for each in decode_tiff.tiff_pages(tiff))
                    self.total_pixels = sum(sizes)

    @property
    def format(self) -> str:
        """The name of the file's format."""
        return self._kind.name

    @property
    def provenance(self) -> Provenance | None:
        """What made the colors, if an earlier run did."""
        return xmp.provenance_in(self.kept.xmp)

    def read(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            UnreadableMedia: it is gone.
        """
        if not self._reopened:
            return self._data
        assert self.path is not None
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise UnreadableMedia(f"{self.name}: {error.strerror or error}.") from error

    def frames(self, share: float = 1.0) -> Iterator[Frame]:
        """Decode frame by frame: only the last one is in memory.

        Args:
            share: share of the width and height that is enough; JPEGs may then be decoded at a smaller size, which is
                quicker.

        Raises:
            UnreadableMedia: the file is damaged, cut off, or a page is larger than allowed.
        """
        with self._explained():
            if self.format == "TIFF":
                yield from self._tiff_frames()
                return
            if self.format in {"WebP", "AVIF", "HEIC"}:
                metadata = (self.kept.exif, self.kept.xmp, self.kept.profile)
                self._remark(damage.remark_on_gaps(self._data, apart_from=metadata))
            if self.format == "AVIF":
                self._remark(damage.remark_on_av1(self._data, self._max_pixels))
            profile = self._profile()
            if self.format == "JPEG":
                if not profile and exif.is_adobe_rgb(self.kept.exif):
                    profile = profiles.adobe_rgb()
                pixels, oddity = decode.decode_jpeg(self._data, containers.jpeg_frame(self._data), profile, share)
                self._remark(oddity)
                yield self._frame(pixels, self._orientation)
                return
            if self.format == "AVIF" and self.bits > 8 and self.count == 1:
                yield self._frame(decode.decode_avif16(self._data, self.bits, profile), self._orientation)
                return
            if self.format == "HEIC" and self.bits > 8:
                for index in range(self.count):
                    yield self._frame(decode.decode_heic(self._data, index, profile), 1)
                return
            yield from self._pillow_frames(profile)

    def _profile(self) -> bytes:
        """Return the profile by which to read the pixels; b"" for sRGB."""
        if self.format == "BMP":
            return color_tags.of_bmp(self._data)
        points = None
        if self.format == "PNG":
            points = color_tags.png_code_points(self._data)
        elif self.format in {"AVIF", "HEIC"} and not self.kept.profile:
            points = color_tags.heif_code_points(self._data)
        if points is None:
            return self.kept.profile
        if points[1] in {color_tags.PQ, color_tags.HLG}:
            self._remark("its high dynamic range is clipped: whatever is brighter than white became white")
        return color_tags.of_code_points(*points) or profiles.srgb()

    def _pillow_frames(self, profile: bytes) -> Iterator[Frame]:
        with self._opened() as image:
            profile = profile or decode.profile_of(image)
            still = self.count == 1 and not self._first_frame
            if self.format == "PNG" and still and decode.is_for_libpng(self._data):
                yield self._frame(decode.decode_png(read_metadata.png_pixels(self._data), profile), self._orientation)
                return
            for page in decode.iterate_pages(image, self._first_frame):
                page.load()
                seconds = page.info.get("duration", 0) / 1000 if self.count > 1 else 0.0
                yield self._frame(decode.decode_image(page, profile), self._orientation, seconds)

    def _tiff_frames(self) -> Iterator[Frame]:
        with self._stream() as stream, self._stream() as again, tifffile.TiffFile(stream) as tiff:
            image = None
            for index, page in enumerate(decode_tiff.tiff_pages(tiff)):
                self._check_page(page)
                description = PageDescription(*read_metadata.read_page(stream, page.offset))
                if decode_tiff.is_for_tifffile(page):
                    for size in coded_sizes(stream, page):
                        self._check_size(size)
                    pixels, oddity = decode_tiff.decode_tiff_page(page)
                    self._remark(oddity)
                    yield self._frame(pixels, decode_tiff.tiff_orientation(page), page=description)
                    continue
                self._remark(decode_tiff.old_jpeg_oddity(stream, page))
                image = image or decode.open_image(again, self._kind)
                image.seek(index)
                image.load()  # turns the picture upright
                yield self._frame(decode.decode_image(image), 1, page=description)

    def _frame(
        self, pixels: decode.Pixels, orientation: int, seconds: float = 0.0, page: PageDescription | None = None
    ) -> Frame:
        colors, alpha = pixels
        upright = None if alpha is None else decode.upright(alpha, orientation)
        return Frame(decode.upright(colors, orientation), upright, seconds, page)

    def _remark(self, words: str) -> None:
        if words and words not in self.remarks:
            self.remarks.append(words)

    def _read(self, source: Path | BinaryIO) -> tuple[bytes, Format]:
        """Read the whole file, except a TIFF's, which may be many times larger than one page of it."""
        try:
            if isinstance(source, Path):
                _check_kind_of_file(source)
                with source.open("rb") as file:
                    head = file.read(4096)
                    kind, found = formats.sniff(head)
                    self._reopened = kind is not None and kind.name == "TIFF" and source.is_file()
                    data = head if kind is None or self._reopened else head + file.read()
            else:
                data = source.read()
                kind, found = formats.sniff(data[:4096])
        except OSError as error:
            raise UnreadableMedia(f"{self.name}: {error.strerror or error}.") from error
        if kind is None:
            what = "the file is empty" if not data else f"this is {found}"
            known = ", ".join(formats.FORMATS)
            raw = "raw camera" in found
            hint = _DEVELOP if raw else f"Pictures can be {known}."
            raise UnreadableMedia(f"{self.name}: {what}.", hint)
        return data, kind

    @contextlib.contextmanager
    def _opened(self) -> Iterator[ImageFile.ImageFile]:
        data = read_metadata.png_pixels(self._data) if self.format == "PNG" else self._data
        with BytesIO(data) as stream, decode.open_image(stream, self._kind) as image:
            yield image

    def _stream(self) -> BinaryIO:
        if self._reopened:
            assert self.path is not None
            return self.path.open("rb")
        return BytesIO(self._data)

    def _check_size(self, size: tuple[int, int]) -> None:
        width, height = size
        if width * height > self._max_pixels:
            raise UnreadableMedia(
                f"{self.name}: {width} x {height} pixels are more than the limit of {self._max_pixels:,}.",
                f"If you trust the file, allow it with --max-pixels {width * height}.",
            )

    def _check_page(self, page: tifffile.TiffPage) -> None:
        self._check_size((page.imagewidth, page.imagelength))
        if (needed := decode_tiff.decoded_pixels(page)) > self._max_pixels:
            raise UnreadableMedia(
                f"{self.name}: a page takes the memory of {needed:,} pixels, more than the limit of "
                f"{self._max_pixels:,}, because of its tiles or its {page.samplesperpixel} channels.",
                f"If you trust the file, allow it with --max-pixels {needed}.",
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Convert exceptions of decoders to an error that names the file."""
        try:
            yield
        except ImportError:
            raise UnreadableMedia(
                f"{self.name}: HEIC pictures need an extra that is not installed.",
                'Install it: pip install "colorcli[heic]"',
            ) from None
        except decode.NotReadable as error:
            raise UnreadableMedia(f"{self.name}: {error.what}.", error.hint) from None
        except decode.DECODER_ERRORS as error:
            reason = " ".join(str(error).split())[:_MAX_REASON_LENGTH].rstrip(".") or type(error).__name__
            raise UnreadableMedia(
                f"{self.name}: this {self.format} file is damaged or incomplete ({reason}).",
                "Get the file again, or repair it in an image editor.",
            ) from error


def _check_kind_of_file(path: Path) -> None:
    """Refuse devices, which never end, and named pipes, which may never begin; `<(command)` is read.

    Raises:
        OSError: it is one of them.
    """
    mode = path.stat().st_mode
    shell = str(path).startswith(("/dev/fd/", "/proc/"))
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISSOCK(mode) or (stat.S_ISFIFO(mode) and not shell):
        raise OSError(0, "this is a device or a pipe, not a file; - reads standard input")


def _name_of(stream: BinaryIO) -> str:
    """Return the name of the file that a stream reads; standard input has a number, or <stdin>."""
    name = getattr(stream, "name", None)
    return name if isinstance(name, str) and name != "<stdin>" else _STDIN


def open_picture(source: Path | BinaryIO, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Read the header of a picture and what it carries; its pixels wait for `Picture.frames`.

    Args:
        source: a file, or a stream that is read to its end.
        max_pixels: the most pixels that a frame may have.

    Raises:
        UnreadableMedia: it cannot be read, is not a picture, is damaged, or is too large.
    """
    return Picture(source, max_pixels)


def listed(words: Iterable[str]) -> str:
    """Join words for a sentence."""
    *some, last = dict.fromkeys(words)
    return f"{', '.join(some)} and {last}" if some else last


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    width, height = size
    return (height, width) if orientation >= 5 else (width, height)
