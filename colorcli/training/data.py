"""Colour photographs for training: parted, cropped at random, and put into batches."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from colorcli.color import rgb_to_lab
from colorcli.errors import DataError
from colorcli.media.photographs import Photograph
from colorcli.training.recipes import TrainingSettings

_VALIDATION_SHARE = 0.05
_VALIDATION_SIZE = 128


def split(photographs: Sequence[Photograph]) -> tuple[list[Photograph], list[Photograph]]:
    """Part the photographs into those to learn from and those to validate on.

    Raises:
        DataError: either part is empty.
    """
    learn = [p for p in photographs if not is_held_out(p)]
    validate = [p for p in photographs if is_held_out(p)]
    if not learn or not validate:
        raise DataError(
            f"{len(photographs)} photographs are too few to part into training and validation.",
            "Give at least a hundred colour photographs.",
        )
    return learn, validate


def is_held_out(photograph: Photograph) -> bool:
    """Tell whether a picture is for validation: the same answer on every machine, whatever else is there."""
    digest = hashlib.sha256(photograph.name.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < _VALIDATION_SHARE


@dataclass(frozen=True)
class Crop:
    """One photograph in one step: which, how large, and the seed of its randomness (None: the whole picture)."""

    index: int
    size: int
    seed: int | None


class Photographs(Dataset[Tensor]):
    """Random square crops: `Crop` in, (3, s, s) uint8 sRGB out."""

    def __init__(self, photographs: Sequence[Photograph], crop: tuple[float, float] = (1.0, 1.0)) -> None:
        self.photographs = photographs
        self.crop = crop

    def __len__(self) -> int:
        return len(self.photographs)

    def __getitem__(self, crop: Crop) -> Tensor:
        image = self.photographs[crop.index].open()
        box, mirrored = (0.0, 0.0, float(image.width), float(image.height)), False
        if crop.seed is not None:
            chance = random.Random(crop.seed)  # noqa: S311 - not for secrets
            box, mirrored = _random_box(image.size, self.crop, chance), chance.random() < 0.5
        image = image.resize((crop.size, crop.size), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
        if mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _random_box(
    size: tuple[int, int], area: tuple[float, float], chance: random.Random
) -> tuple[float, float, float, float]:
    """Choose a crop of some share of the picture's area, its sides in a ratio of 3:4 to 4:3."""
    width, height = size
    side = (width * height * chance.uniform(*area)) ** 0.5
    stretch = chance.uniform(0.75, 4 / 3) ** 0.5
    w, h = min(width, side * stretch), min(height, side / stretch)
    left, top = chance.uniform(0, width - w), chance.uniform(0, height - h)
    return left, top, left + w, top + h


class Schedule(Sampler[list[Crop]]):
    """All batches of a run from a given step on: the same ones, whether or not the run was ever interrupted.

    Of several processes each takes its share of every batch.
    """

    def __init__(
        self, pictures: int, settings: TrainingSettings, first_step: int = 0, rank: int = 0, ranks: int = 1
    ) -> None:
        self.pictures = pictures
        self.settings = settings
        self.first_step = first_step
        self.rank = rank
        self.ranks = ranks
        self.steps_per_epoch = max(1, pictures // settings.batch_size)
        self.steps = self.steps_per_epoch * settings.epochs

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[Crop]]:
        order: list[int] = []
        for step in range(self.first_step, self.steps):
            epoch, place = divmod(step, self.steps_per_epoch)
            if place == 0 or not order:
                order = list(range(self.pictures))
                random.Random(f"{self.settings.seed} {epoch}").shuffle(order)  # noqa: S311
            size = self.settings.size_at(step / self.steps)
            start = place * self.settings.batch_size
            yield [
                Crop(index, size, _seed(self.settings.seed, epoch, index))
                for index in order[start + self.rank : start + self.settings.batch_size : self.ranks]
            ]


def whole_pictures(count: int, batch_size: int, size: int = _VALIDATION_SIZE) -> list[list[Crop]]:
    """Batches of the first pictures, uncropped: for validation and for counting colours."""
    crops = [Crop(index, size, None) for index in range(count)]
    return [crops[start : start + batch_size] for start in range(0, count, batch_size)]


def to_lightness_and_ab(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Convert a batch (B, 3, s, s) uint8 sRGB to lightness (B, 1, s, s) and ab (B, 2, s, s), float32."""
    lab = rgb_to_lab(rgb.float() / 255)
    return lab[:, :1].contiguous(), lab[:, 1:].contiguous()


def vary_lightness(lightness: Tensor, strength: float, seed: int) -> Tensor:
    """Change contrast and mean of each picture's lightness by up to a share: film and paper differ in both."""
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(2, lightness.shape[0], 1, 1, 1, generator=generator).to(lightness.device) * 2 - 1
    mean = lightness.mean(dim=(1, 2, 3), keepdim=True)
    varied = (lightness - mean) * (1 + strength * chance[0]) + mean * (1 + strength * chance[1] / 2)
    return varied.clamp(0, 100)


def _seed(seed: int, epoch: int, index: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {epoch} {index}".encode()).digest()[:8], "big")
