"""`colorcli plugins`: what is installed, what it provides, and what is broken and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from colorcli.cli.columns import align

if TYPE_CHECKING:
    from colorcli.registry import Plugin


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def plugins(as_json: bool) -> None:
    """List the plugins, what each provides, and what is broken and why."""
    from colorcli.registry import Registry

    found = Registry().plugins()
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps([asdict(plugin) for plugin in found], indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_table(found)) if found else "No plugin is installed.")


def _table(found: list[Plugin]) -> list[str]:
    rows = [("PLUGIN", "DISTRIBUTION", "VERSION", "PROVIDES")]
    rows += [(p.name, p.distribution, p.version, ", ".join(p.colorizers) or "nothing") for p in found]
    broken = [f"broken: {plugin.name}: {error}" for plugin in found for error in plugin.errors]
    return [*align(rows), *([""] if broken else []), *broken]
