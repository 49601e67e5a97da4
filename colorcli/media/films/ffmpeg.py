"""Finds and runs ffmpeg."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from collections import deque
from functools import cache
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import av
import ffmpeg

from colorcli.errors import FfmpegMissing
from colorcli.storage import RemotePath

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

OLDEST_VERSION = 6
"""The first major version with all options that we use (`-display_rotation`, `-fps_mode`)."""

LONG_ANALYSIS = {"analyzeduration": "300000000", "probesize": "268435456"}
"""Input options that find streams which begin up to 5 minutes (in microseconds) or 256 MB late."""

_LINES_KEPT = 20
_SPEAKER = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\] *)+")  # the part of ffmpeg that logs a line
_REPEATED = re.compile(r"Last message repeated \d+ times")
_CONSEQUENCES = (  # what ffmpeg logs after the actual reason
    "Task finished with",
    "Terminating thread with",
    "Error sending frames to consumers",
    "Could not open encoder before EOF",
    "Nothing was written into",
    "Conversion failed",
)
_PIPE_BYTES = 1 << 20
_ESCAPED = {code: 0x100000 + code for code in range(0xDC80, 0xDD00)}
"""Private-use characters that stand for bytes of names that are not UTF-8, which ffmpeg-python cannot take."""

_UNESCAPED = {escaped: code for code, escaped in _ESCAPED.items()}


class Ffmpeg(NamedTuple):
    """An ffmpeg executable.

    Attributes:
        path: where it is.
        passed_over: why the ffmpeg on the PATH is not used; empty if it is.
    """

    path: str
    passed_over: str = ""


@cache
def find_ffmpeg() -> Ffmpeg:
    """Return the ffmpeg to run: the one on the PATH, or that of imageio-ffmpeg if it is missing, too old or broken.

    Raises:
        FfmpegMissing: neither is available.
    """
    on_path = shutil.which("ffmpeg")
    passed_over = _unusable(on_path) if on_path else "no ffmpeg was found on the PATH"
    if on_path and not passed_over:
        return Ffmpeg(on_path)
    try:
        import imageio_ffmpeg

        return Ffmpeg(str(imageio_ffmpeg.get_ffmpeg_exe()), passed_over)
    except (ImportError, RuntimeError) as error:
        raise FfmpegMissing(
            f"Films need ffmpeg, but {passed_over}.",
            f"Install ffmpeg {OLDEST_VERSION} or newer, or the Python package: pip install imageio-ffmpeg",
        ) from error


def describe_ffmpeg() -> str:
    """Describe in one line which ffmpeg is used, and why the one on the PATH is not."""
    found = find_ffmpeg()
    used = f"Using {found.path} ({version().removeprefix('ffmpeg ').partition(' Copyright')[0]})"
    return f"{used}, because {found.passed_over}." if found.passed_over else f"{used}."


def _unusable(executable: str) -> str:
    """Return why an ffmpeg cannot be used; empty if it can, as builds without a release number are assumed to."""
    try:
        ran = subprocess.run(  # noqa: S603
            [executable, "-version"], capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return f"{executable} does not run"
    first = ran.stdout.decode(errors="replace").partition("\n")[0]
    if ran.returncode or not first.startswith("ffmpeg version"):
        return f"{executable} does not run"
    found = re.match(r"ffmpeg version n?((\d+)[.\d]*)", first)
    if found and int(found[2]) < OLDEST_VERSION:
        return f"{executable} is version {found[1]}, and {OLDEST_VERSION} or newer is needed"
    return ""


@cache
def version() -> str:
    """Return the version line of the ffmpeg in use."""
    return run(["-version"]).decode(errors="replace").partition("\n")[0]


@cache
def encoders() -> dict[str, str]:
    """Return the video encoders of the ffmpeg in use, and the codec of each."""
    listed = run(["-hide_banner", "-encoders"]).decode(errors="replace")
    found = re.findall(r"^ V[\w.]{5} (\w\S*) .*?(?:\(codec (\w+)\))?$", listed, re.MULTILINE)
    return {name: codec or name for name, codec in found}


@cache
def filters() -> frozenset[str]:
    """Return the filters of the ffmpeg in use."""
    return frozenset(re.findall(r"^ [\w.|]{2,3} (\w+) ", run(["-hide_banner", "-filters"]).decode(), re.MULTILINE))


def run(arguments: Sequence[str]) -> bytes:
    """Run ffmpeg to completion and return its stdout.

    Raises:
        FfmpegMissing: ffmpeg is not available.
        FfmpegFailed: ffmpeg exited with an error.
    """
    with FfmpegProcess(arguments, reads=True) as process:
        output = process.stdout.read()
        process.finish()
    return output


class FfmpegFailed(Exception):
    """ffmpeg exited with an error; the message is its last lines."""


class FfmpegProcess:
    """A running ffmpeg. Its stderr is read continuously, so that it never blocks.

    It runs in its own process group: Ctrl-C reaches only us, and we decide when it ends. As a context manager, it is
    killed on exit if it is still running.

    Args:
        arguments: as `command` returns them, or a list without the executable.
        writes: whether we write to its stdin.
        reads: whether we read its stdout.

    Raises:
        FfmpegMissing: ffmpeg is not available.
    """

    def __init__(self, arguments: Sequence[str], *, writes: bool = False, reads: bool = False) -> None:
        alone: dict[str, Any] = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
            if os.name == "nt"
            else {"start_new_session": True}
        )
        self._process = subprocess.Popen(  # noqa: S603
            [find_ffmpeg().path, *arguments],
            stdin=subprocess.PIPE if writes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if reads else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pipesize=_PIPE_BYTES,
            **alone,
        )
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._writes_output = threading.Event()
        self._output_begun = False
        self._drain = threading.Thread(target=self._read_stderr, daemon=True)
        self._drain.start()

    def __enter__(self) -> FfmpegProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def stdin(self) -> IO[bytes]:
        """Its standard input."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """Its standard output."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def log(self) -> list[str]:
        """The last lines of its stderr so far."""
        return list(self._lines)

    def wait_for_output(self) -> bool:
        """Wait until it has written the header of its output; False if it exits before. Needs `-loglevel info`."""
        self._writes_output.wait()
        return self._output_begun

    def finish(self) -> list[str]:
        """Wait until it exits and return the last lines of its stderr.

        Raises:
            FfmpegFailed: it exited with an error.
        """
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # ffmpeg exited first; its exit code tells why
                self._process.stdin.close()
        code = self._process.wait()
        self._drain.join()
        if code:
            reasons = [line for line in self.log if not line.startswith(_CONSEQUENCES)]
            raise FfmpegFailed("; ".join(reasons[-3:]) or f"ffmpeg exited with code {code}")
        return self.log

    def kill(self) -> None:
        """Kill it if it is still running. The pipes stay open; their readers reach the end."""
        if self._process.poll() is None:
            self._process.kill()

    def close(self) -> None:
        """Kill it if it is still running, and close the pipes."""
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
            text = _SPEAKER.sub("", line.decode(errors="replace").strip())
            if text.startswith("Output #0"):
                self._output_begun = True
                self._writes_output.set()
            if text and not _REPEATED.fullmatch(text):
                self._lines.append(text)
        self._writes_output.set()


