"""The command line: a module for each command, and `main`, which prints every error.

Only click and what is as fast to import is imported at the top of these modules, so that `colorcli --help` is quick.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.bench import bench
from colorcli.cli.compare import compare
from colorcli.cli.evaluate import evaluate
from colorcli.cli.messages import error_text, report_note, traceback_of
from colorcli.cli.models import models
from colorcli.cli.paper import paper
from colorcli.cli.plugins import plugins
from colorcli.cli.process import exit_at_once, let_threads_sleep, open_missing_streams, reserve_stdout
from colorcli.cli.run import run
from colorcli.cli.serve import serve
from colorcli.cli.settings import settings as settings_command
from colorcli.cli.signals import Interruption, ending_at_once
from colorcli.cli.stills import film
from colorcli.cli.terminal import printable_output
from colorcli.cli.train import train
from colorcli.cli.turing import turing
from colorcli.cli.weights import weights
from colorcli.errors import ColorcliError, UnwritableMedia, UsageError, did_you_mean
from colorcli.files import shown
from colorcli.settings import find_settings, is_users_own, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Commands(click.Group):
    """The commands; files, folders and URLs instead of a command are inputs of `run`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to run.

        Raises:
            UsageError: no command, file or folder has this name.
        """
        word = args[0]
        if word in self.commands or word.startswith("-"):
            return super().resolve_command(ctx, args)
        if os.path.lexists(word) or "://" in word:
            return super().resolve_command(ctx, ["run", *args])
        if "." in word or os.sep in word:
            raise UsageError(f"File, folder or command not found: {shown(word)}.")
        raise UsageError(f"Command not found: {shown(word)}.", did_you_mean(word, self.commands))


def _check_current_folder() -> None:
    """Check that the current folder exists, on which much depends, even the libraries of torch.

    Raises:
        ColorcliError: it was removed.
    """
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as error:
        raise ColorcliError("The current folder was removed.", "Change to another one: cd ~") from error


def _show_versions(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    import platform
    from importlib.metadata import version

    from colorcli.inference.device import choose

    click.echo(f"colorcli {version('colorcli')}")
    click.echo(f"torch {version('torch')}")
    click.echo(f"Python {platform.python_version()}")
    click.echo(f"device: {choose()}")
    ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, envvar="COLORCLI_DEBUG", help="Show the traceback of every error.")
@click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read defaults from FILE instead of colorcli.toml.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_versions,
    help="Show the versions of colorcli, torch and Python, and the default device.",
)
@click.pass_context
def colorcli(ctx: click.Context, debug: bool, settings: Path | None) -> None:
    """Colorize black-and-white photographs and films with the colorizer of your choice.

    `colorcli run photos/` writes colored copies to photos-color/; `colorcli photos/` is short for it.
    """
    ctx.obj["debug"] = debug
    _check_current_folder()
    ctx.obj["settings"] = path = settings or find_settings()
    ctx.default_map = read_settings(colorcli, path, trusted=settings is not None or is_users_own(path))
    if ctx.invoked_subcommand in ctx.default_map:
        report_note(f"using the defaults for {ctx.invoked_subcommand} in {shown(str(path))}")


colorcli.add_command(run)
colorcli.add_command(serve)
colorcli.add_command(train)
colorcli.add_command(evaluate)
colorcli.add_command(compare)
colorcli.add_command(film)
colorcli.add_command(paper)
colorcli.add_command(turing)
colorcli.add_command(bench)
colorcli.add_command(models)
colorcli.add_command(plugins)
colorcli.add_command(weights)
colorcli.add_command(settings_command)


def program() -> None:
    """Run the command line of this process, and end it with the exit code."""
    with ending_at_once():
        open_missing_streams()
        let_threads_sleep()
        reserve_stdout()
        exit_at_once(main())


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and print the error if it fails.

    Args:
        args: the arguments after the program's name; None for `sys.argv`.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted (128 and the number of another signal).
    """
    with printable_output():
        return _main(args)


def _main(args: Sequence[str] | None) -> int:
    session: dict[str, object] = {"debug": False}
    interruption = Interruption()
    try:
        with interruption.raised():
            code = colorcli.main(args, prog_name="colorcli", standalone_mode=False, obj=session)
            sys.stdout.flush()  # here, where an error can still be reported
    except click.Abort as error:
        if isinstance(error.__cause__, EOFError):  # click treats it like Ctrl-C, but here it is a bug
            raise error.__cause__ from None
        click.echo("Interrupted.", err=True)
        return interruption.exit_code
    except (BrokenPipeError, SystemExit):  # as with `colorcli models | head -1`; click turns the error into an exit
        _discard_output()
        return 1
    except (ColorcliError, click.ClickException, OSError) as error:
        if session["debug"]:
            click.echo(traceback_of(error), err=True)
        return _report(error)
    return code if isinstance(code, int) else 0


def _report(error: ColorcliError | click.ClickException | OSError) -> int:
    """Print an error that ends the command; return the exit code."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return error.exit_code
        case OSError():
            error = _explained(error)
            message, hint = error.message, error.hint
        case ColorcliError():
            message, hint = error.message, error.hint
        case click.UsageError(ctx=click.Context(command_path=command)):
            message, hint = error.format_message(), f"Run `{command} --help` for usage."
        case _:
            message, hint = error.format_message(), ""
    click.echo(error_text(message, hint), err=True)
    return error.exit_code


def _explained(error: OSError) -> ColorcliError:
    """Convert an error of the system to one for the user.

    Raises:
        OSError: it names no file, so that it must be a bug.
    """
    reason = error.strerror or str(error)
    if error.filename is not None:
        return ColorcliError(f"{shown(str(error.filename))}: {reason}.")
    if not _is_from_output(error):
        raise error
    _discard_output()
    return UnwritableMedia(f"standard output: {reason}.", "Free some space, or write to another place.")


def _is_from_output(error: OSError) -> bool:
    """Whether `click.echo` raised an error, or the flush in `main`: nothing else writes to standard output."""
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    return last is not None and last.tb_frame.f_globals["__name__"] in {"click.utils", __name__}


def _discard_output() -> None:
    """Discard what standard output still has to write, so that Python does not fail to write it when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
