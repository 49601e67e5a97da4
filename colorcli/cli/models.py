"""`colorcli models`: what can be asked for after --model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from colorcli.cli.columns import align
from colorcli.cli.messages import report_note

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def models(as_json: bool) -> None:
    """List the colorizers, their weights, and which of these are here already."""
    from colorcli.plugin.registry import Registry

    registry = Registry()
    facts = [_facts(colorizer) for colorizer in registry.colorizers().values()]
    if as_json:
        import json

        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join(map(_paragraph, facts)) or "No colorizer is installed.")
    _mention_broken(sum(bool(plugin.errors) for plugin in registry.plugins()))


def _facts(colorizer: Colorizer) -> dict[str, Any]:
    from colorcli.weights import is_local

    return {
        "name": colorizer.name,
        "summary": colorizer.summary,
        "weights": [
            {
                "name": f"{colorizer.name}.{tag}",
                "tag": tag,
                "license": weights.license,
                "size": weights.size,
                "parameters": weights.parameters,
                "trained_on": weights.trained_on,
                "source": weights.source,
                "bundled": weights.bundled,
                "here": is_local(weights),
            }
            for tag, weights in colorizer.weights.items()
        ],
    }


def _paragraph(facts: dict[str, Any]) -> str:
    rows = [(w["name"], _megabytes(w["size"]), w["license"], _whereabouts(w)) for w in facts["weights"]]
    lines = align(rows, indent="  ") if rows else ["  needs no weights"]
    return "\n".join([f"{facts['name']}: {facts['summary']}", *lines])


def _megabytes(size: int) -> str:
    return f"{size / 1e6:6.1f} MB"


def _whereabouts(weights: dict[str, Any]) -> str:
    if weights["here"]:
        return "here"
    return "missing from this installation" if weights["bundled"] else "downloaded when first used"


def _mention_broken(count: int) -> None:
    if count:
        verb = "is" if count == 1 else "are"
        report_note(f"{count} of the plugins {verb} broken; see `colorcli plugins`.")
