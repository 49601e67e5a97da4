"""Contact sheets: the same pictures by several hands, side by side, as one PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_GAP = 6
_TITLE = 22
_BACKGROUND = (32, 32, 32)
_INK = (230, 230, 230)


@dataclass(frozen=True)
class Row:
    """One picture: its name, and its versions by label, each (3, H, W) sRGB in 0..1."""

    name: str
    versions: Mapping[str, Tensor]


def write_sheet(path: Path, rows: Sequence[Row], *, height: int = 220, columns: int = 1) -> None:
    """Draw every row's versions side by side, so many rows abreast, and write a PNG.

    Args:
        path: the file to write.
        rows: the pictures; every row has the same labels.
        height: of each picture, in pixels.
        columns: how many rows stand abreast.
    """
    strips = [_strip(row, height) for row in rows]
    width = max(strip.width for strip in strips)
    tall = max(strip.height for strip in strips)
    lines = -(-len(strips) // columns)
    sheet = Image.new("RGB", (columns * (width + _GAP), lines * (tall + _GAP)), _BACKGROUND)
    for index, strip in enumerate(strips):
        line, column = divmod(index, columns)
        sheet.paste(strip, (column * (width + _GAP), line * (tall + _GAP)))
    sheet.save(path)


def _strip(row: Row, height: int) -> Image.Image:
    pictures = {label: _scaled(version, height) for label, version in row.versions.items()}
    width = sum(picture.width + _GAP for picture in pictures.values())
    strip = Image.new("RGB", (width, height + _TITLE), _BACKGROUND)
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(13)
    left = 0
    for index, (label, picture) in enumerate(pictures.items()):
        strip.paste(picture, (left, _TITLE))
        draw.text((left + 2, 3), f"{row.name}  {label}" if index == 0 else label, fill=_INK, font=font)
        left += picture.width + _GAP
    return strip


def _scaled(version: Tensor, height: int) -> Image.Image:
    array = (version.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    picture = Image.fromarray(array)
    return picture.resize((max(1, round(picture.width * height / picture.height)), height), Image.Resampling.LANCZOS)
