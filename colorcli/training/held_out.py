"""The photographs of a training run: those that it learned from, and those that it held out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import torch

from colorcli.documents import read_json
from colorcli.errors import UsageError
from colorcli.media.photographs import find_photographs
from colorcli.training.recipes import TrainingSettings
from colorcli.training.selection import candidates_of, chosen_by, fingerprint, split

if TYPE_CHECKING:
    from colorcli.media.photographs import Photograph

Part = Literal["test", "validation", "training"]


def colorizer_of(folder: Path) -> str:
    """Return the name of the colorizer that a run trains.

    Raises:
        UsageError: the folder does not contain a run.
    """
    return str(_settings(folder)["colorizer"])


def held_out(folder: Path, part: Part) -> list[Photograph]:
    """List the photographs of one of a run's splits, as `find_photographs` does.

    Args:
        folder: folder of the run.
        part: name of the split.

    Raises:
        DataError: the photographs of the run cannot be read.
        UsageError: the folder does not contain a run with a checkpoint, its photographs have changed, or its recipe
            has no test split.
    """
    settings = _settings(folder)
    training = msgspec.convert(settings["recipe"]["training"], TrainingSettings)
    unusable, expected = _photographs_of_checkpoint(folder)
    candidates = candidates_of(training, find_photographs(Path(settings["data"])))
    usable = [photograph for photograph in candidates if photograph.name not in unusable]
    parts = split(chosen_by(training, usable), training.split)
    if fingerprint([*parts.training, *parts.validation, *parts.test]) != expected:
        raise UsageError(
            f"The photographs in {settings['data']} have changed since the run in {folder} started.",
            "Restore them, or evaluate on another folder of photographs.",
        )
    if part != "test":
        return parts.validation if part == "validation" else parts.training
    if not parts.test:
        raise UsageError(
            f"The recipe of {folder} has no test split.",
            "Use --part validation, or train with a split such as [80, 10, 10] in [training].",
        )
    return parts.test


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        settings = read_json(path)
    except FileNotFoundError:
        runs = ", ".join(sorted(str(each.parent) for each in folder.glob("*/run.json")))
        hint = f"Choose one of the runs in it: {runs}." if runs else "Choose the folder of a training run."
        raise UsageError(f"{folder} is not the folder of a training run.", hint) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None
    if not isinstance(settings, dict) or not {"colorizer", "data", "recipe"} <= settings.keys():
        raise UsageError(f"{path} does not describe a training run.")
    return settings


def _photographs_of_checkpoint(folder: Path) -> tuple[set[str], str]:
    """Return the names of unusable photographs and the fingerprint of the others."""
    path = folder / "checkpoint.pt"
    if not path.is_file():
        raise UsageError(f"{folder} has no checkpoint yet.", "Let the run complete its first epoch.")
    checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return set(checkpoint["unusable"]), str(checkpoint["photographs"])
