"""Compare the colors that models predict for photographs with the true ones, with gray, and with the mean color.

Each photograph is turned gray, colorized as `colorcli run` does, and compared. Only the measurements are kept: a few
kilobytes per photograph and row.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from colorcli.color import AB_LIMIT, rgb_to_lab
from colorcli.errors import ColorcliError, DataError, PluginError
from colorcli.evaluation import bootstrap
from colorcli.evaluation.metrics.standard import STANDARD
from colorcli.evaluation.tables import BASELINES, ORIGINAL, Column, Comparison, Figure, Section, Table
from colorcli.inference.join import join
from colorcli.inference.output_checks import RGB
from colorcli.inference.transfer import download
from colorcli.isolation.guard import is_interrupt, one_line, stdout_to_stderr
from colorcli.media.photographs import read_square
from colorcli.media.pictures.files import Frame
from colorcli.media.pictures.tone import is_in_color
from colorcli.metric import Colors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.photographs import Photograph
    from colorcli.metric import Metric

Watch = Callable[[str, Sequence["Photograph"]], Iterable["Photograph"]]
"""Passes on photographs, and may report progress under a title."""

_BATCH = 16
_TO_16_BITS = 257
_log = logging.getLogger("colorcli")


@dataclass(frozen=True)
class Evaluation:
    """A table, and the files that were skipped.

    Attributes:
        table: the figures.
        gray: names of the files without color.
        unreadable: an error for each file that cannot be read.
        failed: an error for each model that failed and was left out.
    """

    table: Table
    gray: Sequence[str] = ()
    unreadable: Sequence[ColorcliError] = ()
    failed: Sequence[ColorcliError] = ()


@dataclass
class _Survey:
    """The result of reading all photographs once; `mean` is the mean ab (2,) of those in color."""

    color: list[Photograph] = field(default_factory=list)
    gray: list[str] = field(default_factory=list)
    unreadable: list[ColorcliError] = field(default_factory=list)
    mean: Tensor = field(default_factory=lambda: torch.zeros(2, dtype=torch.float64))


def evaluate(
    pipelines: Sequence[Pipeline],
    photographs: Sequence[Photograph],
    *,
    metrics: Sequence[Metric] = STANDARD,
    size: int = 256,
    by_category: bool = False,
    watch: Watch = lambda _, all_: all_,
) -> Evaluation:
    """Compare the colors that models predict for photographs with the true ones.

    Args:
        pipelines: the models with their options, each with a unique name.
        photographs: photographs in color; gray and unreadable ones are skipped.
        metrics: the columns. The column of a metric that fails is empty and gives the reason.
        size: side of the square to which photographs are scaled with a bicubic filter, in pixels.
        by_category: add a section for each category of photographs.
        watch: passes on the photographs of each of the two passes, and may report progress.

    Raises:
        DataError: no photograph is in color, or none has a category although `by_category` is set.
        PluginError: all models failed. One that fails is left out, and the others continue.
    """
    if by_category and not any(photograph.category for photograph in photographs):
        raise DataError(
            "No photograph has a category.",
            "Sort the photographs into folders named after their categories, or list them in manifest.csv.",
        )
    survey = _survey(watch("reading", photographs), size)
    if not survey.color:
        raise DataError(
            f"No photograph is in color: of {len(photographs)}, {len(survey.gray)} are gray and "
            f"{len(survey.unreadable)} cannot be read.",
            "Choose a folder of color photographs.",
        )
    baselines = [torch.zeros(2), survey.mean.float()]
    measurements = _Measurements(metrics)
    failed: dict[Pipeline, PluginError] = {}
    stream = iter(watch("evaluating", survey.color))
    while batch := [_Truth.of(photograph, size) for photograph in itertools.islice(stream, _BATCH)]:
        for row, colored in _colored(batch, baselines, pipelines, failed):
            for truth, colors in zip(batch, colored, strict=True):
                measurements.add(row, colors, truth.colors)
        for truth in batch:
            measurements.add(ORIGINAL, truth.colors, truth.colors)
    categories = [photograph.category for photograph in survey.color] if by_category else []
    for pipeline in failed:
        measurements.remove(pipeline.name)
    names = [pipeline.name for pipeline in pipelines if pipeline not in failed]
    sections, comparisons = measurements.summarize(categories, ["mean color", *names])
    table = Table("Photographs", measurements.columns(), sections, comparisons, _protocol(survey, metrics, size))
    return Evaluation(table, survey.gray, survey.unreadable, list(failed.values()))


def _survey(photographs: Iterable[Photograph], size: int) -> _Survey:
    survey = _Survey()
    for photograph in photographs:
        try:
            pixels = read_square(photograph, size)
        except ColorcliError as error:
            survey.unreadable.append(error)
            continue
        if is_in_color(pixels):
            survey.color.append(photograph)
            survey.mean += _ab(_rgb(pixels)).mean(dim=(1, 2), dtype=torch.float64)
        else:
            survey.gray.append(photograph.name)
    survey.mean /= max(1, len(survey.color))
    return survey


def _protocol(survey: _Survey, metrics: Sequence[Metric], size: int) -> list[str]:
    count = len(survey.color)
    return [
        f"{count} photograph{'s' if count > 1 else ''}, uncropped, scaled to {size}x{size} (bicubic, antialiased)",
        f"In parentheses: 95 % confidence intervals, from {bootstrap.RESAMPLES} resamples of the photographs (seed "
        f"{bootstrap.SEED}), the same for every row.",
        " ".join(metric.definition for metric in metrics if metric.definition),
    ]


def _colored(
    batch: Sequence[_Truth],
    baselines: Sequence[Tensor],
    pipelines: Sequence[Pipeline],
    failed: dict[Pipeline, PluginError],
) -> Iterator[tuple[str, Iterable[Colors]]]:
    """Colorize a batch for every row; skip a model from then on when it has failed."""
    for name, color in zip(BASELINES, baselines, strict=True):
        yield name, [truth.with_chroma(color[None, :, None, None]) for truth in batch]
    for pipeline in pipelines:
        if pipeline in failed:
            continue
        try:
            planes = list(pipeline.chroma([Frame(truth.pixels) for truth in batch]))
        except PluginError as error:
            failed[pipeline] = error
            if len(failed) == len(pipelines):
                raise
            continue
        yield pipeline.name, [truth.shown_by(pipeline, each) for truth, each in zip(batch, planes, strict=True)]


@dataclass(frozen=True)
class _Truth:
    """A photograph in its true colors, at 16 bits so that rounding in the join does not affect the figures."""

    pixels: NDArray[np.uint16]
    colors: Colors

    @classmethod
    def of(cls, photograph: Photograph, size: int) -> _Truth:
        pixels = read_square(photograph, size)
        rgb = _rgb(pixels)
        colors = Colors(rgb, _ab(rgb), photograph.category)
        return cls(pixels.astype(np.uint16) * np.uint16(_TO_16_BITS), colors)

    def shown_by(self, pipeline: Pipeline, planes: Tensor) -> Colors:
        """Show what a pipeline predicted, as it joins it: chroma (1, 2, h, w), or a painted picture (1, 3, h, w)."""
        rgb = _rgb(pipeline.join(Frame(self.pixels), planes).pixels)
        planes = download(planes)
        ab = _ab(rgb) if planes.shape[1] == RGB else _scaled(planes.float(), self.pixels.shape[:2])
        return Colors(rgb, ab, self.colors.category)

    def with_chroma(self, ab: Tensor) -> Colors:
        """Combine the photograph's lightness with predicted chroma (1, 2, h, w) of any size.

        As in published figures, chroma is compared as predicted, and pictures as they are shown, in gamut.
        """
        ab = ab.cpu()
        return Colors(_rgb(join(self.pixels, ab)), _scaled(ab.float(), self.pixels.shape[:2]), self.colors.category)


class _Measurements:
    """Measurements by metric, row and picture. A metric that fails is dropped; the others continue."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._missing: dict[str, str] = {}
        self._measured: dict[str, dict[str, list[Tensor]]] = {metric.name: {} for metric in metrics}

    def add(self, row: str, predicted: Colors, true: Colors) -> None:
        """Measure one picture in a row."""
        for metric in self._working():
            if row == ORIGINAL and not metric.alone:
                continue
            so_far = self._measured[metric.name].setdefault(row, [])
            with self._dropped_if_it_fails(metric):
                so_far.append(_checked(metric.measure(predicted, true), so_far))

    def remove(self, row: str) -> None:
        """Forget what was measured in a row."""
        for rows in self._measured.values():
            rows.pop(row, None)

    def summarize(self, categories: Sequence[str], compared: Sequence[str]) -> tuple[list[Section], list[Comparison]]:
        """Compute the figures of all pictures and of each category, and compare rows with each other."""
        tensors: dict[str, dict[str, Tensor]] = {
            metric.name: {row: torch.stack(each) for row, each in self._measured[metric.name].items()}
            for metric in self._working()
        }
        count = max((len(each) for rows in tensors.values() for each in rows.values()), default=0)
        whole = torch.arange(count)
        parts = {name: torch.tensor([at for at, each in enumerate(categories) if each == name]) for name in categories}
        sections = [self._section("", whole, tensors)]
        sections += [self._section(name or "no category", parts[name], tensors) for name in sorted(parts)]
        times = bootstrap.resample(count)
        comparisons = []
        for other, one in itertools.combinations(compared, 2):
            for metric in self._working():
                rows = tensors[metric.name]
                found = bootstrap.compare((one, other), metric, rows[one], rows[other], times)
                comparisons += [found] if found else []
        return sections, comparisons

    def columns(self) -> list[Column]:
        """Describe all metrics, including those that failed."""
        return [
            Column(each.name, each.heading, each.decimals, each.better, self._missing.get(each.name, ""))
            for each in self._metrics
        ]

    def _section(self, name: str, chosen: Tensor, tensors: Mapping[str, Mapping[str, Tensor]]) -> Section:
        rows: dict[str, dict[str, Figure]] = {}
        times = bootstrap.resample(len(chosen))
        for metric in self._working():
            found: dict[str, Figure] = {}
            with self._dropped_if_it_fails(metric):
                found = {
                    row: bootstrap.figure_of(metric, measured[chosen], times)
                    for row, measured in tensors[metric.name].items()
                }
            for row, figure in found.items():
                rows.setdefault(row, {})[metric.name] = figure
        plural = "s" if len(chosen) > 1 else ""
        return Section(name, f"{len(chosen)} photograph{plural}", rows)

    def _working(self) -> list[Metric]:
        return [metric for metric in self._metrics if metric.name not in self._missing]

    @contextmanager
    def _dropped_if_it_fails(self, metric: Metric) -> Iterator[None]:
        """Run a metric, which may be a plugin's: drop it if it raises, and keep what it prints out of the results."""
        try:
            with stdout_to_stderr():
                yield
        except BaseException as error:
            if is_interrupt(error):
                raise
            _log.debug("The metric %s failed.", metric.name, exc_info=error)
            self._missing[metric.name] = one_line(error)


