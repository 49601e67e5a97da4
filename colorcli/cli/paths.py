"""Paths on the command line that may be URLs of object storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from colorcli.storage import as_path

if TYPE_CHECKING:
    from pathlib import Path


class PathOrURL(click.Path):
    """A file or folder, which need not exist, or a URL such as `s3://bucket/photos`."""

    def __init__(self) -> None:
        super().__init__(readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; see `as_path`."""
        return as_path(str(super().convert(value, param, ctx)))
