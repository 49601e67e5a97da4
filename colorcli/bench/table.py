"""Speeds as a table, which is never printed without its protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colorcli.bench.speed import Facts, Speed

_DEFINITIONS = (
    "Stages: milliseconds of a worker's thread that a picture takes, `other` what is none of them, `wait` when a "
    "worker has nothing to do; a worker does all stages one after another. Network: its share of all threads' time. "
    "Of the network alone: the speed beside that of the network asked as often in the same threads, with no pictures. "
    "Cold start: from the start of the program to the first picture, or the first second of a film. Memory: the most "
    "that the process had. FLOP: of the network, as torch computes it."
)


def markdown(speeds: Sequence[Speed], source: str, command: str) -> str:
    """Write speeds and their protocol as Markdown.

    Args:
        speeds: of each setting.
        source: what they were measured with, in words.
        command: the one that makes this table.
    """
    unit = "frames" if not speeds[0].facts["sizes"] else "pictures"
    stages = list(dict.fromkeys(name for speed in speeds for name in speed.stages))
    columns = [
        *("", "batch", f"{unit}/s", "lowest to highest", *(f"{name} ms" for name in stages)),
        *("network", "of the network alone", "cold start", "memory", "GFLOP"),
    ]
    lines = [_line(columns), _line(["---", *["---:"] * (len(columns) - 1)])]
    lines += [_line(_cells(speed, stages)) for speed in speeds]
    facts = speeds[0].facts
    rounds = len(speeds[0].rounds)
    protocol = [
        f"{source}{_sizes(facts)}",
        f"{rounds} round{'s' if rounds > 1 else ''} after one to warm up, each setting in a process of its own, "
        "all in turn; medians. Stages are timed in passes of their own",
        _machine(facts, speeds[0].rounds[0]["workers"]),
        ", ".join(f"{name} {number}" for name, number in _versions(speeds).items()),
        f"`{command}`",
        _DEFINITIONS,
    ]
    return "\n".join([*lines, "", *(f"- {line}" for line in protocol)])


def as_json(speeds: Sequence[Speed], source: str, command: str) -> str:
    """Write all of it as JSON."""
    facts = {"source": source, "command": command, "speeds": [speed.as_dict() for speed in speeds]}
    return json.dumps(facts, ensure_ascii=False, indent=2)


def _cells(speed: Speed, stages: Sequence[str]) -> list[str]:
    facts, rates = speed.facts, speed.rates
    memory = [facts["memory"], facts["device_memory"]]
    return [
        f"{facts['model']}, {facts['device']}",
        str(facts["batch_size"]),
        f"{speed.rate:.2f}",
        f"{min(rates):.2f} to {max(rates):.2f}",
        *(f"{1000 * speed.stages.get(name, 0.0):.1f}" for name in stages),
        f"{speed.network_share:.0%}",
        f"{speed.of_alone:.0%}",
        f"{speed.cold_start:.2f} s",
        " + ".join(f"{each / 1e9:.2f} GB" for each in memory if each is not None) or "unknown",
        f"{facts['flops'] / 1e9:.1f}",
    ]


def _sizes(facts: Facts) -> str:
    sizes = sorted({(width, height) for width, height in facts["sizes"]}, key=lambda size: size[0] * size[1])
    names = [f"{width}x{height}" for width, height in sizes]
    looks = (
        f"the network looks at {facts['size']}x{facts['size']}" if facts["size"] else "the network takes their size"
    )
    of = f" of {names[0]}" + (f" to {names[-1]}" if len(names) > 1 else "") if names else ""
    return f"{of}; {looks}"


def _machine(facts: Facts, workers: int) -> str:
    words = [
        facts["cpu"],
        *([", ".join(facts["instructions"])] if facts["instructions"] else []),
        f"{facts['threads']} threads, {workers} worker{'s' if workers > 1 else ''}",
        *([facts["gpu"]] if facts["gpu"] else []),
    ]
    return "; ".join(words)


def _versions(speeds: Sequence[Speed]) -> dict[str, str]:
    versions: dict[str, str] = {}
    for speed in speeds:
        versions |= speed.facts["versions"]
    return versions


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
