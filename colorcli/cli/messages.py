"""Errors, notes and warnings on standard error: the one place that decides how they look."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorcli.errors import ColorcliError

write_line = partial(click.echo, err=True)


def report_error(error: ColorcliError, write: Callable[[str], object] = write_line) -> None:
    """Report an error that does not end the command; with --debug, with its traceback.

    A hint is printed once, as thousands of files may have the same fault.

    Args:
        error: what went wrong.
        write: writes the text; a progress bar brings its own.
    """
    if is_debugging():
        write(traceback_of(error))
    write(error_text(error.message, "" if _is_known(error.hint) else error.hint))


def _is_known(hint: str) -> bool:
    """Whether the command that is running has printed a hint before."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    known: set[str] = context.meta.setdefault(__name__, set())
    before = hint in known
    known.add(hint)
    return before


def report_note(text: str, write: Callable[[str], object] = write_line) -> None:
    """Report something that the user should know but that is not an error."""
    write(f"note: {text}")


def error_text(message: str, hint: str = "") -> str:
    """Format an error: one line, and below it the hint if there is one."""
    return f"error: {message}\nhint: {hint}" if hint else f"error: {message}"


def is_debugging() -> bool:
    """Whether --debug was given to the command that is running."""
    context = click.get_current_context(silent=True)
    return bool(context and (context.find_root().obj or {}).get("debug"))


def traceback_of(error: BaseException) -> str:
    """Format an error with its traceback and its causes."""
    import traceback

    return "".join(traceback.format_exception(error)).rstrip()
