"""The page on which pictures are compared: a slider between any two versions, all of them side by side, and zoom."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from PIL import Image

from colorcli.pages import asset, escape, open_page, picture
from colorcli.pages.sheet import as_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from colorcli.pages.sheet import Row

DEFAULT_MAX_SIDE = 1280
DEFAULT_QUALITY = 85

_SMALL = (288, 216)  # in the list of pictures, for screens of two dots a pixel
_SMALL_QUALITY = 70
_SHOWS = {"gray": "in gray", "original": "in its own colors"}


@dataclass
class Comparison:
    """A page that is being written: pictures as they come, and what is said under them at the end.

    Attributes:
        facts: what is told of the pictures and how they came about, by heading.
        problems: what is wrong with pictures that are not there.
        command: the one that makes this page.
        count: how many pictures are on it.
    """

    file: TextIO
    max_side: int
    quality: int
    facts: Mapping[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    command: str = ""
    count: int = 0

    def add(self, row: Row) -> None:
        """Write a picture's versions, none with a side longer than `max_side`."""
        images = {label: _within(as_image(version), self.max_side) for label, version in row.versions.items()}
        colored = list(images.values())[1:2] or list(images.values())
        small = colored[0].convert("RGB")
        small.thumbnail(_SMALL, Image.Resampling.LANCZOS)
        self.file.write(f'<li data-name="{escape(row.name)}" data-note="{escape(row.note)}">')
        self.file.write(f'<button type="button" title="{escape(row.name)}">')
        self.file.write(picture(small, row.name, quality=_SMALL_QUALITY, lazy=True))
        self.file.write("</button><template>")
        for label, image in images.items():
            alt = f"{row.name} {_SHOWS.get(label, f'colorized by {label}')}"
            shown = picture(image, alt, quality=self.quality)
            self.file.write(f'<figure data-version="{escape(label)}">{shown}</figure>')
        self.file.write("</template></li>\n")
        self.count += 1

    def about(self) -> str:
        """Write what is said under the pictures, as HTML."""
        scaled = f"WebP of quality {self.quality}, scaled down to at most {self.max_side} pixels a side"
        facts = {**self.facts, "Shown as": scaled} if self.count else self.facts
        told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
        parts = [f"<h2>About this page</h2><dl>{told}</dl>"]
        if self.command:
            parts.append(f"<pre>{escape(self.command)}</pre>")
        if self.problems:
            items = "".join(f"<li>{escape(problem)}</li>" for problem in self.problems)
            parts.insert(0, f'<h2 id="problems" class="bad">Not shown: {len(self.problems)}</h2><ul>{items}</ul>')
        return "\n".join(parts)


@contextlib.contextmanager
def open_comparison(
    path: Path, title: str, *, max_side: int = DEFAULT_MAX_SIDE, quality: int = DEFAULT_QUALITY
) -> Iterator[Comparison]:
    """Open a page to add pictures to, one at a time; the file appears whole or not at all.

    Args:
        path: the file.
        title: of the page.
        max_side: the most pixels that a side of a picture may have.
        quality: of the pictures, 1 to 100.

    Raises:
        UnwritableMedia: the disk refuses.
    """
    head, rest = asset("comparison.html").split("$pictures")
    middle, end = rest.split("$about")
    with open_page(path, title, style=asset("comparison.css"), script=asset("comparison.js")) as file:
        file.write(head)
        comparison = Comparison(file, max_side, quality)
        yield comparison
        file.write(middle + comparison.about() + end)


def _within(image: Image.Image, side: int) -> Image.Image:
    """Scale a picture down, if need be, so that neither side is longer."""
    scale = side / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)