def _checked(value: Tensor | float, so_far: Sequence[Tensor]) -> Tensor:
    """Convert a measurement to a tensor, and check that it has the shape of the earlier ones."""
    measured = value.detach().cpu() if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)
    if torch.isnan(measured).any():
        raise ValueError("A measurement must be a number, got NaN.")
    if so_far and so_far[0].shape != measured.shape:
        raise ValueError(
            f"Measurements must have one shape, got {tuple(measured.shape)} and {tuple(so_far[0].shape)}."
        )
    return measured


def _rgb(pixels: NDArray[np.generic]) -> Tensor:
    """Convert uint8 or uint16 pixels (H, W, 3) to (3, H, W) in 0..1."""
    top = 256**pixels.itemsize - 1
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(top)).permute(2, 0, 1)


def _ab(rgb: Tensor) -> Tensor:
    return rgb_to_lab(rgb)[1:]


def _scaled(ab: Tensor, size: Sequence[int]) -> Tensor:
    """Scale chroma (1, 2, h, w) to (2, H, W) as `colorcli.inference.join.join` does."""
    if ab.shape[-2:] != torch.Size(size):
        ab = functional.interpolate(ab, tuple(size), mode="bicubic")
    return ab[0].clamp(-AB_LIMIT, AB_LIMIT)
