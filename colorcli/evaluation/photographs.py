"""How near the colors of models are to those of photographs, beside gray and the set's mean color.

A photograph is made gray, colorized as `colorcli run` does it, and compared. Of each only what was measured is kept,
a few kilobytes for every row.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from colorcli.color import AB_LIMIT, rgb_to_lab
from colorcli.errors import ColorcliError, DataError
from colorcli.evaluation import bootstrap
from colorcli.evaluation.metrics.standard import STANDARD
from colorcli.evaluation.tables import BASELINES, ORIGINAL, Column, Comparison, Figure, Section, Table
from colorcli.inference.join import join
from colorcli.media.pictures.files import Frame, open_picture, to_image
from colorcli.metric import Colors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from colorcli.inference.pipeline import Pipeline
    from colorcli.media.photographs import Photograph
    from colorcli.metric import Metric

Watch = Callable[[str, Sequence["Photograph"]], Iterable["Photograph"]]

_BATCH = 16
_GRAY = 3.0  # a picture of less chroma on average has no colors to compare with; scanned gray prints have up to 2.7
_TO_16_BITS = 257
_log = logging.getLogger("colorcli")


@dataclass(frozen=True)
class Evaluation:
    """A table, and what is not in it.

    Attributes:
        table: the figures.
        gray: the names of files without color.
        unreadable: what is wrong with each of the others that are left out.
    """

    table: Table
    gray: Sequence[str] = ()
    unreadable: Sequence[ColorcliError] = ()


@dataclass
class _Survey:
    """What a look at all photographs found; the mean (2,) is of the ab of those in color."""

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
    """Compare models' colors with those of photographs.

    Args:
        pipelines: the models, each with its options and a name of its own.
        photographs: in color; what is gray or cannot be read is left out.
        metrics: the columns. One that fails is empty and says why; the others stand.
        size: of the square that the photographs are scaled to, bicubically.
        by_category: add a section for every category of the photographs.
        watch: hands on the photographs of each of the two passes, and may show how far it is.

    Raises:
        DataError: there is no photograph in color, or none has a category where they are asked for.
        PluginError: a model gave something else than finite chroma.
    """
    if by_category and not any(photograph.category for photograph in photographs):
        raise DataError(
            "No photograph has a category.",
            "Sort the photographs into folders named after their categories, or list them in manifest.csv.",
        )
    survey = _survey(watch("reading", photographs), size)
    if not survey.color:
        raise DataError(
            f"There is nothing to compare with: of {len(photographs)} photographs, {len(survey.gray)} are gray and "
            f"{len(survey.unreadable)} cannot be read.",
            "Give a folder of color photographs.",
        )
    baselines = [torch.zeros(2), survey.mean.float()]
    board = _Board(metrics)
    stream = iter(watch("evaluating", survey.color))
    while batch := [_Truth.of(photograph, size) for photograph in itertools.islice(stream, _BATCH)]:
        for row, chromas in _chromas(batch, baselines, pipelines):
            for truth, ab in zip(batch, chromas, strict=True):
                board.add(row, truth.colored(ab), truth.colors)
        for truth in batch:
            board.add(ORIGINAL, truth.colors, truth.colors)
    categories = [photograph.category for photograph in survey.color] if by_category else []
    sections, comparisons = board.judged(categories, ["mean color", *(pipeline.name for pipeline in pipelines)])
    table = Table("Photographs", board.columns(), sections, comparisons, _protocol(survey, metrics, size))
    return Evaluation(table, survey.gray, survey.unreadable)


def described(pipeline: Pipeline) -> str:
    """Say in a line what a row stands for: network, options, device, and the beginning of the weights' digest."""
    options = [f"{name}={value}" for name, value in pipeline.options.items()]
    size = f"{pipeline.model.size}x{pipeline.model.size}" if pipeline.model.size else "the picture's own size"
    return ", ".join([f"network at {size}", *options, str(pipeline.model.device), pipeline.model.fingerprint[:12]])


def versions_used(*packages: str) -> dict[str, str]:
    """Give the versions of what decides the figures, and of other packages."""
    return {package: version(package) for package in ("colorcli", "torch", *packages)}


def read_square(photograph: Photograph, size: int) -> NDArray[np.uint8]:
    """Read a photograph as `colorcli run` does and scale it to (size, size, 3), sRGB.

    Raises:
        ColorcliError: it cannot be read.
    """
    image = to_image(next(open_picture(photograph.stream()).frames())).convert("RGB")
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def has_color(pixels: NDArray[np.generic]) -> bool:
    """Tell whether 8-bit pixels (H, W) or (H, W, 3) are more than a gray picture with some noise."""
    return pixels.ndim == 3 and float(torch.hypot(*_ab(_rgb(pixels))).mean()) >= _GRAY


def _survey(photographs: Iterable[Photograph], size: int) -> _Survey:
    survey = _Survey()
    for photograph in photographs:
        try:
            pixels = read_square(photograph, size)
        except ColorcliError as error:
            survey.unreadable.append(error)
            continue
        if has_color(pixels):
            survey.color.append(photograph)
            survey.mean += _ab(_rgb(pixels)).mean(dim=(1, 2), dtype=torch.float64)
        else:
            survey.gray.append(photograph.name)
    survey.mean /= max(1, len(survey.color))
    return survey


def _protocol(survey: _Survey, metrics: Sequence[Metric], size: int) -> list[str]:
    count = len(survey.color)
    return [
        f"{count} photograph{'s' if count > 1 else ''}, each whole at {size}x{size} (bicubic, antialiased)",
        f"in brackets: 95 % intervals, from {bootstrap.DRAWS} draws of the photographs with replacement (seed "
        f"{bootstrap.SEED}), the same for every row",
        " ".join(metric.definition for metric in metrics if metric.definition),
    ]


