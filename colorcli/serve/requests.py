"""Reading requests within bounds of size and time, and the responses that several routes share."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response

from colorcli.errors import UsageError
from colorcli.serve.album import PREVIEW_PIXELS
from colorcli.serve.settings import MAX_SETTINGS_BYTES

if TYPE_CHECKING:
    from starlette.requests import Request

    from colorcli.serve.coloring import ColoredFile

_MIN_RATE = 100_000  # bytes per second of an upload
_UPLOAD_SECONDS = 30.0  # seconds more, for any upload


@dataclass(frozen=True)
class Limits:
    """What requests may ask for.

    Attributes:
        max_pixels: largest frame, in pixels.
        max_bytes: largest file, in bytes.
        most_waiting: requests that wait for their turn; more are refused.
        memory: bytes of the pictures that are kept for the page, except for the one in use.
    """

    max_pixels: int
    max_bytes: int = 200 * 10**6
    most_waiting: int = 64
    memory: int = 512 * 2**20


def announced_length(request: Request, most: int) -> int:
    """Return the length that a request announces.

    Raises:
        HTTPException: it announces none, or more than is allowed.
    """
    text = request.headers.get("content-length", "")
    if not text.isdecimal():
        raise HTTPException(411, "The header Content-Length is missing.")
    check_size(int(text), most)
    return int(text)


def check_size(size: int, most: int) -> None:
    """Refuse a file that is too large.

    Raises:
        HTTPException: it has more bytes than are allowed.
    """
    if size > most:
        raise HTTPException(413, f"A file must have at most {most:,} bytes, got {size:,}.")


def deadline(request: Request) -> asyncio.Timeout:
    """Return a timeout that fits the length that a request announces."""
    return asyncio.timeout(_UPLOAD_SECONDS + int(request.headers.get("content-length", 0)) / _MIN_RATE)


async def read_body(request: Request, most: int) -> bytes:
    """Read the body of a request.

    Raises:
        HTTPException: it is too long.
        TimeoutError: it does not arrive in time.
    """
    parts, size = [], 0
    async with deadline(request):
        async for part in request.stream():
            size += len(part)
            check_size(size, most)
            parts.append(part)
    return b"".join(parts)


async def read_json(request: Request) -> bytes:
    """Read a body of JSON; see `read_body`."""
    announced_length(request, MAX_SETTINGS_BYTES)
    return await read_body(request, MAX_SETTINGS_BYTES)


def wanted_pixels(request: Request) -> int:
    """Return how many pixels a preview may have.

    Raises:
        UsageError: it is not an integer within bounds.
    """
    text = request.query_params.get("pixels", str(PREVIEW_PIXELS))
    if not text.isdecimal() or not 1 <= int(text) <= PREVIEW_PIXELS:
        raise UsageError(f"pixels must be an integer from 1 to {PREVIEW_PIXELS}, got {text[:20]!r}.")
    return int(text)


def as_shown(file: ColoredFile) -> Response:
    """Respond with a picture that is shown."""
    return Response(file.content, media_type=file.media_type)


def as_download(file: ColoredFile) -> Response:
    """Respond with a file that is saved."""
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"}
    if file.remarks:
        headers["Colorcli-Remarks"] = quote(json.dumps(file.remarks, ensure_ascii=False), safe="")
    return Response(file.content, media_type=file.media_type, headers=headers)
