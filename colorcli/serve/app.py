"""The HTTP API: what openapi.json describes, and the page that uses it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from python_multipart.exceptions import FormParserError
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from colorcli.errors import (
    ColorcliError,
    DeviceError,
    LicenseNotAccepted,
    MediaError,
    OutputExists,
    PluginError,
    UsageError,
    WeightsError,
)
from colorcli.pages import asset
from colorcli.serve.album import Album, OpenPicture, PictureGone
from colorcli.serve.coloring import ColoredFile, PictureColorizer
from colorcli.serve.command import command_line
from colorcli.serve.film_api import FilmApi
from colorcli.serve.films import FilmNotFound
from colorcli.serve.guard import Access, Guard, refused
from colorcli.serve.models import describe_models
from colorcli.serve.page import render_page
from colorcli.serve.request_queue import ClientGone, RequestQueue, TooManyRequests, UploadBudget
from colorcli.serve.requests import (
    Limits,
    announced_length,
    as_download,
    as_shown,
    check_size,
    deadline,
    read_body,
    read_json,
    wanted_pixels,
)
from colorcli.serve.settings import MAX_SETTINGS_BYTES, ColoringSettings, PlaceSettings, parse_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
    from fractions import Fraction

    from starlette.requests import Request

    from colorcli.colorizer import Colorizer
    from colorcli.serve.models import ModelCache

Result = TypeVar("Result")

_STATUS: Sequence[tuple[type[ColorcliError], int]] = (
    (PictureGone, 404),
    (FilmNotFound, 404),
    (OutputExists, 409),
    (UsageError, 400),
    (MediaError, 422),
    (LicenseNotAccepted, 403),
    (WeightsError, 503),
    (DeviceError, 507),
    (PluginError, 500),
)
_UPLOADS = 4  # uploads of the largest size that may arrive and wait at the same time
_RELEASE_SECONDS = 60.0  # seconds between searches for models and pictures that are no longer used
_FORM = "For example: curl -F picture=@a.jpg -F 'settings={}' ..."
_ROOM = Path(__file__).parent


class _InMemory(MultiPartParser):
    """Reads a form into memory; its base class writes files of more than a megabyte to the disk."""

    def __init__(self, request: Request, body: AsyncGenerator[bytes], limit: int) -> None:
        super().__init__(request.headers, body, max_files=1, max_fields=1, max_part_size=MAX_SETTINGS_BYTES)
        self.spool_max_size = limit + 1


class Server:
    """The routes, and what they share.

    Args:
        models: cache of the models.
        colorizers: the colorizers of all plugins, which the page offers.
        limits: what requests may ask for.
        access: who may ask.
        films: the folder of films that the page may open; None for none.
        frame_rate: frame rate of numbered pictures among them; None for 24.
    """

    def __init__(
        self,
        models: ModelCache,
        colorizers: Iterable[Colorizer],
        limits: Limits,
        access: Access,
        films: Path | None = None,
        frame_rate: Fraction | None = None,
    ) -> None:
        self._colorizer = PictureColorizer(models)
        self._colorizers = list(colorizers)
        self._limits = limits
        self._album = Album(limits.max_pixels, limits.memory)
        self._requests = RequestQueue(limits.most_waiting)
        self._budget = UploadBudget(_UPLOADS * limits.max_bytes)
        self._films = FilmApi(films, frame_rate, self._colorizer, self._album, self._requests)
        routes = [
            Route("/", self.page),
            Route("/static/shared.css", self.shared_style),
            Route("/static/theme.js", self.theme),
            Mount("/static", StaticFiles(directory=_ROOM / "page" / "static")),
            Route("/api/openapi.json", self.openapi),
            Route("/api/models", self.models),
            Route("/api/colorize", self.colorize, methods=["POST"]),
            Route("/api/pictures", self.add, methods=["POST"]),
            Route("/api/pictures/{key}", self.remove, methods=["DELETE"]),
            Route("/api/pictures/{key}/original", self.original),
            Route("/api/pictures/{key}/preview", self.preview, methods=["POST"]),
            Route("/api/pictures/{key}/file", self.file, methods=["POST"]),
            Route("/api/pictures/{key}/palette", self.palette, methods=["POST"]),
            Route("/api/pictures/{key}/command", self.command, methods=["POST"]),
            *self._films.routes,
        ]
        handlers: dict[Any, Any] = {
            ColorcliError: _failed,
            TooManyRequests: _busy,
            TimeoutError: _timed_out,
            ClientGone: _abandoned,
            ClientDisconnect: _abandoned,
            HTTPException: _http_error,
            Exception: _bug,
        }
        starlette = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._lifespan)
        self.app = Guard(starlette, access)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        releasing = asyncio.create_task(self._release_regularly())
        try:
            yield
        finally:
            releasing.cancel()
            await asyncio.to_thread(self._films.close)
            self._requests.close()

    async def _release_regularly(self) -> None:
        """Drop what is no longer used, now and then."""

        def release() -> None:
            self._colorizer.models.release_idle()
            self._album.release_idle()

        while True:
            await asyncio.sleep(_RELEASE_SECONDS)
            with contextlib.suppress(TooManyRequests):  # then the next request does it
                await self._requests.run(release, _never)

    # The page

    async def page(self, _request: Request) -> Response:
        """Show the page."""
        return HTMLResponse(render_page(self._described(), self._limits.max_bytes, films=self._films.any))

    async def shared_style(self, _request: Request) -> Response:
        """Return the style that all pages of colorcli share."""
        return Response(asset("page.css"), media_type="text/css")

    async def theme(self, _request: Request) -> Response:
        """Return the switch between dark and light that all pages of colorcli share."""
        return Response(asset("page.js"), media_type="text/javascript")

    # For other programs

    async def openapi(self, _request: Request) -> Response:
        """Describe this API."""
        return Response(_ROOM.joinpath("openapi.json").read_bytes(), media_type="application/json")

    async def models(self, _request: Request) -> Response:
        """List the models."""
        return JSONResponse({"models": self._described()})

    async def colorize(self, request: Request) -> Response:
        """Color a file that is sent with its settings."""
        async with self._budget.reserve(announced_length(request, self._limits.max_bytes + MAX_SETTINGS_BYTES)):
            name, content, text = await self._read_form(request)
            settings = parse_settings(text, ColoringSettings)

            def work() -> ColoredFile:
                return self._colorizer.file(OpenPicture(name, content, self._limits.max_pixels), settings)

            return await self._answer(request, work, as_download)

    # For the page, which keeps pictures here for a while

    async def add(self, request: Request) -> Response:
        """Open a picture that is sent."""
        async with self._budget.reserve(announced_length(request, self._limits.max_bytes)):
            content = await read_body(request, self._limits.max_bytes)
            name = request.query_params.get("name", "")

            def work() -> dict[str, Any]:
                key = self._album.add(name, content)
                return {"key": key, **self._album.get(key).describe()}

            return await self._answer(request, work, lambda described: JSONResponse(described, 201))

    async def remove(self, request: Request) -> Response:
        """Forget a picture."""
        key = request.path_params["key"]
        return await self._answer(request, lambda: self._album.remove(key), lambda _: Response(status_code=204))

    async def original(self, request: Request) -> Response:
        """Show a picture as it was sent."""
        most = wanted_pixels(request)
        key = request.path_params["key"]
        return await self._answer(request, lambda: self._colorizer.original(self._album.get(key), most), as_shown)

    async def preview(self, request: Request) -> Response:
        """Show a picture in color."""
        most = wanted_pixels(request)
        settings = parse_settings(await read_json(request), ColoringSettings)
        key = request.path_params["key"]
        return await self._answer(
            request, lambda: self._colorizer.preview(self._album.get(key), settings, most), as_shown
        )

    async def file(self, request: Request) -> Response:
        """Return the whole file in color."""
        settings = parse_settings(await read_json(request), ColoringSettings)
        key = request.path_params["key"]
        return await self._answer(request, lambda: self._colorizer.file(self._album.get(key), settings), as_download)

    async def palette(self, request: Request) -> Response:
        """Suggest colors for a place."""
        settings = parse_settings(await read_json(request), PlaceSettings)
        key = request.path_params["key"]
        return await self._answer(
            request, lambda: self._colorizer.palette(self._album.get(key), settings), JSONResponse
        )

    async def command(self, request: Request) -> Response:
        """Write the command that makes the same file."""
        settings = parse_settings(await read_json(request), ColoringSettings)
        key = request.path_params["key"]

        def work() -> str:
            return command_line(self._album.get(key), self._colorizer.pipeline(settings), settings)

        return await self._answer(request, work, lambda text: JSONResponse({"command": text}))

    # What they share

    def _described(self) -> list[dict[str, Any]]:
        return describe_models(self._colorizers, self._colorizer.models.default)

    async def _answer(
        self, request: Request, work: Callable[[], Result], respond: Callable[[Result], Response]
    ) -> Response:
        """Do work when its turn has come, and make a response from its result."""
        return respond(await self._requests.run(work, request.is_disconnected))

    async def _read_form(self, request: Request) -> tuple[str, bytes, str]:
        """Read a form: the picture's name, its content, and the settings."""
        form = None
        try:
            async with deadline(request):
                form = await _InMemory(request, request.stream(), self._limits.max_bytes).parse()
        except (MultiPartException, FormParserError, KeyError) as error:
            reason = getattr(error, "message", "it is not multipart/form-data")
            raise UsageError(f"The form cannot be read: {reason}.", _FORM) from error
        try:
            picture, settings = form.get("picture"), form.get("settings", "")
            if not isinstance(picture, UploadFile) or not isinstance(settings, str):
                raise UsageError("The form must have a file `picture`, and may have a text `settings`.", _FORM)
            content = await picture.read()
            check_size(len(content), self._limits.max_bytes)
            return picture.filename or "", content, settings
        finally:
            await form.close()


# Failures


async def _never() -> bool:
    return False


async def _failed(_request: Request, error: ColorcliError) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return refused(status, error.message, error.hint)


async def _http_error(_request: Request, error: HTTPException) -> Response:
    return refused(error.status_code, error.detail)


async def _busy(_request: Request, _error: TooManyRequests) -> Response:
    response = refused(503, "Too many requests are waiting.", "Try again in a few seconds.")
    response.headers["Retry-After"] = "2"
    return response


async def _timed_out(_request: Request, _error: TimeoutError) -> Response:
    return refused(408, "The request took too long to arrive.")


async def _abandoned(_request: Request, _error: ClientGone | ClientDisconnect) -> Response:
    return Response(status_code=499)  # no client is left to read it


async def _bug(_request: Request, error: Exception) -> Response:
    message = f"{type(error).__name__}: {error}."
    return refused(500, message, "This is a bug. Report it with what colorcli printed in the terminal.")
