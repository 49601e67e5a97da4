"""Tables of how near the colours of models are to those of photographs, beside grey and the set's mean colour.

A photograph is made grey, colorized as `colorcli run` does it, and compared. Memory does not grow with their number.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from colorcli.evaluation import metrics
from colorcli.evaluation.tables import Table
from colorcli.joining import join
from colorcli.media.images import Frame, open_picture, to_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from colorcli.engine import Line
    from colorcli.media.photographs import Photograph

Watch = Callable[[str, Sequence["Photograph"]], Iterable["Photograph"]]

_BATCH = 16
_GREY = 1.0  # a picture of less chroma on average has no colours to compare with
_TO_16_BITS = 257


@dataclass
class Survey:
    """What a look at all photographs found.

    Attributes:
        colour: the photographs that can be compared with.
        grey: the names of those without colour.
        unreadable: what is wrong with each of the others.
        mean: (2,) the mean ab of those in colour.
    """

    colour: list[Photograph] = field(default_factory=list)
    grey: list[str] = field(default_factory=list)
    unreadable: list[ColorcliError] = field(default_factory=list)
    mean: Tensor = field(default_factory=lambda: torch.zeros(2, dtype=torch.float64))


def evaluate(
    lines: Sequence[Line], photographs: Sequence[Photograph], *, size: int = 256, watch: Watch = lambda _, all_: all_
) -> Table:
    """Compare models' colours with those of photographs.

    Args:
        lines: the models, each with its options and a name of its own.
        photographs: in colour; what is grey or cannot be read is left out, and the table says so.
        size: of the square that the photographs are scaled to, bicubically.
        watch: hands on the photographs of each of the two passes, and may show how far it is.

    Raises:
        DataError: there is no photograph in colour.
        PluginError: a model gave something else than finite chroma.
    """
    survey = _survey(watch("reading", photographs), size)
    if not survey.colour:
        raise DataError(
            f"There is nothing to compare with: of {len(photographs)} photographs, {len(survey.grey)} are grey and "
            f"{len(survey.unreadable)} cannot be read.",
            "Give a folder of colour photographs.",
        )
    baselines = {"grey": torch.zeros(2), "mean colour": survey.mean.float()}
    rows = {name: Tally() for name in [*baselines, *(line.name for line in lines)]}
    stream = iter(watch("evaluating", survey.colour))
    while batch := [_Truth.of(read_square(photograph, size)) for photograph in itertools.islice(stream, _BATCH)]:
        for row, chromas in zip(rows.values(), _chromas(batch, list(baselines.values()), lines), strict=True):
            for truth, ab in zip(batch, chromas, strict=True):
                row.add(truth, ab)
    return Table(
        rows={name: row.figures() for name, row in rows.items()},
        count=len(survey.colour),
        size=size,
        models={line.name: _described(line) for line in lines},
        versions={package: version(package) for package in ("colorcli", "torch")},
        grey=survey.grey,
        unreadable=[str(error) for error in survey.unreadable],
    )


def read_square(photograph: Photograph, size: int) -> NDArray[np.uint8]:
    """Read a photograph as `colorcli run` does and scale it to (size, size, 3), sRGB.

    Raises:
        ColorcliError: it cannot be read.
    """
    image = to_image(next(open_picture(photograph.stream()).frames())).convert("RGB")
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def has_colour(pixels: NDArray[np.generic]) -> bool:
    """Tell whether 8-bit pixels (H, W) or (H, W, 3) are more than a grey picture with some noise."""
    return pixels.ndim == 3 and float(_ab(pixels).norm(dim=0).mean()) >= _GREY


def _survey(photographs: Iterable[Photograph], size: int) -> Survey:
    survey = Survey()
    for photograph in photographs:
        try:
            pixels = read_square(photograph, size)
        except ColorcliError as error:
            survey.unreadable.append(error)
            continue
        if has_colour(pixels):
            survey.colour.append(photograph)
            survey.mean += _ab(pixels).mean(dim=(1, 2), dtype=torch.float64)
        else:
            survey.grey.append(photograph.name)
    survey.mean /= max(1, len(survey.colour))
    return survey


def _chromas(
    batch: Sequence[_Truth], baselines: Sequence[Tensor], lines: Sequence[Line]
) -> Iterator[Iterable[Tensor]]:
    """Give every row's (1, 2, h, w) ab for a batch."""
    for colour in baselines:
        yield [colour[None, :, None, None]] * len(batch)
    for line in lines:
        yield line.chroma([Frame(truth.pixels) for truth in batch])


