"""Pictures in and out: what a file shows as upright sRGB frames, and back with everything else that it carried."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import secrets
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image

from colorcli.errors import UnreadableMedia, UnwritableMedia
from colorcli.media import formats, shown
from colorcli.media.pictures import decode, encode, encoder_input, jpeg, metadata
from colorcli.media.pictures.metadata import Provenance

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
"""A picture of more pixels is refused unless asked for: a file of a few bytes can claim any size."""

_STDIN = "standard input"


@dataclass(frozen=True)
class Frame:
    """One picture, page or frame: sRGB-encoded, full range, upright.

    Attributes:
        pixels: gray (H, W) or color (H, W, 3), uint8 or uint16.
        alpha: (H, W) of the same type, or None where nothing is transparent.
        seconds: how long a frame of an animation is shown; 0 for a still.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None
    seconds: float = 0.0


class Picture:
    """An opened picture file, and everything of it that must survive.

    Attributes:
        name: what to call the file in messages.
        path: where it is; None for a stream.
        format: "JPEG", "PNG", "TIFF", "WebP", "BMP", "GIF", "AVIF" or "HEIC".
        count: how many frames or pages there are.
        size: width and height of the first, upright.
        kept: the metadata that its outputs keep.
        quality: of a JPEG, as libjpeg counts it; the default for other formats.
        lossless: whether it is a lossless WebP.
    """

    def __init__(self, source: Path | BinaryIO, max_pixels: int) -> None:
        self.path = source if isinstance(source, Path) else None
        self.name = shown(source) if isinstance(source, Path) else str(getattr(source, "name", _STDIN))
        self._max_pixels = max_pixels
        self._data, self._kind = self._read(source)
        self.quality, self.lossless = jpeg.DEFAULT_QUALITY, False
        with self._explained():
            if self.format == "TIFF":
                self._read_tiff_header()
            else:
                self._read_header()

    def _read_header(self) -> None:
        with self._opened() as image:
            self._check_size(image.size)
            self.count: int = getattr(image, "n_frames", 1)
            self._orientation = decode.orientation(image)
            self.size = _turned(image.size, self._orientation)
            self.kept = decode.read_metadata(image)
            if self.format == "JPEG":
                self.quality = jpeg.jpeg_quality(getattr(image, "quantization", {}))
            self.lossless = self.format == "WebP" and b"VP8L" in self._data[:4096]

    def _read_tiff_header(self) -> None:
        with self._stream() as stream, tifffile.TiffFile(stream) as tiff:
            page = next(decode.tiff_pages(tiff))
            self._check_size((page.imagewidth, page.imagelength))
            self.count = len(tiff.pages)
            self._orientation = decode.tiff_orientation(page)
            self.size = _turned((page.imagewidth, page.imagelength), self._orientation)
            self.kept = decode.read_tiff_metadata(stream, page)

    @property
    def format(self) -> str:
        """The name of the file's format."""
        return self._kind.name

    def frames(self) -> Iterator[Frame]:
        """Decode frame by frame: only the one that was asked for last is in memory.

        Raises:
            UnreadableMedia: the file is damaged, cut off, or a page is larger than allowed.
        """
        with self._explained():
            if self.format == "TIFF":
                yield from self._tiff_frames()
                return
            with self._opened() as image:
                if self.format == "JPEG":
                    yield self._frame(decode.decode_jpeg(self._data, image), self._orientation)
                elif self.format == "PNG" and self._data[24] == 16 and self.count == 1:
                    yield self._frame(decode.decode_png16(self._data, image), self._orientation)
                else:
                    for page in decode.iterate_pages(image):
                        page.load()
                        seconds = page.info.get("duration", 0) / 1000 if self.count > 1 else 0.0
                        yield self._frame(decode.decode_image(page), self._orientation, seconds)

    def _tiff_frames(self) -> Iterator[Frame]:
        with self._stream() as stream, self._stream() as again, tifffile.TiffFile(stream) as tiff:
            image = None
            for index, page in enumerate(decode.tiff_pages(tiff)):
                self._check_size((page.imagewidth, page.imagelength))
                if decode.is_for_tifffile(page):
                    yield self._frame(decode.decode_tiff_page(page), decode.tiff_orientation(page))
                    continue
                image = image or decode.open_image(again, self._kind)
                image.seek(index)
                image.load()  # turns the page upright, and says so
                yield self._frame(decode.decode_image(image), decode.orientation(image))

    def _frame(self, pixels: decode.Pixels, orientation: int, seconds: float = 0.0) -> Frame:
        colors, alpha = pixels
        return Frame(
            decode.upright(colors, orientation),
            None if alpha is None else decode.upright(alpha, orientation),
            seconds,
        )

    def _read(self, source: Path | BinaryIO) -> tuple[bytes, Format]:
        """Read the whole file, except a TIFF's, which may be many times larger than one page of it."""
        try:
            if isinstance(source, Path):
                with source.open("rb") as file:
                    head = file.read(4096)
                    kind, found = formats.sniff(head)
                    data = head if kind is None or kind.name == "TIFF" else head + file.read()
            else:
                data = source.read()
                kind, found = formats.sniff(data[:4096])
        except OSError as error:
            raise UnreadableMedia(f"{self.name}: {error.strerror or error}.") from error
        if kind is None:
            what = "the file is empty" if not data else f"this is {found}"
            known = ", ".join(formats.FORMATS)
            raise UnreadableMedia(f"{self.name}: {what}.", f"Pictures can be {known}.")
        return data, kind

    @contextlib.contextmanager
    def _opened(self) -> Iterator[ImageFile.ImageFile]:
        with self._stream() as stream, decode.open_image(stream, self._kind) as image:
            yield image

    def _stream(self) -> BinaryIO:
        if self.path is not None and self.format == "TIFF":
            return self.path.open("rb")
        return BytesIO(self._data)

    def _check_size(self, size: tuple[int, int]) -> None:
        width, height = size
        if width * height > self._max_pixels:
            raise UnreadableMedia(
                f"{self.name}: {width} x {height} pixels are more than the limit of {self._max_pixels:,}.",
                f"If you trust the file, allow it with --max-pixels {width * height}.",
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what decoders raise at damaged files into an error that names the file."""
        try:
            yield
        except ImportError:
            raise UnreadableMedia(
                f"{self.name}: HEIC pictures need an extra that is not installed.",
                'Install it with: pip install "colorcli[heic]"',
            ) from None
        except decode.DECODER_ERRORS as error:
            reason = str(error).rstrip(".") or type(error).__name__
            raise UnreadableMedia(
                f"{self.name}: this {self.format} file is damaged or incomplete ({reason}).",
                "Get the file again, or repair it in an image editor.",
            ) from error


def open_picture(source: Path | BinaryIO, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Read what a picture file is and carries; its pixels wait for `Picture.frames`.

    Args:
        source: a file, or a stream that is read to its end.
        max_pixels: the most pixels that a frame may have.

    Raises:
        UnreadableMedia: it cannot be read, is no picture, is damaged, or is too large.
    """
    return Picture(source, max_pixels)


def write_picture(
    target: Path | BinaryIO,
    frames: Iterable[Frame],
    like: Picture,
    *,
    format: str | None = None,  # noqa: A002 - the command line's word
    provenance: Provenance,
) -> None:
    """Write color frames as a file that carries what `like` carried and says where the colors came from.

    A file appears whole or not at all. In a format that holds no XMP the provenance goes into `NAME.xmp` beside it.

    Args:
        target: a file, whose folder is made if need be, or a stream.
        frames: color (H, W, 3) with alpha (H, W) or None, uint8 or uint16, as many as `like` has.
        like: the picture that the frames were made from.
        format: a name or suffix; None for what the target's suffix says, else the format of `like`.
        provenance: what made the colors.

    Raises:
        UnwritableMedia: the format is unknown or cannot hold several frames, or the disk refuses.
    """
    kind = _target_format(target, like, format)
    if like.count > 1 and not kind.holds_many:
        raise UnwritableMedia(
            f"{like.name}: it has {like.count} frames or pages, and a {kind.name} file holds one.",
            "Choose a format that holds many: --format tiff, png, webp or gif.",
        )
    if not isinstance(target, Path):
        whole = BytesIO()
        _encode(whole, frames, like, kind, provenance)
        target.write(whole.getbuffer())
        return
    with _replacing(target) as stream:
        _encode(stream, frames, like, kind, provenance)
    if not kind.holds_xmp:
        with _replacing(_sidecar(target)) as stream:
            stream.write(metadata.stamped_xmp(like.kept.xmp, provenance))


def read_provenance(path: Path) -> Provenance | None:
    """Return what made the colors of a file, from within it or from `NAME.xmp` beside it; None where nothing says.

    Nothing is decoded: XMP packets are found by their text, in any format.
    """
    if not path.exists():
        return None
    for candidate in (path, _sidecar(path)):
        try:
            with candidate.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if found := metadata.provenance_in(data):
                    return found
        except (OSError, ValueError):  # not there, or empty
            continue
    return None


def from_image(image: Image.Image | NDArray[Any]) -> Frame:
    """Make a frame of a Pillow image (orientation and profile honored) or of an array.

    Args:
        image: a Pillow image, or uint8 or uint16 of shape (H, W), (H, W, 2), (H, W, 3) or (H, W, 4).

    Raises:
        UnreadableMedia: the array has another shape or type.
    """
    if isinstance(image, Image.Image):
        pixels, alpha = decode.decode_image(image)
        number = decode.orientation(image)
        return Frame(decode.upright(pixels, number), None if alpha is None else decode.upright(alpha, number))
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in {2, 3}:
        raise UnreadableMedia(
            f"An array of shape {image.shape} and type {image.dtype} is no picture.",
            "Give (H, W), (H, W, 3) or (H, W, 4) of uint8 or uint16.",
        )
    try:
        return Frame(*decode.split_alpha(image, b""))
    except ValueError as error:
        raise UnreadableMedia(f"An array of shape {image.shape} is no picture: {error}.") from error


def to_image(frame: Frame) -> Image.Image:
    """Make an 8-bit Pillow image, L, LA, RGB or RGBA, of a frame; Pillow has no 16-bit color."""
    return encoder_input.to_pillow(frame.pixels, frame.alpha)


def _encode(stream: BinaryIO, frames: Iterable[Frame], like: Picture, kind: Format, provenance: Provenance) -> None:
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise UnwritableMedia(f"{like.name}: there is nothing to write.")
    height, width = first.pixels.shape[:2]
    xmp = metadata.stamped_xmp(like.kept.xmp, provenance)
    if kind.xmp_limit and len(xmp) > kind.xmp_limit:
        xmp = metadata.stamped_xmp(b"", provenance)
    kept = replace(like.kept, exif=metadata.upright_exif(like.kept.exif, width, height), xmp=xmp)

    def all_frames() -> Iterator[tuple[NDArray[Any], NDArray[Any] | None, float]]:
        for frame in itertools.chain([first], iterator):
            if frame.pixels.shape[:2] != (height, width) and not kind.holds_sizes:
                raise UnwritableMedia(
                    f"{like.name}: it has a page of {width} x {height} and one of {frame.pixels.shape[1]} x "
                    f"{frame.pixels.shape[0]} pixels, and those of a {kind.name} file are of one size.",
                    "Choose --format tiff.",
                )
            yield frame.pixels, frame.alpha, frame.seconds

    encode.WRITERS[kind.name](stream, encoder_input.Order(all_frames(), like.count, kept, like.quality, like.lossless))


def _target_format(target: Path | BinaryIO, like: Picture, name: str | None) -> Format:
    if name is not None:
        kind = formats.named(name)
        if kind is None:
            known = ", ".join(formats.FORMATS)
            raise UnwritableMedia(f"{name!r} is no format that pictures can be written in.", f"Choose from {known}.")
        return kind
    suffix = target.suffix.lower() if isinstance(target, Path) else ""
    return formats.BY_SUFFIX.get(suffix, formats.FORMATS[like.format])


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    width, height = size
    return (height, width) if orientation >= 5 else (width, height)


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".xmp")


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the target's name when all went well, and is gone when anything did not."""
    temporary = target.with_name(f".colorcli-{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("x+b") as stream:
            yield stream
        temporary.replace(target)
    except OSError as error:
        raise UnwritableMedia(
            f"{shown(target)}: {error.strerror or error}.", "Check the disk's space and permissions."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
