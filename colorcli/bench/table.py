"""Speeds as a table with its protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from colorcli.bench.against import relative
from colorcli.evaluation.markdown import bullets
from colorcli.evaluation.markdown import table as markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from colorcli.bench.against import OtherMeasurements
    from colorcli.bench.speed import Facts, Speed

_DEFINITIONS = (
    "Stages: milliseconds of a worker's thread per picture; `other` is outside all stages, `wait` is idle time. A "
    "worker runs its stages one after another. Network: its share of all threads' time. Of the network alone: the "
    "speed relative to the network in the same threads without pictures. Cold start: from the start of the program to "
    "the first picture, or the first second of a film. Memory: the peak of the process. FLOP: of the network in torch."
)

_COMPARED = (
    "The demo: Pillow or PyAV, scikit-image's Lab at full size, the network in float32 one picture at a time, PNG or "
    "H.264; of films, the first 8 frames. The floor: decoding, the network and encoding in the same threads, with "
    "nothing between them."
)


def markdown(speeds: Sequence[Speed], source: str, command: str, others: OtherMeasurements | None = None) -> str:
    """Write speeds and their protocol as Markdown.

    Args:
        speeds: speed of each setting.
        source: a description of the pictures.
        command: the command that makes this table.
        others: measurements of another machine to compare with.
    """
    unit = unit_of(speeds)
    compared = list(relative(speeds[0], speeds, others))
    stages = list(dict.fromkeys(name for speed in speeds for name in speed.stages))
    columns = [
        *("", "batch", f"{unit}/s", "lowest to highest", *compared, *(f"{name} ms" for name in stages)),
        *("network", "of the network alone", "cold start", "memory", "GFLOP"),
    ]
    rows = [_cells(speed, stages, relative(speed, speeds, others)) for speed in speeds]
    return "\n\n".join([markdown_table(columns, rows), bullets(protocol(speeds, source, command, others))])


def unit_of(speeds: Sequence[Speed]) -> str:
    """Return what is counted: pictures or frames."""
    return "pictures" if speeds[0].facts["sizes"] else "frames"


def protocol(speeds: Sequence[Speed], source: str, command: str, others: OtherMeasurements | None) -> list[str]:
    """Say how the figures were made; see `markdown`."""
    facts = speeds[0].facts
    rounds = len(speeds[0].rounds)
    return [
        f"{source}{_sizes(facts)}",
        f"medians of {rounds} round{'s' if rounds > 1 else ''} after a warm-up, each setting in its own process, all "
        "in turn; stages are timed in separate passes",
        _machine(facts, speeds[0].rounds[0]["workers"]),
        ", ".join(f"{name} {number}" for name, number in _versions(speeds).items()),
        f"`{command}`",
        *([f"{others.name}: {others.source}; {others.machine}"] if others else []),
        *([_COMPARED] if any(speed.way != "colorcli" for speed in speeds) else []),
        _DEFINITIONS,
    ]


def as_json(speeds: Sequence[Speed], source: str, command: str) -> str:
    """Write everything as JSON."""
    facts = {"source": source, "command": command, "speeds": [speed.as_dict() for speed in speeds]}
    return json.dumps(facts, ensure_ascii=False, indent=2)


def title(speed: Speed) -> str:
    """Return the heading of a row."""
    prefix = "" if speed.way == "colorcli" else f"the {speed.way}: "
    return f"{prefix}{speed.facts['model']}, {speed.facts['device']}"


def _cells(speed: Speed, stages: Sequence[str], compared: Mapping[str, str]) -> list[str]:
    facts, rates = speed.facts, speed.rates
    memory = [facts["memory"], facts["device_memory"]]
    cells = [
        title(speed),
        str(facts["batch_size"]),
        f"{speed.rate:.2f}",
        f"{min(rates):.2f} to {max(rates):.2f}",
        *compared.values(),
    ]
    if speed.way != "colorcli":
        return [*cells, *[""] * (len(stages) + 5)]
    return [
        *cells,
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
    network = f"network at {facts['size']}x{facts['size']}" if facts["size"] else "network at the pictures' own size"
    of = f" of {names[0]}" + (f" to {names[-1]}" if len(names) > 1 else "") if names else ""
    return f"{of}; {network}"


def _machine(facts: Facts, workers: int) -> str:
    threads = facts["threads"]
    words = [
        facts["cpu"],
        *([", ".join(facts["instructions"])] if facts["instructions"] else []),
        f"{threads} thread{'s' if threads > 1 else ''}, {workers} worker{'s' if workers > 1 else ''}",
        *([facts["gpu"]] if facts["gpu"] else []),
    ]
    return "; ".join(words)


def _versions(speeds: Sequence[Speed]) -> dict[str, str]:
    versions: dict[str, str] = {}
    for speed in speeds:
        versions |= speed.facts["versions"]
    return versions
