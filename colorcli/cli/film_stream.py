"""Films through pipes, as uncompressed Y4M: `ffmpeg ... | colorcli run - | x265 ...`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from colorcli.cli.messages import report_note
from colorcli.errors import UnwritableMedia, UsageError

if TYPE_CHECKING:
    from io import BufferedReader

    from colorcli.film.colorize import FilmSettings
    from colorcli.inference.pipeline import Pipeline

_MAGIC = b"YUV4MPEG2"


def stdin_is_film() -> bool:
    """Decide whether standard input is a film in Y4M, without reading past its first bytes."""
    beginning: bytes = cast("BufferedReader", sys.stdin.buffer).peek(len(_MAGIC))
    return beginning.startswith(_MAGIC)


def stream_film(pipeline: Pipeline, settings: FilmSettings, source: Path | None = None) -> None:
    """Colorize a film and write it to standard output as Y4M, with its luma untouched.

    What is read from a pipe is kept in a temporary file, because a film is read more than once.

    Args:
        pipeline: the model, strength and options.
        settings: settings of the film.
        source: the film; None for standard input.

    Raises:
        UsageError: standard output is a terminal.
        ColorcliError: the film cannot be read, colorized or written.
    """
    from colorcli.film.colorize import colorize_film
    from colorcli.jobs import Job
    from colorcli.media.films.ffmpeg import FfmpegProcess

    if sys.stdout.isatty():
        raise UsageError(
            "Standard output is a terminal, which cannot show a film.",
            "Redirect it: colorcli run - < a.y4m > b.y4m",
        )
    with tempfile.TemporaryDirectory(prefix="colorcli-") as folder:
        name = str(source or "standard input")
        if source is None:
            source = Path(folder, "film.y4m")
            try:
                with source.open("wb") as file:
                    shutil.copyfileobj(sys.stdin.buffer, file)
            except OSError as error:
                raise UnwritableMedia(
                    f"{folder}: {error.strerror or error}.", "Set TMPDIR to another disk."
                ) from error
        lossless = Path(folder, "colored.mkv")
        outcome = colorize_film(
            pipeline, Job(source, lossless, source.name, film=True), replace(settings, codec="ffv1", crf=None)
        )
        if outcome.error is not None:
            raise outcome.error
        for remark in outcome.remarks:
            report_note(f"{name}: {remark}.")
        arguments = ["-v", "error", "-i", str(outcome.output), "-map", "0:v:0", "-strict", "-1"]
        with (
            FfmpegProcess([*arguments, "-f", "yuv4mpegpipe", "pipe:1"], reads=True) as process,
            open(sys.stdout.fileno(), "wb", closefd=False) as stdout,
        ):
            shutil.copyfileobj(process.stdout, stdout)
            process.finish()
