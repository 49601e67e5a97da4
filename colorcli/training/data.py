"""Color photographs for training: inspected, split, randomly cropped, and batched."""

from __future__ import annotations

import hashlib
import logging
import random
import signal
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from colorcli.color import gray_to_lightness
from colorcli.errors import DataError
from colorcli.inference.preprocess import to_lightness_and_ab
from colorcli.media.photographs import read_square
from colorcli.media.pictures.tone import is_in_color
from colorcli.recipe import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from colorcli.gray import Gray
    from colorcli.media.photographs import Box, Photograph
    from colorcli.training.recipes import TrainingSettings

_VALIDATION_SHARE = 0.05
_VALIDATION_MOST = 2000  # pictures, of however many
SURVEYED_SIZE = 128  # side of the squares whose colors are counted before a run
_INSPECTED = 20_000  # photographs; of larger sets a sample
_PATIENCE = 100  # unreadable photographs in a row before giving up: probably the disk is at fault

_log = logging.getLogger("colorcli")


# Which photographs


def find_unusable(photographs: Sequence[Photograph], workers: int, *, keep_gray: bool = False) -> dict[str, str]:
    """Find the photographs that are gray or cannot be read; of more than 20,000, only a sample is inspected.

    Args:
        photographs: all of them.
        workers: processes that decode them.
        keep_gray: whether gray ones are usable.

    Returns:
        The reason for each unusable photograph, by its name.
    """
    inspected = sample(photographs, _INSPECTED)
    loader = DataLoader(
        _Faults(inspected, keep_gray),
        batch_size=64,
        num_workers=workers,
        collate_fn=list,
        worker_init_fn=ignore_signals,
    )
    faults = [fault for batch in loader for fault in batch]
    return {photograph.name: fault for photograph, fault in zip(inspected, faults, strict=True) if fault}


class _Faults(Dataset[str]):
    """The fault of each photograph; empty for usable ones."""

    def __init__(self, photographs: Sequence[Photograph], keep_gray: bool) -> None:
        self.photographs = photographs
        self.keep_gray = keep_gray

    def __len__(self) -> int:
        return len(self.photographs)

    def __getitem__(self, index: int) -> str:
        try:
            pixels = read_square(self.photographs[index], 64)
        except DataError:
            return "cannot be read"
        return "" if self.keep_gray or is_in_color(pixels) else "gray"


