"""`colorcli settings`: the defaults that colorcli.toml sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from colorcli.cli.messages import report_note
from colorcli.files import shown

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def settings() -> None:
    """Show the settings file and the defaults in it."""


@settings.command()
@click.pass_context
def show(ctx: click.Context) -> None:
    """Print the settings in use as TOML, and the file they come from."""
    import tomli_w

    from colorcli.documents import read_toml
    from colorcli.settings import candidates

    path: Path | None = ctx.find_root().obj["settings"]
    if path is None:
        places = " or ".join(shown(each.absolute()) for each in candidates())
        report_note(f"no settings file found. Defaults can be set in {places}.")
        return
    click.echo(f"# {shown(path.absolute())}")
    click.echo(tomli_w.dumps(read_toml(path)).rstrip())
