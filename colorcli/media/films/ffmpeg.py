"""ffmpeg: where it is, what it can do, and how it is run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from collections import deque
from functools import cache
from typing import IO, TYPE_CHECKING, Any

import ffmpeg

from colorcli.errors import FfmpegMissing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

OLDEST = 6
"""The first version that has everything we ask of it (`-display_rotation`, `-fps_mode`)."""

_LINES_KEPT = 20
_SPEAKER = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\] *)+")  # which part of ffmpeg says it
_CONSEQUENCES = (  # what it says after the reason
    "Task finished with",
    "Terminating thread with",
    "Error sending frames to consumers",
    "Could not open encoder before EOF",
    "Nothing was written into",
    "Conversion failed",
)
_PIPE_BYTES = 1 << 20


@cache
def find_ffmpeg() -> str:
    """Return the ffmpeg to run: the one on the path, else the one that imageio-ffmpeg ships.

    One on the path that is older than version 6 is passed over.

    Raises:
        FfmpegMissing: there is neither.
    """
    found = shutil.which("ffmpeg")
    if found and (_version(found) or OLDEST) >= OLDEST:
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        what = f"{found} is older than version {OLDEST}" if found else "there is none on the path"
        raise FfmpegMissing(
            f"Films need ffmpeg, and {what}.", "Install it, or one for Python: pip install imageio-ffmpeg."
        ) from error


def _version(executable: str) -> int | None:
    """Return the major version; None where it does not say, as builds between versions do."""
    try:
        said = subprocess.run([executable, "-version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    except OSError:
        return 0
    found = re.match(r"ffmpeg version n?(\d+)\.", said)
    return int(found[1]) if found else None


@cache
def version() -> str:
    """Return the first line that the ffmpeg in use says of itself."""
    return run(["-version"]).decode(errors="replace").partition("\n")[0]


@cache
def encoders() -> dict[str, str]:
    """Return the video encoders that the ffmpeg in use was built with, and what each encodes to."""
    listed = run(["-hide_banner", "-encoders"]).decode(errors="replace")
    found = re.findall(r"^ V[\w.]{5} (\w\S*) .*?(?:\(codec (\w+)\))?$", listed, re.MULTILINE)
    return {name: codec or name for name, codec in found}


@cache
def filters() -> frozenset[str]:
    """Return the names of the filters that the ffmpeg in use was built with."""
    return frozenset(re.findall(r"^ [\w.|]{2,3} (\w+) ", run(["-hide_banner", "-filters"]).decode(), re.MULTILINE))


def run(arguments: Sequence[str]) -> bytes:
    """Run ffmpeg to its end and return what it wrote to stdout.

    Raises:
        FfmpegMissing: there is no ffmpeg.
        FfmpegFailed: it ended with an error.
    """
    with Process(arguments, reads=True) as process:
        output = process.stdout.read()
        process.finish()
    return output


class FfmpegFailed(Exception):
    """ffmpeg ended with an error; the message is its last lines."""


class Process:
    """An ffmpeg at work, whose stderr is read as it comes, so that it never waits for us.

    It is in a process group of its own: Ctrl-C reaches us, and we decide what becomes of it. As a context manager it
    is killed at the end if it still runs.

    Args:
        arguments: as `command` gives them, or a list without the executable.
        writes: whether we write to its stdin.
        reads: whether we read its stdout.

    Raises:
        FfmpegMissing: there is no ffmpeg.
    """

    def __init__(self, arguments: Sequence[str], *, writes: bool = False, reads: bool = False) -> None:
        alone: dict[str, Any] = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
            if os.name == "nt"
            else {"start_new_session": True}
        )
        self._process = subprocess.Popen(  # noqa: S603
            [find_ffmpeg(), *arguments],
            stdin=subprocess.PIPE if writes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if reads else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pipesize=_PIPE_BYTES,
            **alone,
        )
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._drain = threading.Thread(target=self._read_stderr, daemon=True)
        self._drain.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def stdin(self) -> IO[bytes]:
        """What it reads from."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """What it writes to."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def said(self) -> list[str]:
        """The last lines of its stderr so far."""
        return list(self._lines)

    def finish(self) -> list[str]:
        """Wait for its end, and return the last lines of its stderr.

        Raises:
            FfmpegFailed: it ended with an error.
        """
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it ended before us, and its exit code says why
                self._process.stdin.close()
        code = self._process.wait()
        self._drain.join()
        if code:
            reasons = [line for line in self.said if not line.startswith(_CONSEQUENCES)]
            raise FfmpegFailed("; ".join(reasons[-3:]) or f"ffmpeg ended with exit code {code}")
        return self.said

    def kill(self) -> None:
        """End it at once, if it still runs. The pipes stay open for whoever is at them, who finds their end."""
        if self._process.poll() is None:
            self._process.kill()

    def close(self) -> None:
        """End it at once, if it still runs, and close the pipes."""
        self.kill()
        self._process.wait()
        self._drain.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if text := _SPEAKER.sub("", line.decode(errors="replace").strip()):
                self._lines.append(text)


def command(output: Any) -> list[str]:
    """Return the arguments, without the executable, of a graph that ffmpeg-python's `output` ended.

    Only errors are said, and nothing is asked.
    """
    arguments: list[str] = ffmpeg.get_args(output, overwrite_output=True)
    return ["-hide_banner", "-nostdin", "-loglevel", "error", *arguments]


def pipe(file: IO[bytes]) -> IO[bytes] | str:
    """Return a pipe as PyAV takes it.

    Where it can, PyAV reads and writes without Python's help, in the midst of which it would lose a Ctrl-C.
    """
    return file if os.name == "nt" else f"pipe:{file.fileno()}"


def url(path: Path) -> str:
    """Return a path as ffmpeg takes it, whatever is in the name: `a:b.mp4` is no protocol, `-y.mp4` no option."""
    return f"file:{path}"
