"""Which color photographs a run trains on, validates on and tests on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from torch.utils.data import DataLoader, Dataset

from colorcli.errors import DataError
from colorcli.media.photographs import read_square
from colorcli.media.pictures.tone import is_in_color
from colorcli.training.data import ignore_signals, seed_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from colorcli.media.photographs import Photograph
    from colorcli.training.recipes import TrainingSettings

_VALIDATION_SHARE = 0.05
_VALIDATION_MOST = 2000  # pictures, of however many
_INSPECTED = 20_000  # photographs; of larger sets a sample


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


def describe_unusable(faults: Mapping[str, str], photographs: int) -> str:
    """Describe which photographs are skipped; the first five by name."""
    named = [f"{name} ({fault})" for name, fault in faults.items()]
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    return f"{len(named)} of {photographs} photographs are skipped: {', '.join(named[:5])}{more}."


def sample(photographs: Sequence[Photograph], most: int) -> Sequence[Photograph]:
    """Choose this number of photographs, evenly spaced in the list, or all if there are fewer."""
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
            "Use at least a hundred color photographs.",
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

    This way, the runs of several categories share their splits with a run of all categories: a test photograph of one
    is never learned from in another.

    Args:
        settings: settings of the run.
        usable: the usable ones among the candidates, in this order.

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
    """Choose at most this number of photographs by their names, and keep their order."""
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
    return seed_of(photograph.name) / 2**64


def fingerprint(photographs: Sequence[Photograph]) -> str:
    """Hash the names of photographs: it changes when photographs are added, removed or renamed."""
    names = "\0".join(photograph.name for photograph in photographs)
    return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()
