"""Contact sheets: versions of the same pictures side by side, as one PNG."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from colorcli.errors import DataError, UnwritableMedia

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor

_GAP = 6
_LINE = 22
_LETTERS = 13
_BACKGROUND = (32, 32, 32)
_INK = (230, 230, 230)


@dataclass(frozen=True)
class PictureVersions:
    """One picture: its name, its versions by label, each an image or (3, H, W) sRGB in 0..1, and a note for pages."""

    name: str
    versions: Mapping[str, Tensor | Image.Image]
    note: str = ""


def write_sheet(path: Path, rows: Iterable[PictureVersions], *, height: int = 220, columns: int = 1) -> None:
    """Draw the versions of each row side by side, and write a PNG.

    Args:
        path: the file to write.
        rows: the pictures; only one is in memory at full size.
        height: height of each picture, in pixels.
        columns: number of rows next to each other.

    Raises:
        DataError: there are no rows.
        UnwritableMedia: the file cannot be written.
    """
    strips = [_strip(row, height) for row in rows]
    if not strips:
        raise DataError("No pictures to draw.")
    width = max(strip.width for strip in strips)
    tall = max(strip.height for strip in strips)
    lines = -(-len(strips) // columns)
    sheet = Image.new("RGB", (columns * (width + _GAP), lines * (tall + _GAP)), _BACKGROUND)
    for index, strip in enumerate(strips):
        line, column = divmod(index, columns)
        sheet.paste(strip, (column * (width + _GAP), line * (tall + _GAP)))
    try:
        sheet.save(path, "PNG")
    except OSError as error:
        raise UnwritableMedia(f"{path}: {error.strerror or error}.") from error


def _strip(row: PictureVersions, height: int) -> Image.Image:
    """Draw the versions with their labels above them, and the picture's name, if any, at the top."""
    pictures = [_scaled(version, height) for version in row.versions.values()]
    widths = [max(picture.width, _text_width(label)) for label, picture in zip(row.versions, pictures, strict=True)]
    top = _LINE if row.name else 0
    size = (max(sum(widths) + _GAP * len(widths), _text_width(row.name)), top + _LINE + height)
    strip = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(strip)
    draw.text((2, 3), row.name, fill=_INK, font=_font())
    left = 0
    for label, picture, width in zip(row.versions, pictures, widths, strict=True):
        draw.text((left + 2, top + 3), label, fill=_INK, font=_font())
        strip.paste(picture, (left, top + _LINE))
        left += width + _GAP
    return strip


def _text_width(text: str) -> int:
    return round(_font().getlength(text)) + 4


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_LETTERS)


def _scaled(version: Tensor | Image.Image, height: int) -> Image.Image:
    picture = as_image(version)
    return picture.resize((max(1, round(picture.width * height / picture.height)), height), Image.Resampling.LANCZOS)


def as_image(version: Tensor | Image.Image) -> Image.Image:
    """Convert (3, H, W) sRGB in 0..1 to an image; an image stays as it is."""
    if isinstance(version, Image.Image):
        return version
    return Image.fromarray((version.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy())


def fit(image: Image.Image, side: int) -> Image.Image:
    """Scale a picture down, if necessary, so that neither side is longer."""
    scale = side / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)
