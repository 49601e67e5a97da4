"""The pages that people open and send to others: one HTML file each, with all that it needs inside.

A page loads nothing from elsewhere and its Content-Security-Policy forbids it to: only the style and the scripts
that we wrote run, known by their hashes, and pictures come as data URIs. So a `style=` or `onclick=` attribute has no
effect; use classes, SVG attributes and listeners.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import io
from importlib import resources
from importlib.metadata import version
from string import Template
from typing import TYPE_CHECKING, TextIO

from colorcli.errors import UnwritableMedia
from colorcli.files import replacing
from colorcli.media import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL import Image

_HINT = "Check the disk and its permissions, or choose another folder."
_HEAD = 4096  # of a page's first characters hold its generator
_GENERATOR = '<meta name="generator" content="colorcli '


def escape(text: object) -> str:
    """Write a text so that HTML shows it as it is, between tags and in attributes."""
    return html.escape(str(text))


def asset(name: str) -> str:
    """Read a .css, .js or .html file of this package."""
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def page(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """Make a page: a heading with a switch between dark and light, and the body under it.

    Args:
        title: of the window, and the heading; any text.
        body: HTML, in which every text went through `escape`.
        style: CSS, after the common one, whose colors are the variables in `page.css`.
        script: JavaScript, run when the whole body is there.
    """
    start, end = _around(title, style, script)
    return start + body + end


@contextlib.contextmanager
def open_page(path: Path, title: str, *, style: str = "", script: str = "") -> Iterator[TextIO]:
    """Open a page to write its body into, piece by piece; the file appears whole or not at all.

    Args:
        path: the file, whose folder is made if need be.
        title: as for `page`, like `style` and `script`.
        style: CSS.
        script: JavaScript.

    Raises:
        UnwritableMedia: the disk refuses.
    """
    start, end = _around(title, style, script)
    with replacing(path, _HINT) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(start)
        yield file
        file.write(end)


def check_free(path: Path, *, overwrite: bool) -> None:
    """Make sure, before any work is done, that a page replaces nothing that it should not.

    Raises:
        UnwritableMedia: something is there, which nobody said to overwrite.
    """
    if path.exists() and not overwrite:
        raise UnwritableMedia(
            f"{shown(path)}: it is there already.", "Replace it with --overwrite, or choose another name."
        )


def is_page(path: Path) -> bool:
    """Tell whether a file is a page that colorcli wrote."""
    try:
        with path.open(encoding="utf-8") as file:
            return _GENERATOR in file.read(_HEAD)
    except (OSError, UnicodeDecodeError):
        return False


def picture(image: Image.Image, alt: str, *, quality: int = 85, lazy: bool = False) -> str:
    """Write a picture as an <img> that holds it, as WebP.

    Args:
        image: of any mode that WebP can hold: L, LA, RGB, RGBA.
        alt: what it shows, for those who cannot see it.
        quality: of the WebP, 1 to 100.
        lazy: whether the browser may wait until it is about to be seen.
    """
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=quality)
    loading = ' loading="lazy" decoding="async"' if lazy else ""
    uri = data_uri(stream.getvalue(), "image/webp")
    return f'<img src="{uri}" alt="{escape(alt)}" width="{image.width}" height="{image.height}"{loading}>'


def data_uri(content: bytes, kind: str) -> str:
    """Write a file as a URI that holds it.

    Args:
        content: of the file.
        kind: its media type, such as image/webp.
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _around(title: str, style: str, script: str) -> tuple[str, str]:
    """Give what stands before the body, and what after it."""
    styles = [asset("page.css"), style]
    scripts = [asset("page.js"), script]
    policy = {
        "default-src": ["'none'"],
        "img-src": ["data:"],
        "style-src": [_source(each) for each in styles],
        "script-src": [_source(each) for each in scripts],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    start, end = asset("page.html").split("$body")
    before = Template(start).substitute(
        policy="; ".join(" ".join([name, *sources]) for name, sources in policy.items()),
        generator=f'{_GENERATOR}{escape(version("colorcli"))}">',
        title=escape(title),
        styles="".join(f"<style>{each}</style>" for each in styles),
        script=f"<script>{scripts[0]}</script>",
    )
    return before, Template(end).substitute(script=f"<script>{scripts[1]}</script>")


def _source(text: str) -> str:
    """Name an inline style or script by its hash, as a Content-Security-Policy does."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
