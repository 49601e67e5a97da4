"""Pictures in and out: the upright sRGB frames that a file shows, and back with everything else that it carried."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import stat
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image

from colorcli.errors import UnreadableMedia, UnwritableMedia
from colorcli.files import keep_newer, replacing, shown
from colorcli.media import formats
from colorcli.media.pictures import (
    containers,
    decode,
    decode_tiff,
    encode,
    encoder_input,
    exif,
    jpeg,
    profiles,
    read_metadata,
    xmp,
)
from colorcli.media.pictures.encoder_input import EncoderFrame, PageDescription
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
    "from_image",
    "open_picture",
    "read_provenance",
    "to_image",
    "write_picture",
]

DEFAULT_MAX_PIXELS = 250_000_000
"""A picture of more pixels is refused unless allowed: a file of a few bytes can claim any size."""

_STDIN = "standard input"
_LONGEST_REASON = 200  # characters of what a decoder says


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
        quality: to write at in a lossy format, 1 to 100.
        lossless: whether a WebP is.
        total_pixels: of all frames.
        remarks: what is odd about the file or cannot be kept, in words; decoding may add to them.
    """

    count: int
    size: tuple[int, int]
    kept: Metadata
    total_pixels: int

    def __init__(self, source: Path | BinaryIO, max_pixels: int) -> None:
        self.path = source if isinstance(source, Path) else None
        self.name = shown(source) if isinstance(source, Path) else str(getattr(source, "name", _STDIN))
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
            self.remarks.append(f"the output does not keep {_listed(self.kept.lost)}")

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
                raise _NotAPicture("this is a raw camera file", "Develop it first, and give the developed picture.")
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
        """Decode frame by frame: only the one that was asked for last is in memory.

        Args:
            share: of the sides that is enough; JPEGs may then be decoded smaller, which is quicker.

        Raises:
            UnreadableMedia: the file is damaged, cut off, or a page is larger than allowed.
        """
        with self._explained():
            if self.format == "TIFF":
                yield from self._tiff_frames()
                return
            profile = self.kept.profile
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

    def _pillow_frames(self, profile: bytes) -> Iterator[Frame]:
        with self._opened() as image:
            profile = profile or decode.profile_of(image)
            if self.format == "PNG" and self.bits == 16 and self.count == 1 and not self._first_frame:
                yield self._frame(
                    decode.decode_png16(read_metadata.png_pixels(self._data), profile), self._orientation
                )
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
                    for size in decode_tiff.coded_sizes(stream, page):
                        self._check_size(size)
                    pixels, oddity = decode_tiff.decode_tiff_page(page)
                    self._remark(oddity)
                    yield self._frame(pixels, decode_tiff.tiff_orientation(page), page=description)
                    continue
                image = image or decode.open_image(again, self._kind)
                image.seek(index)
                image.load()  # which turns it upright
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
            hint = "Develop it first, and give the developed picture." if raw else f"Pictures can be {known}."
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
        """Turn what decoders raise for damaged files into an error that names the file."""
        try:
            yield
        except ImportError:
            raise UnreadableMedia(
                f"{self.name}: HEIC pictures need an extra that is not installed.",
                'Install it with: pip install "colorcli[heic]"',
            ) from None
        except _NotAPicture as error:
            raise UnreadableMedia(f"{self.name}: {error.what}.", error.hint) from None
        except decode.DECODER_ERRORS as error:
            reason = " ".join(str(error).split())[:_LONGEST_REASON].rstrip(".") or type(error).__name__
            raise UnreadableMedia(
                f"{self.name}: this {self.format} file is damaged or incomplete ({reason}).",
                "Get the file again, or repair it in an image editor.",
            ) from error