def command(output: Any, loglevel: str = "error") -> list[str]:
    """Return the arguments, without the executable, for an output of ffmpeg-python.

    ffmpeg never prompts, and logs errors only unless another level is given.
    """
    arguments: list[str] = ffmpeg.get_args(output, overwrite_output=True)
    return ["-hide_banner", "-nostdin", "-loglevel", loglevel, *(each.translate(_UNESCAPED) for each in arguments)]


def pipe(file: IO[bytes]) -> IO[bytes] | str:
    """Return a pipe for PyAV.

    Except on Windows, PyAV uses the file descriptor itself: a Ctrl-C during its calls into Python would be lost.
    """
    return file if os.name == "nt" else f"pipe:{file.fileno()}"


def url(path: Path) -> str:
    """Return a path as a URL for ffmpeg, so that `a:b.mp4` is not a protocol and `-y.mp4` not an option."""
    return f"file:{path}".translate(_ESCAPED)


@contextlib.contextmanager
def opened(path: Path, options: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Open a film with PyAV, which takes names in UTF-8 only: other files are opened for it.

    Args:
        path: the film.
        options: ffmpeg's options for an input; `f` is the format.

    Raises:
        FFmpegError: it cannot be read.
    """
    with contextlib.ExitStack() as stack:
        file: Any = url(path)
        if isinstance(path, RemotePath) or not _is_utf8(str(path)):
            file = nameless(stack.enter_context(path.open("rb")))
        others = dict(options or {})
        form = others.pop("f", None)
        yield stack.enter_context(av.open(file, format=form, options=others, metadata_errors="replace"))


def side_data(frame: Any, kind: str) -> bytes | None:
    """Return data that a decoded frame carries, by PyAV's name of their kind; None if it carries none."""
    try:
        data = frame.side_data.get(kind)
    except ValueError:  # it also carries some that PyAV does not know, and then gives none
        return None
    return bytes(data) if data is not None else None


def nameless(file: IO[bytes]) -> Any:
    """Return a file without its name, which PyAV would encode."""
    return SimpleNamespace(**{each: getattr(file, each) for each in ("read", "write", "seek", "tell")})


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
