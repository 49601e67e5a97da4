"""`colorcli plugins`: list plugins, write a new one, check one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from colorcli.cli.columns import align
from colorcli.cli.output_files import OutputFolder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from colorcli.plugin.registry import PluginRecord
    from colorcli.testing.check import Verdict

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group(invoke_without_command=True)
@_json
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> int | None:
    """List plugins, write a new one, and check one.

    Without a command, `list`.
    """
    ctx.default_map = {name: {"as_json": as_json} for name in ("list", "check")}  # --json may precede the command
    return ctx.invoke(list_plugins, as_json=as_json) if ctx.invoked_subcommand is None else None


@plugins.command("list")
@_json
def list_plugins(as_json: bool) -> int:
    """List plugins, what each provides, and what is wrong with it.

    The exit code is 1 if any plugin is broken.
    """
    from colorcli.plugin.registry import Registry

    found = Registry().plugins()
    if as_json:
        _print_json(found)
    else:
        click.echo("\n".join(_table(found)) if found else "No plugins are installed.")
    return 1 if any(plugin.errors for plugin in found) else 0


def _table(found: list[PluginRecord]) -> list[str]:
    rows = [("PLUGIN", "DISTRIBUTION", "VERSION", "PROVIDES")]
    rows += [(p.name, p.distribution, p.version, _provided(p) or "nothing") for p in found]
    broken = [f"broken: {plugin.name}: {error}" for plugin in found for error in plugin.errors]
    return [*align(rows), *([""] if broken else []), *broken]


def _provided(plugin: PluginRecord) -> str:
    others = {"metric": plugin.metrics, "gray": plugin.grays, "experiment": plugin.experiments}
    named = (f"{kind} {name}" for kind, names in others.items() for name in names)
    return ", ".join([*plugin.colorizers, *named])


@plugins.command()
@click.argument("name")
@click.option("-o", "--output", type=OutputFolder(), help="Write into this folder instead of colorcli-NAME.")
@click.option("--trainable", is_flag=True, help="Write a package with a recipe for `colorcli train`.")
@click.option("--metric", is_flag=True, help="Write a package with a metric for `colorcli evaluate`.")
def new(name: str, output: Path | None, *, trainable: bool, metric: bool) -> None:
    """Write a new plugin: a project that can be installed at once.

    NAME is what people will type after --model: lowercase letters, digits, - and _, starting with a letter.
    """
    from colorcli.plugin.scaffold import write_plugin

    folder = write_plugin(name, output or Path(f"colorcli-{name}"), trainable=trainable, metric=metric)
    click.echo(str(folder))
    click.echo(
        f"Install it:  pip install -e {folder}\n"
        f"Use it:      colorcli run --model {name} photos/\n"
        f"Check it:    colorcli plugins check {name}",
        err=True,
    )


@plugins.command()
@click.argument("what", metavar="NAME|PATH")
@click.option("--side", type=click.IntRange(min=1), help="Try squares of this side if its own size is slow.")
@_json
def check(what: str, side: int | None, as_json: bool) -> int:
    """Check whether a plugin keeps what colorizers and metrics promise.

    NAME is an installed plugin, PATH a module, a package, or a folder with a pyproject.toml. Networks are tried
    untrained, with the hyperparameters of the first available weights. Large networks take minutes.
    """
    from colorcli.cli.progress import Progress
    from colorcli.testing.check import Check

    plugin = Check(what, side)
    verdicts: list[Verdict] = []
    with Progress("checking", len(plugin), unit="promises/s") as progress:
        for verdict in plugin.verdicts():
            verdicts.append(verdict)
            progress.advance(verdict.promise)
    if as_json:
        _print_json(verdicts)
    else:
        click.echo("\n".join(align([("PLUGIN", "PROMISE", "VERDICT", "WHY"), *map(_row, verdicts)])))
    broken = sum(not verdict.kept for verdict in verdicts)
    click.echo(f"{len(verdicts) - broken} promises kept, {broken} broken", err=True)
    return 1 if broken else 0


def _row(verdict: Verdict) -> tuple[str, str, str, str]:
    return verdict.name, verdict.promise, "kept" if verdict.kept else "broken", verdict.why


def _print_json(records: Iterable[PluginRecord] | Iterable[Verdict]) -> None:
    import json
    from dataclasses import asdict

    click.echo(json.dumps([asdict(record) for record in records], indent=2, ensure_ascii=False))
