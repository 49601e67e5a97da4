"""Debian's Chromium without a window, for tests of pages."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="no Chromium to open the page in: apt-get install chromium, pip install playwright",
)


@dataclass
class Heard:
    """What a page logged and requested while it was open."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; starting it takes a second, so start it once for a module."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: Browser, place: Path | str, **context) -> Iterator[tuple[Page, Heard]]:
    """Open a file or an address in a window of its own; `context` as for Playwright's `new_context`."""
    heard = Heard()
    window = browser.new_context(**context)
    page = window.new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda message: heard.console.append(message.text))
    page.on("pageerror", lambda error: heard.console.append(str(error)))
    page.on("request", lambda request: heard.requests.append(request.url))
    page.on("requestfinished", lambda request: heard.loaded.append(request.url))
    page.goto(place if isinstance(place, str) else place.as_uri())
    yield page, heard
    window.close()
