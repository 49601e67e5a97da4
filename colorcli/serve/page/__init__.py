"""The page: a template, styles, scripts without a build step, and every English text in texts.json."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from colorcli.pages import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def render_page(models: Sequence[Mapping[str, Any]], max_bytes: int, *, films: bool = False) -> str:
    """Render the page.

    Args:
        models: the models that it offers, as `describe_models` describes them.
        max_bytes: largest file that may be sent, in bytes.
        films: whether films may be chosen.
    """
    template = environment("colorcli.serve", "page").get_template("index.html")
    words = SimpleNamespace(**texts()["page"])
    return template.render(p=words, t=texts(), models=models, max_bytes=max_bytes, films=films)


@cache
def texts() -> dict[str, Any]:
    """Read the texts of the page."""
    found: dict[str, Any] = json.loads(resources.files(__name__).joinpath("texts.json").read_text(encoding="utf-8"))
    return found
