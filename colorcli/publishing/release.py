"""A training run out to the Hugging Face Hub: weights, manifest table, model card, pictures."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from colorcli.errors import ColorcliError, UsageError
from colorcli.publishing.card import read_facts, write_card
from colorcli.weights.files import read_header
from colorcli.weights.manifest import format_table, read_manifest
from colorcli.weights.verification import verified

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.colorizer import Weights

_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")  # the form of an SPDX identifier
_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Parcel:
    """A folder that is ready to be published.

    Attributes:
        repo: owner/name on the Hub.
        folder: where the files are.
        weights: what the manifest table among them says.
    """

    repo: str
    folder: Path
    weights: Weights

    @property
    def uri(self) -> str:
        """What `--weights` takes once they are published."""
        return f"hf://{self.repo}/{self.weights.file}"

    @property
    def files(self) -> list[Path]:
        """All of its files, by name."""
        return sorted(self.folder.iterdir())


def pack(
    run: Path,
    folder: Path,
    *,
    repo: str,
    license: str,  # noqa: A002  # the manifest's own word
    trained_on: str | None = None,
    samples: bool = True,
) -> Parcel:
    """Gather what is to be published of a training run: its best weights, and all that explains them.

    Args:
        run: the folder that `colorcli train` wrote. Where it has an evaluation.json, written by
            `colorcli evaluate -o evaluation.json`, the figures are published too.
        folder: where to put the files; there is none yet, or it is empty.
        repo: owner/name on the Hub.
        license: SPDX identifier.
        trained_on: the data, in a sentence; None = as in the run's own table.
        samples: whether the last sample sheet goes along, which shows photographs of the data.

    Raises:
        UsageError: this is no run with weights, or a name cannot be.
        WeightsCorrupt: the weights are not those that the run's table describes.
    """
    if not _REPO.fullmatch(repo):
        raise UsageError(f"{repo!r} is no repository.", "Write owner/name.")
    if not _LICENSE.fullmatch(license) or license == "NOASSERTION":
        raise UsageError(
            f"{license!r} is no license.",
            "Give its SPDX identifier, as in --license CC-BY-4.0: see spdx.org/licenses.",
        )
    best = run / "best.safetensors"
    if not best.is_file() or not best.with_suffix(".toml").is_file():
        raise UsageError(f"{run} holds no best.safetensors with its best.toml.", "Give the folder of a training run.")
    ((tag, weights),) = read_manifest("best", run).items()
    verified(best, weights, afresh=True)
    colorizer = read_header(best).colorizer
    facts = read_facts(run, weights)
    weights = replace(
        weights,
        file=f"{colorizer}-{tag}.safetensors",
        repo=repo,
        license=license,
        trained_on=trained_on or weights.trained_on,
        metrics=facts.metrics or weights.metrics,
    )
    _make(folder)
    shutil.copyfile(best, folder / weights.file)
    (folder / f"{colorizer}-{tag}.toml").write_text(format_table(tag, weights), encoding="utf-8")
    pictures = {"curves.png": run / "curves.png"}
    if samples:
        pictures["samples.png"] = max((run / "samples").glob("*.png"), default=run / "samples.png")
    for name, picture in pictures.items():
        if picture.is_file():
            shutil.copyfile(picture, folder / name)
    parcel = Parcel(repo, folder, weights)
    (folder / "README.md").write_text(write_card(parcel, colorizer, tag, facts), encoding="utf-8")
    return parcel


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}.") from None
    if any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty.", "Give another folder.")


def publish(parcel: Parcel, *, private: bool = False) -> str:
    """Upload a parcel in one commit, into a repository that is made where there is none.

    Returns:
        The address of the commit.

    Raises:
        ColorcliError: the Hub cannot be reached, or does not take it.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    try:
        api.create_repo(parcel.repo, private=private or None, exist_ok=True)
        files = [CommitOperationAdd(file.name, file) for file in parcel.files]
        return str(api.create_commit(parcel.repo, files, commit_message=f"Weights {parcel.weights.file}").commit_url)
    except Exception as error:  # the client's own, and its HTTP library's
        raise _refused(parcel.repo, error) from error


def _refused(repo: str, error: Exception) -> ColorcliError:
    from huggingface_hub import errors

    login = "Log in with `hf auth login`, or set HF_TOKEN, with a token that may write there."
    reason = f"{error}".strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    match error:
        case errors.OfflineModeIsEnabled():
            return ColorcliError("HF_HUB_OFFLINE forbids an upload.", "Run once without it.")
        case errors.HfHubHTTPError(response=response) if response.status_code in {401, 403, 404}:
            return ColorcliError(f"The Hub does not let you write to {repo}: status {response.status_code}.", login)
        case errors.HfHubHTTPError(response=response):
            return ColorcliError(
                f"The Hub does not take {repo}: status {response.status_code}, {reason}", "Try again later."
            )
        case ValueError():
            return ColorcliError(f"The Hub does not take the model card: {reason}", "Is --license one that it knows?")
    return ColorcliError(
        f"{repo} was not published: {type(error).__name__}: {reason}", "Try again when the Hub can be reached."
    )
