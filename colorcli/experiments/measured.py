"""The models of an experiment, and their figures on its photographs, which are kept in a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.errors import ColorcliError, UsageError, WeightsError, did_you_mean
from colorcli.evaluation.export import from_json, to_json
from colorcli.evaluation.metrics.selection import choose
from colorcli.evaluation.photographs import Watch, evaluate
from colorcli.evaluation.protocol import describe, package_versions
from colorcli.evaluation.tables import Report
from colorcli.files import replacing
from colorcli.inference.loading import load
from colorcli.inference.pipeline import Pipeline
from colorcli.inference.studies import StudyPipeline
from colorcli.plugin.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from colorcli.experiments.declaration import Experiment, Variant
    from colorcli.gray import Gray
    from colorcli.media.photographs import Photograph


@dataclass(frozen=True)
class RunOptions:
    """Device and precision of models, and whether their weights may be downloaded."""

    device: str = "auto"
    precision: str = "auto"
    offline: bool = False


def load_variants(
    experiment: Experiment, runs: Path, options: RunOptions
) -> tuple[list[Pipeline], list[ColorcliError]]:
    """Load the models of an experiment; those whose weights are not available are left out.

    Args:
        experiment: experiment at its scale.
        runs: the folder of the runs, in that of the experiment.
        options: device and precision, and whether downloads are allowed.

    Returns:
        A pipeline for each model, with the name of its variant, and an error for each that is left out.
    """
    pipelines: list[Pipeline] = []
    problems: list[ColorcliError] = []
    colorizers = {run.name: run.colorizer for run in experiment.runs}
    for variant in experiment.variants:
        weights = runs / variant.run / f"{variant.weights}.safetensors" if variant.run else None
        weights = runs.parent / variant.file if variant.file else weights
        if weights and not weights.is_file():
            continue  # its run could not be trained, which is reported, or its file is optional
        try:
            model = load(
                colorizers[variant.run] if variant.run else variant.model,
                weights=weights,
                device=options.device,
                precision=options.precision,
                offline=options.offline,
            )
        except WeightsError as error:
            problems.append(type(error)(f"{variant.name}: {error.message}", error.hint))
            continue
        pipeline = Pipeline(model, options=variant.options, name=variant.name)
        if variant.gray or variant.shown == "painted":
            gray = _gray(variant) if variant.gray else None
            pipeline = StudyPipeline(pipeline, gray=gray, paints=variant.shown == "painted")
        pipelines.append(pipeline)
    return pipelines, problems


def load_epochs(
    experiment: Experiment, runs: Path, run: str, epochs: Sequence[int], options: RunOptions
) -> list[Pipeline]:
    """Load the weights that a run kept of some of its epochs, each with its epoch as its name.

    Raises:
        WeightsNotFound: the run did not keep them.
    """
    (colorizer,) = [each.colorizer for each in experiment.runs if each.name == run]
    return [
        Pipeline(
            load(
                colorizer,
                weights=runs / run / f"epoch-{epoch:04}.safetensors",
                device=options.device,
                precision=options.precision,
                offline=options.offline,
            ),
            name=f"epoch {epoch}",
        )
        for epoch in epochs
    ]


def _gray(variant: Variant) -> Gray:
    known = Registry().grays()
    if variant.gray not in known:
        raise UsageError(
            f"{variant.name}: way of making gray not found: {variant.gray}.", did_you_mean(variant.gray, known)
        )
    return known[variant.gray]


def measure(
    experiment: Experiment,
    pipelines: Sequence[Pipeline],
    photographs: Sequence[Photograph],
    kept: Path,
    *,
    metrics: Sequence[str],
    offline: bool = False,
    watch: Watch = lambda _, all_: all_,
) -> Report:
    """Evaluate the models of an experiment, or read the figures again if neither models nor photographs have changed.

    Args:
        experiment: experiment at its scale.
        pipelines: its models.
        photographs: photographs to evaluate on.
        kept: the JSON file that keeps the figures.
        metrics: metrics besides the standard ones.
        offline: do not download the networks of metrics.
        watch: passes on the photographs, and may report progress.

    Raises:
        DataError: no photograph is in color.
        PluginError: all models failed.
        UsageError: a metric is unknown.
    """
    names = ", ".join(photograph.name for photograph in photographs)
    settings = [pipeline.provenance.settings for pipeline in pipelines]
    request = json.dumps([list(metrics), experiment.file.size, _described(pipelines), settings, names])
    key = hashlib.sha256(request.encode("utf-8", "surrogateescape")).hexdigest()
    if (report := _kept(kept, key)) is not None:
        return report
    chosen = choose(
        metrics,
        Registry().metrics,
        categories={photograph.category for photograph in photographs},
        device=pipelines[0].model.device.device,
        offline=offline,
    )
    found = evaluate(pipelines, photographs, metrics=chosen, size=experiment.file.size, watch=watch)
    report = Report(
        data=f"{experiment.file.part} split",
        command=key,
        models=_described(pipelines),
        versions=package_versions("torchvision"),
        tables=[found.table],
        problems=[str(error) for error in (*found.failed, *found.unreadable)],
        gray=found.gray,
    )
    with replacing(kept) as temporary:
        temporary.write_text(to_json(report), encoding="utf-8", newline="\n")
    return report


def _described(pipelines: Sequence[Pipeline]) -> dict[str, str]:
    return {pipeline.name: describe(pipeline) for pipeline in pipelines}


def _kept(path: Path, key: str) -> Report | None:
    """Read figures that were kept, if they are those of this request."""
    try:
        report = from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if report.command == key else None
