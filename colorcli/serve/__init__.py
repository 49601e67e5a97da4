"""`colorcli serve`: a page on this computer that colors photographs and films, and the HTTP API behind it.

The server is Starlette on uvicorn, installed by the extra `serve`, rather than the standard library's `http.server`:
what hostile or slow clients send, multipart forms included, is parsed by code that many rely on, and fifty connections
do not need fifty threads. It costs eight small packages, which no other command imports.

Films stay in the folder that the user named; their frames are pictures like others, and a `FilmQueue` colors them.
Pictures live in memory only, in an `Album` of bounded size; models in a `ModelCache`. Requests are processed one after
the other, because each of them uses every core.
"""

from colorcli.errors import UsageError


def require_extra() -> None:
    """Check that the packages of the extra `serve` are installed.

    Raises:
        UsageError: one is missing; the hint is the command that installs it.
    """
    try:
        import python_multipart  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise UsageError(
            f"colorcli serve needs {error.name}, which is not installed.",
            'Install it: pip install "colorcli[serve]"',
        ) from None
