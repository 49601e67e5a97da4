"""The command line: a module for each command, and one door, `main`, through which every error goes out.

What stands at the top of these modules is paid for by `colorcli --help`: click, and nothing that is slower.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.bench import bench
from colorcli.cli.compare import compare
from colorcli.cli.evaluate import evaluate
from colorcli.cli.models import models
from colorcli.cli.plugins import plugins
from colorcli.cli.run import run
from colorcli.cli.train import train
from colorcli.cli.turing import turing
from colorcli.cli.weights import weights
from colorcli.errors import ColorcliError
from colorcli.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130  # what shells say of a program that Ctrl-C stopped


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, envvar="COLORCLI_DEBUG", help="Show the traceback of every error.")
@click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read defaults from FILE instead of colorcli.toml.",
)
@click.version_option(package_name="colorcli", prog_name="colorcli", message="%(prog)s %(version)s")
@click.pass_context
def colorcli(ctx: click.Context, debug: bool, settings: Path | None) -> None:
    """Colorize black-and-white photographs and films, with the colorizer of your choice.

    colorcli run --model zhang photos/ writes them, in color, to photos-color/.
    """
    ctx.obj["debug"] = debug
    ctx.default_map = read_settings(colorcli, settings)


colorcli.add_command(run)
colorcli.add_command(train)
colorcli.add_command(evaluate)
colorcli.add_command(compare)
colorcli.add_command(turing)
colorcli.add_command(bench)
colorcli.add_command(models)
colorcli.add_command(plugins)
colorcli.add_command(weights)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    Args:
        args: what follows the program's name; `sys.argv` where None.
    """
    session = {"debug": False}
    try:
        code = colorcli.main(args, prog_name="colorcli", standalone_mode=False, obj=session)
        sys.stdout.flush()  # here, where a reader who has gone can still be noticed quietly
    except BrokenPipeError:  # `colorcli models | head -1`: whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor may the flush at exit complain
        return 1
    except click.Abort as error:
        if isinstance(error.__cause__, EOFError):  # click takes both for a wish to stop; this one is a bug
            raise error.__cause__ from None
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except (ColorcliError, click.ClickException) as error:
        if session["debug"]:
            traceback.print_exc()
        _explain(error)
        return error.exit_code
    return code if isinstance(code, int) else 0


def _explain(error: ColorcliError | click.ClickException) -> None:
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return
        case ColorcliError():
            message, hint = error.message, error.hint
        case click.UsageError(ctx=click.Context(command_path=command)):
            message, hint = error.format_message(), f"`{command} --help` shows what there is."
        case _:
            message, hint = error.format_message(), ""
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
