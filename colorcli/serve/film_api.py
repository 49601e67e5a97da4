"""The part of the HTTP API that is about films; the page works with their frames as with other pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from colorcli.errors import UsageError
from colorcli.film.colorize import FilmSettings
from colorcli.film.pipelines import pipelines_of_shots
from colorcli.film.shot_list import read_shots
from colorcli.media.films.sequences import is_pattern
from colorcli.serve.command import film_command_line
from colorcli.serve.film_folder import FilmFolder, is_there
from colorcli.serve.film_queue import FilmQueue, FilmRun
from colorcli.serve.films import FilmNotFound, as_time, named
from colorcli.serve.requests import read_json
from colorcli.serve.settings import FilmRunSettings, ModelSettings, Moment, ReferenceSettings, parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction
    from pathlib import Path

    from starlette.requests import Request

    from colorcli.inference.pipeline import Pipeline
    from colorcli.serve.album import Album
    from colorcli.serve.coloring import PictureColorizer
    from colorcli.serve.films import OpenFilm
    from colorcli.serve.request_queue import RequestQueue

Result = TypeVar("Result")


class FilmApi:
    """The routes of films.

    Args:
        folder: folder of the films; None for none.
        frame_rate: frame rate of numbered pictures; None for 24.
        colorizer: colors frames.
        album: keeps frames.
        queue: runs the work of requests.
    """

    def __init__(
        self,
        folder: Path | None,
        frame_rate: Fraction | None,
        colorizer: PictureColorizer,
        album: Album,
        queue: RequestQueue,
    ) -> None:
        self._films = FilmFolder(folder, frame_rate)
        self._queue = FilmQueue()
        self._colorizer = colorizer
        self._album = album
        self._requests = queue
        self.routes = [
            Route("/api/films", self.films),
            Route("/api/films/{key}", self.open, methods=["POST"]),
            Route("/api/films/{key}", self.progress),
            Route("/api/films/{key}/frames", self.frame, methods=["POST"]),
            Route("/api/films/{key}/references", self.keep, methods=["POST"]),
            Route("/api/films/{key}/references/{name}", self.forget, methods=["DELETE"]),
            Route("/api/films/{key}/run", self.run, methods=["POST"]),
            Route("/api/films/{key}/run", self.stop, methods=["DELETE"]),
            Route("/api/films/{key}/command", self.command, methods=["POST"]),
            Route("/api/films/{key}/file", self.file),
        ]

    @property
    def any(self) -> bool:
        """Whether there is a folder of films."""
        return self._films.path is not None

    def close(self) -> None:
        """Stop what is in progress."""
        self._films.close()
        self._queue.close()

    async def films(self, request: Request) -> Response:
        """List the films."""
        listed, left_out = await self._take(request, lambda: (self._films.listed(), self._films.left_out()))
        films = [{**film, "run": self._run(film["key"])} for film in listed]
        folder = None if self._films.path is None else str(self._films.path)
        return JSONResponse({"folder": folder, "films": films, "left_out": left_out})

    async def open(self, request: Request) -> Response:
        """Open a film, and begin to look for its shots."""
        key = request.path_params["key"]
        described = await self._take(request, lambda: self._films.open(key).describe())
        return JSONResponse(described)

    async def progress(self, request: Request) -> Response:
        """Report the progress of a film: its shots, and its run."""
        film = self._film(request)
        known = request.query_params.get("after", "0")
        if not known.isdecimal() or len(known) > 9:
            raise UsageError(f"after must be a number of shots, got {known[:20]!r}.")
        version = request.query_params.get("version")
        output = self._output(film)
        answer = {"colored": named(output).name if is_there(output) else None, "run": self._run(film.key)}
        return JSONResponse({**film.progress(int(known), version), **answer})

    async def frame(self, request: Request) -> Response:
        """Open a frame as a picture."""
        film = self._film(request)
        time = as_time(parse_settings(await read_json(request), Moment).time)

        def work() -> dict[str, Any]:
            key = film.frame(self._album, time)
            return {"key": key, **self._album.get(key).describe()}

        return JSONResponse(await self._take(request, work), 201)

    async def keep(self, request: Request) -> Response:
        """Color a frame, and keep it as a reference of its shot."""
        film = self._film(request)
        settings = parse_settings(await read_json(request), ReferenceSettings)
        settings = msgspec.structs.replace(settings, recolor=True, format=None)

        def work() -> dict[str, Any]:
            picture = self._album.get(film.frame(self._album, as_time(settings.time)))
            return film.describe_reference(film.keep(self._colorizer.file(picture, settings), settings))

        return JSONResponse(await self._take(request, work), 201)

    async def forget(self, request: Request) -> Response:
        """Remove a reference."""
        film, name = self._film(request), request.path_params["name"]
        await self._take(request, lambda: film.forget(name))
        return Response(status_code=204)

    async def run(self, request: Request) -> Response:
        """Queue a film."""
        film = self._film(request)
        settings = parse_settings(await read_json(request), FilmRunSettings)
        await self._take(request, lambda: self._enqueue(film, settings))
        return JSONResponse(self._run(film.key), 202)

    async def stop(self, request: Request) -> Response:
        """Stop a film; it resumes when it is queued again."""
        film = self._film(request)
        self._queue.stop(film.key)
        return JSONResponse(self._run(film.key))

    async def command(self, request: Request) -> Response:
        """Write the command that makes the same film."""
        film = self._film(request)
        settings = parse_settings(await read_json(request), FilmRunSettings)

        def work() -> str:
            pipeline = self._colorizer.pipeline(settings)
            return film_command_line(film.job.source, film.frame_rate, *film.inputs(), pipeline, settings)

        return JSONResponse({"command": await self._take(request, work)})

    async def file(self, request: Request) -> Response:
        """Return the film in color."""
        output = self._output(self._film(request))
        if is_pattern(output):
            raise FilmNotFound("Numbered pictures are not one file.", f"They are in {named(output)}.")
        if not output.is_file():
            raise FilmNotFound("This film has not been colored yet.", "Color it first.")
        return FileResponse(output, filename=output.name)

    def _enqueue(self, film: OpenFilm, settings: FilmRunSettings) -> None:
        former = self._queue.get(film.key)
        if former is not None and former.active:
            return
        pipeline = self._colorizer.pipeline(settings)
        stills, table = film.inputs()
        shots = read_shots(table) if table else ()

        def load(name: str) -> Pipeline:
            return self._colorizer.pipeline(ModelSettings(model=name, strength=settings.strength))

        run = FilmRun(
            film.job,
            pipeline,
            pipelines_of_shots(shots, pipeline, load),
            FilmSettings(stills=stills, shots=shots, frame_rate=film.frame_rate),
            overwrite=settings.overwrite,
        )
        self._queue.add(film.key, run)

    def _film(self, request: Request) -> OpenFilm:
        return self._films.get(request.path_params["key"])

    def _output(self, film: OpenFilm) -> Path:
        run = self._queue.get(film.key)
        return run.outcome.output if run and run.outcome else film.job.target

    def _run(self, key: str) -> dict[str, Any] | None:
        run = self._queue.get(key)
        return None if run is None else run.describe()

    async def _take(self, request: Request, work: Callable[[], Result]) -> Result:
        return await self._requests.run(work, request.is_disconnected)
