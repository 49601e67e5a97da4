"""From color frames to a file of any format, with the metadata that the format can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from colorcli.errors import UnwritableMedia
from colorcli.media.pictures import profiles
from colorcli.media.pictures.encoder_input import Order, to_pillow
from colorcli.media.pictures.gif import write_gif
from colorcli.media.pictures.jpeg import write_jpeg
from colorcli.media.pictures.png import write_png
from colorcli.media.pictures.tiff import write_tiff
from colorcli.media.pictures.webp import write_webp

if TYPE_CHECKING:
    from collections.abc import Callable


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
