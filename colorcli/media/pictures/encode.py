"""From color frames to a file of any format, with the metadata that the format can keep; the rest is named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from colorcli.errors import UnwritableMedia
from colorcli.media.pictures import exif, profiles
from colorcli.media.pictures.avif import write_avif
from colorcli.media.pictures.encoder_input import EncodeRequest, to_pillow, with_alpha
from colorcli.media.pictures.gif import write_gif
from colorcli.media.pictures.jpeg import write_jpeg
from colorcli.media.pictures.png import write_png
from colorcli.media.pictures.tiff import write_tiff
from colorcli.media.pictures.webp import write_webp

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.media.formats import Format
    from colorcli.media.pictures.metadata import Metadata


def write_bmp(stream: BinaryIO, request: EncodeRequest) -> None:
    """Write a BMP."""
    frame = next(request.frames)
    to_pillow(frame.pixels, frame.alpha).save(stream, "BMP", dpi=request.kept.dpi or (96, 96))


def write_heic(stream: BinaryIO, request: EncodeRequest) -> None:
    """Write a HEIC at full chroma resolution and the depth of its frames; all pictures are held in memory."""
    try:
        import pillow_heif
    except ImportError:
        raise UnwritableMedia(
            "HEIC pictures need an extra that is not installed.", 'Install it: pip install "colorcli[heic]"'
        ) from None
    file = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    for pixels, alpha, _, _ in request.frames:
        channels = with_alpha(pixels, alpha)
        mode = ("RGBA" if alpha is not None else "RGB") + (";16" if channels.dtype == np.uint16 else "")
        file.add_frombytes(mode, (channels.shape[1], channels.shape[0]), channels.tobytes())
    kept = request.kept
    file.info.update(exif=b"Exif\0\0" + kept.exif if kept.exif else None, xmp=kept.xmp)
    file.info["icc_profile"] = profiles.srgb()
    file.save(stream, quality=request.quality, chroma=444)


WRITERS: dict[str, Callable[[BinaryIO, EncodeRequest], None]] = {
    "JPEG": write_jpeg,
    "PNG": write_png,
    "TIFF": write_tiff,
    "WebP": write_webp,
    "GIF": write_gif,
    "BMP": write_bmp,
    "AVIF": write_avif,
    "HEIC": write_heic,
}


def fitted(kept: Metadata, kind: Format) -> tuple[Metadata, list[str]]:
    """Bring metadata into the places that a format has for it, and name what has none."""
    lost: list[str] = []
    text, comments = dict(kept.text), kept.comments
    if "text" in kind.metadata and comments:
        text.setdefault("Comment", "\n".join(_decoded(comment) for comment in comments))
        comments = ()
    elif "comments" in kind.metadata and text:
        comments += tuple((f"{key}: {value}" if key != "Comment" else value).encode() for key, value in text.items())
        text = {}
    if text and "text" not in kind.metadata:
        lost.append(f"texts ({', '.join(text)})")
    if comments and "comments" not in kind.metadata:
        lost.append("comments" if len(comments) > 1 else "a comment")
    if kept.iptc and "iptc" not in kind.metadata:
        lost.append("IPTC records")
    if kept.exif and "exif" not in kind.metadata:
        lost.append("EXIF data")
    if kept.dpi and "resolution" not in kind.metadata and not _states_resolution(kept.exif, kind):
        lost.append(f"the resolution of {kept.dpi[0]:.0f} dpi")
    if kept.loop and "loops" not in kind.metadata:
        lost.append(f"how often it repeats ({kept.loop})")
    return replace(kept, text=text, comments=comments), lost


def _decoded(comment: bytes) -> str:
    try:
        return comment.decode().rstrip("\0")
    except UnicodeDecodeError:
        return comment.decode("latin-1").rstrip("\0")


def _states_resolution(blob: bytes, kind: Format) -> bool:
    if "exif" not in kind.metadata:
        return False
    return exif.X_RESOLUTION in exif.tags_in(blob)