def _described(line: Line) -> str:
    options = [f"{name}={value}" for name, value in line.options.items()]
    size = f"{line.model.size}x{line.model.size}" if line.model.size else "the picture's own size"
    return ", ".join([f"network at {size}", *options, str(line.model.device), line.model.fingerprint[:12]])


@dataclass(frozen=True)
class _Truth:
    """A photograph with what every row needs of it.

    Its pixels have 16 bits, so that joining rounds nothing that shows in a figure.
    """

    pixels: NDArray[np.uint16]
    rgb: Tensor
    ab: Tensor
    rarity: Tensor
    colorfulness: float

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> _Truth:
        rgb, ab = _rgb(pixels), _ab(pixels)
        wide = pixels.astype(np.uint16) * np.uint16(_TO_16_BITS)
        return cls(wide, rgb, ab, metrics.rarity(ab), metrics.colorfulness(rgb))


class Tally:
    """The figures of one row, added up picture by picture."""

    def __init__(self) -> None:
        self._raw = torch.zeros(152, dtype=torch.float64)
        self._rebalanced = torch.zeros(152, dtype=torch.float64)
        self._sums = dict.fromkeys(("squares", "l1", "psnr", "ssim", "colorfulness", "true_colorfulness"), 0.0)
        self._count = 0

    def add(self, truth: _Truth, ab: Tensor) -> None:
        """Count one picture, given its predicted chroma (1, 2, h, w) of any size.

        Chroma is compared as the network gave it, as published figures are; the picture as it is shown, in gamut.
        """
        joined = _rgb(join(truth.pixels, ab.cpu()))
        ab = _scaled(ab.cpu().float(), truth.ab.shape[-2:])
        e = metrics.distances(ab, truth.ab)
        self._raw += metrics.error_histogram(e)
        self._rebalanced += metrics.error_histogram(e, truth.rarity)
        self._count += 1
        for name, value in {
            "squares": float(e.double().square().mean()),
            "l1": float((ab - truth.ab).abs().double().mean()),
            "psnr": metrics.psnr(joined, truth.rgb),
            "ssim": metrics.ssim(joined, truth.rgb),
            "colorfulness": metrics.colorfulness(joined),
            "true_colorfulness": truth.colorfulness,
        }.items():
            self._sums[name] += value

    def figures(self) -> dict[str, float]:
        """Give the figures of all pictures together."""
        means = {name: value / self._count for name, value in self._sums.items()}
        return {
            "auc": 100 * metrics.auc(self._raw),
            "auc_rebalanced": 100 * metrics.auc(self._rebalanced),
            "rmse": means["squares"] ** 0.5,
            "l1": means["l1"],
            "psnr": means["psnr"],
            "ssim": means["ssim"],
            "colorfulness": means["colorfulness"],
            "colorfulness_delta": abs(means["colorfulness"] - means["true_colorfulness"]),
            "true_colorfulness": means["true_colorfulness"],
        }


def _rgb(pixels: NDArray[np.generic]) -> Tensor:
    """Turn uint8 or uint16 pixels (H, W, 3) into (3, H, W) in 0..1."""
    top = 256**pixels.itemsize - 1
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(top)).permute(2, 0, 1)


def _ab(pixels: NDArray[np.generic]) -> Tensor:
    return rgb_to_lab(_rgb(pixels))[1:]


def _scaled(ab: Tensor, size: Sequence[int]) -> Tensor:
    """Scale chroma (1, 2, h, w) as `colorcli.joining.join` does: (2, H, W)."""
    if ab.shape[-2:] != torch.Size(size):
        ab = functional.interpolate(ab, tuple(size), mode="bicubic")
    return ab[0].clamp(-AB_LIMIT, AB_LIMIT)
