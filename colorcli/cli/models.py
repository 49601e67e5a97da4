"""`colorcli models`: what can be given to --model, and the options of each colorizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from colorcli.cli.columns import align
from colorcli.cli.messages import report_note
from colorcli.cli.model_options import complete_model

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer, Option


@click.command()
@click.argument("name", required=False, shell_complete=complete_model)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def models(name: str | None, as_json: bool) -> None:
    """List the colorizers, or describe one with its options.

    NAME is a colorizer, such as zhang, or one with a tag, such as zhang.eccv16.
    """
    from colorcli.plugin.registry import Registry
    from colorcli.weights.resolver import find_tag

    registry = Registry()
    if name is None:
        facts = [_facts(colorizer) for colorizer in registry.colorizers().values()]
    else:
        colorizer, tag = registry.resolve(name)
        if tag is not None:
            find_tag(colorizer, tag)
        facts = [_facts(colorizer, tag)]
    if as_json:
        import json

        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    elif name is None:
        click.echo("\n\n".join(map(_paragraph, facts)) or "No colorizers are installed.")
    else:
        click.echo(_description(facts[0]))
    if name is None:
        _mention_broken(sum(bool(plugin.errors) for plugin in registry.plugins()))


def _facts(colorizer: Colorizer, only: str | None = None) -> dict[str, Any]:
    """Collect the facts about a colorizer, with all of its weights or only those of one tag."""
    from colorcli.weights import is_local

    chosen = {tag: weights for tag, weights in colorizer.weights.items() if only in {None, tag}}
    return {
        "name": colorizer.name,
        "summary": colorizer.summary,
        "size": colorizer.size,
        "weights": [
            {
                "name": f"{colorizer.name}.{tag}",
                "tag": tag,
                "license": weights.license,
                "size": weights.size,
                "parameters": weights.parameters,
                "input_size": weights.input_size or colorizer.size,
                "trained_on": weights.trained_on,
                "source": weights.source,
                "bundled": weights.bundled,
                "page": weights.page or None,
                "here": is_local(weights),
            }
            for tag, weights in chosen.items()
        ],
        "options": [
            {
                "name": option.name,
                "help": option.help,
                "values": option.describe(),
                "minimum": option.minimum,
                "maximum": option.maximum,
                "choices": option.choices,
                "default": option.default,
                "defaults": {tag: _default(option, weights.options) for tag, weights in chosen.items()},
            }
            for option in colorizer.options
        ],
    }


def _default(option: Option, own: Any) -> object:
    return own.get(option.name, option.default)


def _paragraph(facts: dict[str, Any]) -> str:
    rows = [(w["name"], _megabytes(w["size"]), w["license"], _whereabouts(w)) for w in facts["weights"]]
    lines = align(rows, indent="  ") if rows else ["  needs no weights"]
    return "\n".join([f"{facts['name']}: {facts['summary']}", *lines])


def _description(facts: dict[str, Any]) -> str:
    lines = [_paragraph(facts)]
    for weights in facts["weights"]:
        size = f"{weights['input_size']} x {weights['input_size']}" if weights["input_size"] else "the picture's size"
        lines += [
            "",
            f"{weights['name']}",
            f"  network     {size}" + (f", {weights['parameters']:,} parameters" if weights["parameters"] else ""),
            f"  trained on  {weights['trained_on']}",
            f"  source      {weights['source']}",
        ]
    lines += ["", "options" if facts["options"] else "It has no options."]
    for option in facts["options"]:
        lines += [
            f"  -p {option['name']}=...  {option['help']}",
            f"      {option['values']}; default {_defaults(option)}",
        ]
    return "\n".join(lines)


def _defaults(option: dict[str, Any]) -> str:
    """Write the defaults of all tags: `1`, or `1 (eccv16), 0.38 (starter)` if they differ."""
    values = {tag: _shown(value) for tag, value in option["defaults"].items()}
    if len(set(values.values())) <= 1:
        return next(iter(values.values()), _shown(option["default"]))
    return ", ".join(f"{value} ({tag})" for tag, value in values.items())


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'


def _megabytes(size: int) -> str:
    return f"{size / 1e6:6.1f} MB"


def _whereabouts(weights: dict[str, Any]) -> str:
    if weights["here"]:
        return "here"
    if weights["bundled"]:
        return "missing from this installation"
    return "must be downloaded and imported by you" if weights["page"] else "downloaded when first used"


def _mention_broken(count: int) -> None:
    if count:
        verb = "is" if count == 1 else "are"
        report_note(f"{count} of the plugins {verb} broken; see `colorcli plugins`.")