class _NotAPicture(Exception):
    """A file of another kind, found while its header is read."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


def _check_kind_of_file(path: Path) -> None:
    """Refuse devices, which never end, and named pipes, which may never begin; `<(command)` is read.

    Raises:
        OSError: it is one of them.
    """
    mode = path.stat().st_mode
    shell = str(path).startswith(("/dev/fd/", "/proc/"))
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISSOCK(mode) or (stat.S_ISFIFO(mode) and not shell):
        raise OSError(0, "this is a device or a pipe, not a file; - reads standard input")


def open_picture(source: Path | BinaryIO, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Read the header of a picture and what it carries; its pixels wait for `Picture.frames`.

    Args:
        source: a file, or a stream that is read to its end.
        max_pixels: the most pixels that a frame may have.

    Raises:
        UnreadableMedia: it cannot be read, is not a picture, is damaged, or is too large.
    """
    return Picture(source, max_pixels)


def write_picture(
    target: Path | BinaryIO,
    frames: Iterable[Frame],
    like: Picture,
    *,
    format: str | None = None,  # noqa: A002 - the command line's word
    provenance: Provenance,
    overwrite: bool = True,
) -> list[str]:
    """Write color frames as a file that carries what `like` carried and says where the colors came from.

    A file appears whole or not at all. For a format without XMP the provenance goes into `NAME.xmp` beside it.

    Args:
        target: a file, whose folder is made if need be, or a stream.
        frames: color (H, W, 3) with alpha (H, W) or None, uint8 or uint16, as many as `like` has.
        like: the picture that the frames were made from.
        format: a name or suffix; None for the format of `like` if the target has its suffix, else that of the suffix.
        provenance: what made the colors.
        overwrite: replace a target that is there at the end.

    Returns:
        What the output could not keep, in words.

    Raises:
        UnwritableMedia: the format is unknown or cannot hold the frames, or the disk refuses.
    """
    kind = _target_format(target, like, format)
    if like.count > 1 and not kind.holds_many:
        raise UnwritableMedia(
            f"{like.name}: it has {like.count} frames or pages, and a {kind.name} file holds one.",
            "Choose a format that holds many: --format tiff, png, webp or gif.",
        )
    if not isinstance(target, Path):
        whole = BytesIO()
        lost = _encode(whole, frames, like, kind, provenance)
        target.write(whole.getbuffer())
        return lost
    with replacing(target, overwrite=overwrite) as temporary, temporary.open("x+b") as stream:
        lost = _encode(stream, frames, like, kind, provenance)
    if not kind.holds_xmp:
        with replacing(_sidecar(target)) as temporary:
            temporary.write_bytes(xmp.stamped_xmp(like.kept.xmp, provenance))
    if like.path is not None:
        keep_newer(target, like.path)
    return lost


def read_provenance(path: Path) -> Provenance | None:
    """Return what made the colors of a file, from within it or from `NAME.xmp` beside it; None if neither says so.

    Nothing is decoded: XMP packets are found by their text, in any format.
    """
    if not path.is_file():
        return None
    for candidate in (path, _sidecar(path)):
        try:
            with candidate.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if found := xmp.provenance_in(data):
                    return found
        except (OSError, ValueError):  # missing, or empty
            continue
    return None


def from_image(image: Image.Image | NDArray[Any]) -> Frame:
    """Make a frame of a Pillow image (its orientation and profile are applied) or of an array.

    Args:
        image: a Pillow image, or uint8 or uint16 of shape (H, W), (H, W, 2), (H, W, 3) or (H, W, 4).

    Raises:
        UnreadableMedia: the array has another shape or type.
    """
    if isinstance(image, Image.Image):
        pixels, alpha = decode.decode_image(image)
        number = _orientation(image)
        return Frame(decode.upright(pixels, number), None if alpha is None else decode.upright(alpha, number))
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in {2, 3}:
        raise UnreadableMedia(
            f"An array must be uint8 or uint16 of shape (H, W), (H, W, 3) or (H, W, 4), got {image.dtype} of "
            f"shape {image.shape}.",
        )
    try:
        return Frame(*decode.split_alpha(image, b""))
    except ValueError as error:
        raise UnreadableMedia(f"An array of shape {image.shape} is not a picture: {error}.") from error


