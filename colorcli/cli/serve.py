"""`colorcli serve`: the page on this computer that colors photographs and films."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.film import frames_per_second
from colorcli.cli.messages import report_note
from colorcli.cli.model_options import ModelOptions, complete_model, served_model_options
from colorcli.cli.run import DEFAULT_MODEL
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from fractions import Fraction

    from colorcli.inference.model import Model

_TOKEN = re.compile(r"[\w-]{16,200}", re.ASCII)


def _token(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Check a token that the user has chosen."""
    if value is not None and not _TOKEN.fullmatch(value):
        raise click.BadParameter("must have 16 to 200 letters, digits, - or _; `openssl rand -hex 16` makes one.")
    return value


@click.command()
@click.option(
    "-m",
    "--model",
    "name",
    metavar="COLORIZER[.TAG]",
    shell_complete=complete_model,
    help=f"Model that the page starts with. [default: {DEFAULT_MODEL}, or what --weights FILE is for]",
)
@served_model_options
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8020, show_default=True, help="Port; 0 picks a free one."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Other computers can then reach the page, unencrypted; only the token"
    " protects it. 0.0.0.0 is every address.",
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="Another host name to answer to, such as a proxy's; may be repeated.",
)
@click.option(
    "--token",
    envvar="COLORCLI_TOKEN",
    show_envvar=True,
    callback=_token,
    help="Token that requests must contain. [default: a new one each time]",
)
@click.option(
    "--films",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of films that the page may open; references and colored films are written beside them.",
)
@click.option(
    "--fps",
    "frame_rate",
    type=frames_per_second,
    metavar="RATE",
    help="Rate of numbered pictures in DIR: 25 or 24000/1001. A folder of them is then a film. [default: 24]",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@click.option("--max-pixels", type=click.IntRange(min=1), help="Refuse larger pictures. [default: 250 million]")
@click.option(
    "--max-upload", type=click.IntRange(1, 4000), default=200, show_default=True, help="Largest file, in megabytes."
)
@click.option(
    "--max-waiting",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Number of requests that may wait; others are refused.",
)
def serve(
    *,
    name: str | None,
    model_options: ModelOptions,
    port: int,
    host: str,
    allow_host: tuple[str, ...],
    token: str | None,
    films: Path | None,
    frame_rate: Fraction | None,
    no_browser: bool,
    max_pixels: int | None,
    max_upload: int,
    max_waiting: int,
) -> None:
    """Open a page in the browser that colors photographs and films.

    Other programs can color pictures through its HTTP API. Photographs stay on this computer, in memory; nothing is
    saved until you save it. Ctrl-C ends the server.
    """
    import secrets

    from colorcli.serve import require_extra

    if frame_rate and not films:
        raise UsageError("--fps applies to numbered pictures, but no folder of films was given.", "Add --films DIR.")
    require_extra()
    from colorcli.serve import server

    name = name or model_options.named_by_weights() or DEFAULT_MODEL
    token = token or secrets.token_urlsafe(24)
    with server.listen(host, port) as listening:  # before the model is loaded, which takes longer
        default = model_options.load(name)
        others = replace(model_options, weights=None)

        def load(other: str) -> Model:
            return others.load(other)

        from colorcli.media.pictures.files import DEFAULT_MAX_PIXELS
        from colorcli.plugin.registry import Registry
        from colorcli.serve.app import Server
        from colorcli.serve.guard import Access
        from colorcli.serve.models import ModelCache
        from colorcli.serve.requests import Limits

        limits = Limits(max_pixels or DEFAULT_MAX_PIXELS, max_upload * 10**6, max_waiting)
        access = Access(token, server.names_of(host, allow_host), server.is_everywhere(host))
        app = Server(
            ModelCache(default, load),
            Registry().colorizers().values(),
            limits,
            access,
            films and films.resolve(),
            frame_rate,
        ).app
        address = server.address_of(listening, host, token)

        def started() -> None:
            click.echo(address)
            if not server.is_loopback(host):
                report_note(
                    f"{host} can be reached from other computers, unencrypted. Whoever has the token can use this"
                    " computer to color pictures. Put a proxy with TLS in front of it on networks you do not trust."
                )
            if not no_browser:
                click.launch(address)

        with contextlib.suppress(KeyboardInterrupt):  # the usual end
            server.HttpServer(app, started).run([listening])