def _chromas(
    batch: Sequence[_Truth], baselines: Sequence[Tensor], pipelines: Sequence[Pipeline]
) -> Iterator[tuple[str, Iterable[Tensor]]]:
    """Give every row's (1, 2, h, w) ab for a batch."""
    for name, color in zip(BASELINES, baselines, strict=True):
        yield name, [color[None, :, None, None]] * len(batch)
    for pipeline in pipelines:
        yield pipeline.name, pipeline.chroma([Frame(truth.pixels) for truth in batch])


@dataclass(frozen=True)
class _Truth:
    """A photograph as it is; its pixels have 16 bits, so that joining rounds nothing that shows in a figure."""

    pixels: NDArray[np.uint16]
    colors: Colors

    @classmethod
    def of(cls, photograph: Photograph, size: int) -> _Truth:
        pixels = read_square(photograph, size)
        rgb = _rgb(pixels)
        colors = Colors(rgb, _ab(rgb), photograph.category)
        return cls(pixels.astype(np.uint16) * np.uint16(_TO_16_BITS), colors)

    def colored(self, ab: Tensor) -> Colors:
        """Give it predicted chroma (1, 2, h, w) of any size.

        Chroma is compared as the network gave it, as published figures are; the picture as it is shown, in gamut.
        """
        ab = ab.cpu()
        return Colors(_rgb(join(self.pixels, ab)), _scaled(ab.float(), self.pixels.shape[:2]), self.colors.category)


class _Board:
    """What was measured, metric by metric, row by row, picture by picture; a metric that fails is left out."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._missing: dict[str, str] = {}
        self._measured: dict[str, dict[str, list[Tensor]]] = {metric.name: {} for metric in metrics}

    def add(self, row: str, predicted: Colors, true: Colors) -> None:
        """Measure one picture of a row."""
        for metric in self._working():
            if row == ORIGINAL and not metric.alone:
                continue
            so_far = self._measured[metric.name].setdefault(row, [])
            try:
                so_far.append(_checked(metric.measure(predicted, true), so_far))
            except Exception as error:  # whatever is wrong with one metric, the others go on
                self._drop(metric, error)

    def judged(self, categories: Sequence[str], compared: Sequence[str]) -> tuple[list[Section], list[Comparison]]:
        """Give the sections, that of all pictures and one for each category, and the rows compared with each other."""
        tensors: dict[str, dict[str, Tensor]] = {
            metric.name: {row: torch.stack(each) for row, each in self._measured[metric.name].items()}
            for metric in self._working()
        }
        count = max((len(each) for rows in tensors.values() for each in rows.values()), default=0)
        whole = torch.arange(count)
        parts = {name: torch.tensor([at for at, each in enumerate(categories) if each == name]) for name in categories}
        sections = [self._section("", whole, tensors)]
        sections += [self._section(name or "no category", parts[name], tensors) for name in sorted(parts)]
        draws = bootstrap.draw(count)
        comparisons = []
        for other, one in itertools.combinations(compared, 2):
            for metric in self._working():
                rows = tensors[metric.name]
                found = bootstrap.compare((one, other), metric, rows[one], rows[other], draws)
                comparisons += [found] if found else []
        return sections, comparisons

    def columns(self) -> list[Column]:
        """Describe the metrics, those that failed too."""
        return [
            Column(each.name, each.heading, each.decimals, each.better, self._missing.get(each.name, ""))
            for each in self._metrics
        ]

    def _section(self, name: str, chosen: Tensor, tensors: Mapping[str, Mapping[str, Tensor]]) -> Section:
        rows: dict[str, dict[str, Figure]] = {}
        draws = bootstrap.draw(len(chosen))
        for metric in self._working():
            try:
                found = {
                    row: bootstrap.figure_of(metric, measured[chosen], draws)
                    for row, measured in tensors[metric.name].items()
                }
            except Exception as error:  # as above
                self._drop(metric, error)
                continue
            for row, figure in found.items():
                rows.setdefault(row, {})[metric.name] = figure
        plural = "s" if len(chosen) > 1 else ""
        return Section(name, f"{len(chosen)} photograph{plural}", rows)

    def _working(self) -> list[Metric]:
        return [metric for metric in self._metrics if metric.name not in self._missing]

    def _drop(self, metric: Metric, error: Exception) -> None:
        _log.debug("The metric %s failed.", metric.name, exc_info=error)
        said = str(error) if isinstance(error, ColorcliError) else f"{type(error).__name__}: {error}"
        self._missing[metric.name] = said


def _checked(value: Tensor | float, so_far: Sequence[Tensor]) -> Tensor:
    """Take what a metric measured, if it is what it measured of the pictures before."""
    measured = value.detach().cpu() if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)
    if torch.isnan(measured).any():
        raise ValueError("it measured something that is not a number.")
    if so_far and so_far[0].shape != measured.shape:
        raise ValueError(f"it measured {tuple(measured.shape)} numbers, and {tuple(so_far[0].shape)} before.")
    return measured


def _rgb(pixels: NDArray[np.generic]) -> Tensor:
    """Turn uint8 or uint16 pixels (H, W, 3) into (3, H, W) in 0..1."""
    top = 256**pixels.itemsize - 1
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(top)).permute(2, 0, 1)


def _ab(rgb: Tensor) -> Tensor:
    return rgb_to_lab(rgb)[1:]


def _scaled(ab: Tensor, size: Sequence[int]) -> Tensor:
    """Scale chroma (1, 2, h, w) as `colorcli.inference.join.join` does: (2, H, W)."""
    if ab.shape[-2:] != torch.Size(size):
        ab = functional.interpolate(ab, tuple(size), mode="bicubic")
    return ab[0].clamp(-AB_LIMIT, AB_LIMIT)
