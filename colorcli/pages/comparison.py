"""The page that compares pictures: a slider between any two versions, all versions side by side, and zoom."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from markupsafe import Markup
from PIL import Image

from colorcli.pages import asset, open_page, picture, render
from colorcli.pages.sheet import as_image, fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from colorcli.pages.sheet import PictureVersions

DEFAULT_MAX_SIDE = 1280
DEFAULT_QUALITY = 85

_THUMBNAIL = (288, 216)  # pixels, for screens with two dots per CSS pixel
_THUMBNAIL_QUALITY = 70
_DESCRIPTIONS = {"gray": "in gray", "original": "in its original colors"}
_PICTURES = Markup("<!-- pictures -->")


@dataclass
class ComparisonPage:
    """A page that is being written: pictures as they come, and how they were made at the end.

    Attributes:
        facts: facts about the pictures and how they were made, by heading.
        problems: messages about pictures that are missing.
        command: the command that makes this page.
        count: number of pictures on the page.
    """

    file: TextIO
    max_side: int
    quality: int
    facts: Mapping[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    command: str = ""
    count: int = 0

    def add(self, row: PictureVersions) -> None:
        """Write a picture's versions, scaled down so that no side is longer than `max_side`."""
        images = {label: fit(as_image(version), self.max_side) for label, version in row.versions.items()}
        versions = {
            label: picture(
                image, f"{row.name} {_DESCRIPTIONS.get(label, f'colorized by {label}')}", quality=self.quality
            )
            for label, image in images.items()
        }
        colorized = list(images.values())[1:2] or list(images.values())
        thumbnail = colorized[0].convert("RGB")
        thumbnail.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
        small = picture(thumbnail, row.name, quality=_THUMBNAIL_QUALITY, lazy=True)
        self.file.write(render("comparison-item.html", {"row": row, "thumbnail": small, "versions": versions}))
        self.count += 1

    @property
    def all_facts(self) -> dict[str, str]:
        """The facts, and how the pictures on the page were scaled and encoded."""
        if not self.count:
            return dict(self.facts)
        format_ = f"WebP at quality {self.quality}, scaled down to at most {self.max_side} pixels a side"
        return {**self.facts, "Shown as": format_}


@contextlib.contextmanager
def open_comparison(
    path: Path, title: str, *, max_side: int = DEFAULT_MAX_SIDE, quality: int = DEFAULT_QUALITY
) -> Iterator[ComparisonPage]:
    """Open a page to which pictures are added one at a time. The file appears when it is complete, or not at all.

    Args:
        path: the file.
        title: title of the page.
        max_side: the longest side that a picture may have, in pixels.
        quality: quality of the pictures, 1 to 100.

    Raises:
        UnwritableMedia: the file cannot be written.
    """
    with open_page(path, title, style=asset("comparison.css"), script=asset("comparison.js")) as file:
        comparison = ComparisonPage(file, max_side, quality)
        file.write(_around_pictures(comparison)[0])
        yield comparison
        file.write(_around_pictures(comparison)[1])


def _around_pictures(comparison: ComparisonPage) -> list[str]:
    """Render what precedes and what follows the pictures; only the latter depends on them."""
    return str(render("comparison.html", {"pictures": _PICTURES, "page": comparison})).split(_PICTURES)
