"""Color photographs for training: randomly cropped and batched."""

from __future__ import annotations

import hashlib
import logging
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from colorcli.color import gray_to_lightness
from colorcli.errors import DataError
from colorcli.inference.preprocess import to_lightness_and_ab
from colorcli.media.photographs import read_square
from colorcli.recipe import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from colorcli.gray import Gray
    from colorcli.media.photographs import Box, Photograph
    from colorcli.training.recipes import TrainingSettings

SURVEYED_SIZE = 128  # side of the squares whose colors are counted before a run
_MAX_UNREADABLE = 100  # unreadable photographs in a row before giving up: probably the disk is at fault

_log = logging.getLogger("colorcli")


@dataclass(frozen=True)
class Crop:
    """A photograph in one step: its index, the side in pixels, and a random seed (None for the whole picture)."""

    index: int
    size: int
    seed: int | None


class Photographs(Dataset[tuple[Tensor, int]]):
    """Random square crops: from a `Crop` to (3, s, s) uint8 sRGB and the index of the category, -1 for none.

    A photograph that cannot be read is replaced by the next one, and logged once.
    """

    def __init__(
        self,
        photographs: Sequence[Photograph],
        categories: Sequence[str] = (),
        crop: tuple[float, float] = (1.0, 1.0),
        *,
        flip: bool = True,
    ) -> None:
        self.photographs = photographs
        self.crop = crop
        self.flip = flip
        self._index = {category: index for index, category in enumerate(categories)}
        self._logged: set[str] = set()

    def __len__(self) -> int:
        return len(self.photographs)

    def __getitem__(self, crop: Crop) -> tuple[Tensor, int]:
        for offset in range(min(len(self), _MAX_UNREADABLE)):
            photograph = self.photographs[(crop.index + offset) % len(self)]
            try:
                return self._square(photograph, crop), self._index.get(photograph.category, -1)
            except DataError as error:
                self._log(photograph, error)
        raise DataError(f"{min(len(self), _MAX_UNREADABLE)} photographs in a row cannot be read.", "Check the disk.")

    def _square(self, photograph: Photograph, crop: Crop) -> Tensor:
        if crop.seed is None:
            pixels = read_square(photograph, crop.size)
        else:
            chance = random.Random(crop.seed)  # noqa: S311 - not for secrets
            pixels = read_square(photograph, crop.size, lambda size: random_box(size, self.crop, chance))
            if self.flip and chance.random() < 0.5:
                pixels = pixels[:, ::-1]
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1)

    def _log(self, photograph: Photograph, error: DataError) -> None:
        if photograph.name not in self._logged:
            self._logged.add(photograph.name)
            _log.warning("Skipped: %s", error)


def random_box(size: tuple[int, int], area: tuple[float, float], chance: random.Random) -> Box:
    """Choose a random crop with a random share of the picture's area, or as much as its shape allows.

    The aspect ratio is between 3:4 and 4:3, which limits the distortion of the resulting square; a share of 1 is the
    whole picture, whatever its shape. Unlike that of torchvision's RandomResizedCrop, it has a seed of its own, and is
    known before the picture is decoded, so that large JPEGs are decoded at a fraction of their size.
    """
    width, height = size
    share = chance.uniform(*area)
    ratio = chance.uniform(0.75, 4 / 3)
    if share >= 1:
        return 0.0, 0.0, float(width), float(height)
    w = min((width * height * share * ratio) ** 0.5, width, height * ratio)
    h = min(w / ratio, height)
    left, top = chance.uniform(0, width - w), chance.uniform(0, height - h)
    return left, top, min(left + w, width), min(top + h, height)


# Batches


class BatchSchedule(Sampler[list[Crop]]):
    """The batches of a run from a given step on: the same whether or not the run was interrupted.

    Each of several processes gets its share of every batch.
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
                Crop(index, size, seed_of(f"{self.settings.seed} {epoch} {index}"))
                for index in order[start + self.rank : start + self.settings.batch_size : self.ranks]
            ]

    def ends_an_epoch(self, steps: int) -> bool:
        """Return whether an epoch ends after this number of steps."""
        return steps > 0 and steps % self.steps_per_epoch == 0

    def seed_at(self, step: int) -> int:
        """Return the random seed of a step, for dropout and the like; interruptions do not change it."""
        return seed_of(f"step {self.settings.seed} {step} {self.rank}")


def whole_pictures(count: int, batch_size: int, size: int = SURVEYED_SIZE) -> list[list[Crop]]:
    """List batches of whole pictures, for validation and for surveying colors."""
    crops = [Crop(index, size, None) for index in range(count)]
    return [crops[start : start + batch_size] for start in range(0, count, batch_size)]


def load(
    photographs: Photographs, batches: BatchSchedule | list[list[Crop]], workers: int, *, pinned: bool = False
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Decode batches (B, 3, s, s), uint8 sRGB, with (B,) categories, ahead of time in worker processes."""
    return DataLoader(
        photographs,  # type: ignore[arg-type]  # numbers become tensors when they are collated
        batch_sampler=batches,
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        pin_memory=pinned,
        worker_init_fn=ignore_signals,
    )


def ignore_signals(_worker: int) -> None:
    """Ignore Ctrl-C in a worker process: it reaches every process in the terminal, and the run ends its workers."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def as_batch(rgb: Tensor, category: Tensor, gray: Gray | None = None) -> Batch:
    """Make a batch for a recipe.

    Args:
        rgb: (B, 3, s, s) uint8 sRGB.
        category: (B,).
        gray: how the network's gray pictures are made; None for their own lightness.
    """
    true, ab = to_lightness_and_ab(rgb)
    lightness = true if gray is None else gray_to_lightness(gray.convert(rgb.float() / 255).clamp(0, 1))
    return Batch(lightness.contiguous(memory_format=torch.channels_last), ab, category, true)


def vary_lightness(lightness: Tensor, strength: float) -> Tensor:
    """Vary contrast and mean of each picture's lightness by up to a share, as film and paper do."""
    chance = torch.rand(2, lightness.shape[0], 1, 1, 1).to(lightness.device) * 2 - 1
    mean = lightness.mean(dim=(1, 2, 3), keepdim=True)
    varied = (lightness - mean) * (1 + strength * chance[0]) + mean * (1 + strength * chance[1] / 2)
    return varied.clamp(0, 100)


def seed_of(text: str) -> int:
    """Derive a random seed of 64 bits from a text."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], "big")