def _orientation(image: Image.Image) -> int:
    try:
        number = image.getexif().get(exif.ORIENTATION, 1)
    except decode.DECODER_ERRORS:
        return 1
    return number if number in range(1, 9) else 1


def to_image(frame: Frame) -> Image.Image:
    """Make an 8-bit Pillow image, L, LA, RGB or RGBA, of a frame; Pillow has no 16-bit color."""
    return encoder_input.to_pillow(frame.pixels, frame.alpha)


def _encode(
    stream: BinaryIO, frames: Iterable[Frame], like: Picture, kind: Format, provenance: Provenance
) -> list[str]:
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise UnwritableMedia(f"{like.name}: it has no frames.")
    height, width = first.pixels.shape[:2]
    _check_sides(like, kind, width, height)
    kept, lost = encode.fitted(
        replace(
            like.kept,
            exif=exif.upright_exif(like.kept.exif, width, height) if like.kept.exif else b"",
            xmp=xmp.stamped_xmp(like.kept.xmp, provenance),
        ),
        kind,
    )
    if first.alpha is not None and not kind.holds_alpha:
        lost.append("transparency, which became white")
    if like.bits > kind.bits:
        lost.append(f"more than {kind.bits} bits per channel")

    def all_frames() -> Iterator[EncoderFrame]:
        pages = 0
        for frame in itertools.chain([first], iterator):
            if frame.pixels.shape[:2] != (height, width):
                if not kind.holds_sizes:
                    raise UnwritableMedia(
                        f"{like.name}: it has a page of {width} x {height} and one of {frame.pixels.shape[1]} x "
                        f"{frame.pixels.shape[0]} pixels, and those of a {kind.name} file must have one size.",
                        "Choose --format tiff.",
                    )
                _check_sides(like, kind, *frame.pixels.shape[1::-1])
            pages += frame.page is not None and bool(frame.page.fields)
            if pages > 1 and kind.name != "TIFF" and "descriptions of pages" not in request.lost:
                request.lost.append("descriptions of pages")
            yield EncoderFrame(frame.pixels, frame.alpha, frame.seconds, frame.page)

    request = encoder_input.EncodeRequest(
        frames=all_frames(),
        count=like.count,
        kept=kept,
        provenance=provenance,
        quality=like.quality,
        lossless=like.lossless,
        bits=like.bits,
        total_pixels=like.total_pixels,
        lost=lost,
    )
    encode.WRITERS[kind.name](stream, request)
    return [f"the output does not keep {_listed(lost)}"] if lost else []


def _check_sides(like: Picture, kind: Format, width: int, height: int) -> None:
    if max(width, height) > kind.longest_side:
        raise UnwritableMedia(
            f"{like.name}: {width} x {height} pixels do not fit in {kind.name}, whose sides have at most "
            f"{kind.longest_side:,}.",
            "Choose --format png or tiff.",
        )


def _listed(words: Iterable[str]) -> str:
    *some, last = dict.fromkeys(words)
    return f"{', '.join(some)} and {last}" if some else last


def _target_format(target: Path | BinaryIO, like: Picture, name: str | None) -> Format:
    if name is not None:
        kind = formats.named(name)
        if kind is None:
            known = ", ".join(formats.FORMATS)
            raise UnwritableMedia(f"{name!r} is not a picture format.", f"Choose from {known}.")
        return kind
    suffix = target.suffix.lower() if isinstance(target, Path) else ""
    if like.path is not None and like.path.suffix.lower() == suffix:  # a PNG that is called .jpg stays one
        return formats.FORMATS[like.format]
    return formats.BY_SUFFIX.get(suffix, formats.FORMATS[like.format])


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    width, height = size
    return (height, width) if orientation >= 5 else (width, height)


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".xmp")
