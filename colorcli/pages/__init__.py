"""HTML pages that people open and send to others: one self-contained file each.

A page loads nothing, and its Content-Security-Policy forbids it to: only our own style sheets and scripts run,
identified by their hashes, and pictures are data URIs. The policy also blocks `style=` and `onclick=` attributes; use
classes, SVG attributes and event listeners instead.

Templates are Jinja2 with autoescape: a value is text unless it is `Markup`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
from functools import cache
from importlib import resources
from importlib.metadata import version
from typing import TYPE_CHECKING, TextIO

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from colorcli.errors import UnwritableMedia
from colorcli.files import replacing
from colorcli.media import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from PIL import Image

_HEAD_LENGTH = 4096  # characters at the start of a page, which include its generator
_GENERATOR = "colorcli"
_BODY = Markup("<!-- body -->")


def asset(name: str) -> str:
    """Read a .css or .js file of this package."""
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def render(template: str, values: Mapping[str, object]) -> Markup:
    """Fill in a template of this package.

    Args:
        template: the name of its file.
        values: values by name; everything but `Markup` is escaped.
    """
    templates = environment("colorcli", "pages")
    return Markup(templates.get_template(template).render(values))  # noqa: S704 - rendered with autoescape


@cache
def environment(package: str, folder: str) -> Environment:
    """Load the templates of HTML in a folder of a package: all values are escaped, and missing ones are errors."""
    return Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """Make a page: a heading, a switch between dark and light, and the body below.

    Args:
        title: title of the window and the heading.
        body: `Markup`; a plain text is escaped.
        style: CSS that follows the shared style sheet; `page.css` defines the colors as variables.
        script: JavaScript that runs once the whole body is loaded.
    """
    styles = [Markup(asset("page.css")), Markup(style)]  # noqa: S704 - our own files
    scripts = [Markup(asset("page.js")), Markup(script)]  # noqa: S704
    policy = {
        "default-src": ["'none'"],
        "img-src": ["data:"],
        "style-src": [_hash_source(each) for each in styles],
        "script-src": [_hash_source(each) for each in scripts],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    values = {
        "policy": "; ".join(" ".join([name, *sources]) for name, sources in policy.items()),
        "generator": f"{_GENERATOR} {version('colorcli')}",
        "title": title,
        "styles": styles,
        "scripts": scripts,
        "body": body,
    }
    return str(render("page.html", values))


@contextlib.contextmanager
def open_page(path: Path, title: str, *, style: str = "", script: str = "") -> Iterator[TextIO]:
    """Open a page whose body is written piece by piece. The file appears when it is complete, or not at all.

    Args:
        path: the file; its folder is created if necessary.
        title: as for `page`.
        style: as for `page`.
        script: as for `page`.

    Raises:
        UnwritableMedia: the file cannot be written.
    """
    start, end = page(title, _BODY, style=style, script=script).split(_BODY)
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file,  # as in `write_text`
    ):
        file.write(start)
        yield file
        file.write(end)


def check_free(path: Path, *, overwrite: bool) -> None:
    """Check, before any work is done, that writing a page replaces nothing by accident.

    Raises:
        UnwritableMedia: the file exists and may not be overwritten.
    """
    if path.exists() and not overwrite:
        raise UnwritableMedia(f"{shown(path)} already exists.", "Replace it with --overwrite, or choose another name.")


def is_page(path: Path) -> bool:
    """Return whether a file is a page written by colorcli."""
    try:
        with path.open(encoding="utf-8") as file:
            return f'<meta name="generator" content="{_GENERATOR} ' in file.read(_HEAD_LENGTH)
    except (OSError, UnicodeDecodeError):
        return False


def picture(image: Image.Image, alt: str, *, quality: int = 85, lazy: bool = False) -> Markup:
    """Make an <img> element that contains the picture, as WebP.

    Args:
        image: image in a mode that WebP supports: L, LA, RGB or RGBA.
        alt: a description for people who cannot see the picture.
        quality: quality of the WebP, 1 to 100.
        lazy: let the browser load the picture only when it is about to be visible.
    """
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=quality)
    loading = Markup(' loading="lazy" decoding="async"') if lazy else ""
    return Markup('<img src="{}" alt="{}" width="{}" height="{}"{}>').format(
        data_uri(stream.getvalue(), "image/webp"), alt, image.width, image.height, loading
    )


def data_uri(content: bytes, media_type: str) -> str:
    """Make a data URI of a file's content.

    Args:
        content: content of the file.
        media_type: such as image/webp.
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _hash_source(text: str) -> str:
    """Identify an inline style or script by its hash, as a Content-Security-Policy does."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