def sample(photographs: Sequence[Photograph], most: int) -> Sequence[Photograph]:
    """Choose so many photographs, evenly spaced in the list, or all if there are fewer."""
    count = min(most, len(photographs))
    return [photographs[at * len(photographs) // count] for at in range(count)]


@dataclass(frozen=True)
class Split:
    """Photographs for training, for validation, and for a test at the end."""

    training: list[Photograph]
    validation: list[Photograph]
    test: list[Photograph]


def split(photographs: Sequence[Photograph], shares: tuple[float, float, float] | None = None) -> Split:
    """Split the photographs, in the same way on every machine.

    Args:
        photographs: the usable ones.
        shares: for training, validation and test, in each category; None for one in twenty for validation, at most
            2,000, chosen by their names independently of the other photographs, and no test.

    Raises:
        DataError: there are too few photographs.
    """
    parts = _stratified(photographs, shares) if shares else _by_name(photographs)
    if not parts.training or not parts.validation or (shares and not parts.test):
        raise DataError(
            f"{len(photographs)} usable photographs are too few to split into training and validation.",
            "Give at least a hundred color photographs.",
        )
    return parts


def _by_name(photographs: Sequence[Photograph]) -> Split:
    held_out = [p for p in photographs if is_held_out(p)]
    validation = sorted(held_out, key=_draw)[:_VALIDATION_MOST]
    return Split([p for p in photographs if not is_held_out(p)], sorted(validation, key=_name), [])


def _stratified(photographs: Sequence[Photograph], shares: tuple[float, float, float]) -> Split:
    training: list[Photograph] = []
    validation: list[Photograph] = []
    test: list[Photograph] = []
    whole = sum(shares)
    for category in categories_of(photographs) or [""]:
        drawn = sorted((p for p in photographs if p.category == category), key=_draw)
        first = round(len(drawn) * shares[0] / whole)
        second = round(len(drawn) * (shares[0] + shares[1]) / whole)
        training += drawn[:first]
        validation += drawn[first:second]
        test += drawn[second:]
    return Split(*(sorted(part, key=_name) for part in (training, validation, test)))


def categories_of(photographs: Sequence[Photograph]) -> list[str]:
    """List the categories of photographs, sorted; the empty name, for photographs without a category, comes first."""
    return sorted({photograph.category for photograph in photographs})


def expect_categories(photographs: Sequence[Photograph], names: Iterable[str]) -> None:
    """Check that there are photographs of every one of these categories.

    Raises:
        DataError: some categories are missing; the message names all of them.
    """
    known = list(filter(None, categories_of(photographs)))
    if missing := sorted(set(names).difference(known)):
        found = f"Categories found: {', '.join(known)}. " if known else "No photograph has a category. "
        raise DataError(
            f"{found}Missing: {', '.join(missing)}.",
            "Sort the photographs into folders named after their categories, or list them in manifest.csv.",
        )


def candidates_of(settings: TrainingSettings, photographs: Sequence[Photograph]) -> list[Photograph]:
    """Choose the photographs that are inspected: those that `exclude` and `names` allow, a quarter more than `most`.

    Raises:
        DataError: no photograph has such a name, or the manifest lacks a column of `exclude`.
    """
    chosen = [p for p in photographs if not any(_is_excluded(p, *words) for words in settings.exclude.items())]
    if missing := [column for column in settings.exclude if not any(column in p.row for p in photographs)]:
        raise DataError(
            f"Columns not found in manifest.csv: {', '.join(missing)}.",
            "The recipe excludes photographs by them; add them, or remove `exclude` from the recipe.",
        )
    if settings.names:
        chosen = [p for p in chosen if fnmatchcase(p.name, settings.names)]
        if not chosen:
            raise DataError(f"No photograph has a name like {settings.names}.", "Change `names` in the recipe.")
    return chosen if settings.most is None else _first_by_draw(chosen, settings.most * 5 // 4)


def chosen_by(settings: TrainingSettings, usable: Sequence[Photograph]) -> list[Photograph]:
    """Choose the photographs that the settings `most` and `only` allow, in this order.

    So the runs of several categories share their splits with a run of all categories: what is a test photograph in one
    is never learned from in another.

    Args:
        settings: of the run.
        usable: of the candidates.

    Raises:
        DataError: no photograph has the category.
    """
    chosen = list(usable) if settings.most is None else _first_by_draw(usable, settings.most)
    if not settings.only:
        return chosen
    expect_categories(chosen, [settings.only])
    return [p for p in chosen if p.category == settings.only]


def _is_excluded(photograph: Photograph, column: str, words: Sequence[str]) -> bool:
    """Return whether a photograph has one of the words in a column of the manifest, in any case, or nothing there."""
    value = (photograph.row.get(column) or "").casefold()
    return not value or any(word.casefold() in value for word in words)


def _first_by_draw(photographs: Sequence[Photograph], most: int) -> list[Photograph]:
    """Choose at most so many photographs by their names, and keep their order."""
    if most >= len(photographs):
        return list(photographs)
    return sorted(sorted(photographs, key=_draw)[:most], key=_name)


def is_held_out(photograph: Photograph) -> bool:
    """Return whether a photograph is for validation, by its name alone: the same on every machine and in every set."""
    return _draw(photograph) < _VALIDATION_SHARE


def _name(photograph: Photograph) -> str:
    return photograph.name


def _draw(photograph: Photograph) -> float:
    """Draw a number in 0..1 that depends only on the photograph's name."""
    return _seed(photograph.name) / 2**64


def fingerprint(photographs: Sequence[Photograph]) -> str:
    """Hash the names of photographs: it changes when photographs are added, removed or renamed."""
    names = "\0".join(photograph.name for photograph in photographs)
    return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()


# Squares


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
        for offset in range(min(len(self), _PATIENCE)):
            photograph = self.photographs[(crop.index + offset) % len(self)]
            try:
                return self._square(photograph, crop), self._index.get(photograph.category, -1)
            except DataError as error:
                self._log(photograph, error)
        raise DataError(f"{min(len(self), _PATIENCE)} photographs in a row cannot be read.", "Check the disk.")

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
                Crop(index, size, _seed(f"{self.settings.seed} {epoch} {index}"))
                for index in order[start + self.rank : start + self.settings.batch_size : self.ranks]
            ]

    def ends_an_epoch(self, steps: int) -> bool:
        """Return whether an epoch ends after so many steps."""
        return steps > 0 and steps % self.steps_per_epoch == 0

    def seed_at(self, step: int) -> int:
        """Return the random seed of a step, for dropout and the like; interruptions do not change it."""
        return _seed(f"step {self.settings.seed} {step} {self.rank}")


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


def describe_unusable(faults: Mapping[str, str], photographs: int) -> str:
    """Describe which photographs are skipped; the first five by name."""
    named = [f"{name} ({fault})" for name, fault in faults.items()]
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    return f"{len(named)} of {photographs} photographs are skipped: {', '.join(named[:5])}{more}."


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], "big")
