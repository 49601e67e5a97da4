"""Writing the model card of published weights."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from colorcli.documents import read_json
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from colorcli.colorizer import Weights
    from colorcli.publishing.release import ReleaseBundle

_FRONT = """---
license: {license}
pipeline_tag: image-to-image
library_name: colorcli
tags:
- colorization
- {colorizer}
---

# {colorizer}.{tag}

{summary}

Weights for the colorizer `{colorizer}` of colorcli, which colorizes black-and-white photographs. The network has
{parameters:,} parameters and works at {size}.

## How to use

```sh
pip install {packages}
colorcli run --model {colorizer} --weights {uri} photos/
```

```python
import colorcli

model = colorcli.load("{colorizer}", weights="{uri}")
colored = model.colorize(picture)  # a PIL image
```
"""

_SAMPLES = """## Samples

Photographs it was not trained on: in gray, colorized, and the originals:

![Samples](samples.png)"""


@dataclass(frozen=True)
class RunFacts:
    """The facts about a training run that its model card states.

    Attributes:
        recipes: the recipe of each stage, by the stage's name; the name is empty for a run without stages.
        validation: the lowest validation loss, as a sentence; empty if the run was not validated.
        figures: the table of the evaluation with its protocol, as Markdown; empty if it was not evaluated.
        metrics: the same figures for the manifest.
    """

    recipes: Mapping[str, Mapping[str, Any]]
    validation: str = ""
    figures: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


def read_facts(run: Path, weights: Weights) -> RunFacts:
    """Read the facts about a run from its folder.

    Args:
        run: the folder.
        weights: the weights to publish.

    Raises:
        UsageError: a file cannot be read, or evaluation.json evaluates other weights.
    """
    evaluation = run / "evaluation.json"
    figures, metrics = _evaluated(evaluation, weights) if evaluation.is_file() else ("", {})
    settings = sorted(run.glob("*/run.json"), key=lambda path: path.stat().st_mtime) or [run / "run.json"]
    recipes = {
        path.parent.name if path.parent != run else "": _read(path)["recipe"] for path in settings if path.is_file()
    }
    return RunFacts(recipes, _validated(run / "log.csv"), figures, metrics)


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {path}: {error}.") from None


def _evaluated(path: Path, weights: Weights) -> tuple[str, dict[str, Any]]:
    from colorcli.evaluation.export import from_json
    from colorcli.evaluation.markdown import to_markdown

    try:
        report = from_json(json.dumps(_read(path)))
        table = report.tables[0]
        found = table.sections[0].rows
        text = to_markdown(report)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise UsageError(f"{path} was not written by `colorcli evaluate -o evaluation.json`.") from error
    row = next((name for name, what in report.models.items() if what.endswith(weights.sha256[:12])), None)
    if row is None:
        raise UsageError(
            f"{path} does not evaluate best.safetensors.",
            "Delete it, or write it again: colorcli evaluate COLORIZER --weights best.safetensors DATA -o "
            "evaluation.json",
        )
    figures = {name: round(each.value, 4) for name, each in found[row].items() if math.isfinite(each.value)}
    protocol = f"{report.data}: {table.protocol[0]}; {report.models[row]}"
    return text, {"protocol": protocol, "command": report.command, **figures}


def _validated(log: Path) -> str:
    """Describe the best validation; its first figure decides, as in training."""
    if not log.is_file():
        return ""
    with log.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["value"] and row["loss"].startswith("validation ")]
    own = [row for row in rows if row["loss"] == rows[0]["loss"]]
    if not own:
        return ""
    best = min(own, key=lambda row: float(row["value"]))
    return f"Best {best['loss']}: {float(best['value']):.4g}, after step {best['step']} of {own[-1]['step']}."


def write_card(bundle: ReleaseBundle, colorizer: str, tag: str, facts: RunFacts) -> str:
    """Write the model card: Markdown with the front matter that the Hub reads.

    Args:
        bundle: the release, with all its other files.
        colorizer: the colorizer's name.
        tag: the weights' tag.
        facts: facts about the training run.
    """
    from colorcli.isolation.origin import origin_of
    from colorcli.plugin.registry import Registry

    weights, plugin = bundle.weights, Registry().get(colorizer)
    size = weights.input_size or plugin.size
    front = _FRONT.format(
        license="other" if weights.license.startswith("LicenseRef") else weights.license.lower(),
        colorizer=colorizer,
        tag=tag,
        summary=plugin.summary,
        parameters=weights.parameters,
        size=f"{size}x{size}" if size else "the size of the picture",
        uri=bundle.uri,
        packages=" ".join(dict.fromkeys(("colorcli", origin_of(plugin).distribution or "colorcli"))),
    )
    pictures = {file.name for file in bundle.files}
    sections = [
        f"## Data\n\n{weights.trained_on}",
        _training(weights, facts, "curves.png" in pictures),
        _figures(weights, facts),
        _SAMPLES if "samples.png" in pictures else "",
        f"## License\n\n{weights.license}",
    ]
    return "\n\n".join([front.rstrip(), *filter(None, sections)]) + "\n"


def _training(weights: Weights, facts: RunFacts, curves: bool) -> str:
    command = weights.source.startswith("colorcli ")
    parts = ["## Training", f"```sh\n{weights.source}\n```" if command else weights.source, facts.validation]
    for stage, recipe in facts.recipes.items():
        text = json.dumps({key: value for key, value in recipe.items() if value}, indent=2, ensure_ascii=False)
        parts.append(f"The recipe{f' of the stage {stage}' if stage else ''}:\n\n```json\n{text}\n```")
    parts.append("![Loss curves](curves.png)" if curves else "")
    return "\n\n".join(filter(None, parts))


def _figures(weights: Weights, facts: RunFacts) -> str:
    metrics = "\n".join(f"- {name}: {value}" for name, value in weights.metrics.items())
    return f"## Figures\n\n{facts.figures or metrics or 'Not evaluated.'}"
