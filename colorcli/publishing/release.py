"""Publishing a training run on the Hugging Face Hub: weights, manifest table, model card and pictures."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from colorcli.errors import ColorcliError, UsageError
from colorcli.publishing.card import read_facts, write_card
from colorcli.weights.files import read_header
from colorcli.weights.manifest import format_table, read_manifest
from colorcli.weights.verification import verify

if TYPE_CHECKING:
    from pathlib import Path

    from colorcli.colorizer import Weights

_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")  # the form of an SPDX identifier
_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class ReleaseBundle:
    """A folder that is ready to be published.

    Attributes:
        repo: owner/name on the Hub.
        folder: the folder of the files.
        weights: the weights as the manifest table in the folder describes them.
    """

    repo: str
    folder: Path
    weights: Weights

    @property
    def uri(self) -> str:
        """The value of `--weights` for the published weights."""
        return f"hf://{self.repo}/{self.weights.file}"

    @property
    def files(self) -> list[Path]:
        """All files, sorted by name."""
        return sorted(self.folder.iterdir())


def make_bundle(
    run: Path,
    folder: Path,
    *,
    repo: str,
    license: str,  # noqa: A002  # the manifest's own word
    trained_on: str | None = None,
    samples: bool = True,
) -> ReleaseBundle:
    """Collect what is published of a training run: its best weights and their documentation.

    Args:
        run: the folder that `colorcli train` wrote. If it has an evaluation.json, written by
            `colorcli evaluate -o evaluation.json`, the figures are published as well.
        folder: an empty or new folder for the files.
        repo: owner/name on the Hub.
        license: SPDX identifier.
        trained_on: the training data, in a sentence; as in the run's own table if None.
        samples: include the last sample sheet, which shows photographs from the data.

    Raises:
        UsageError: the folder has no finished run, or a name is not valid.
        WeightsCorrupt: the weights differ from the run's own table.
    """
    if not _REPO.fullmatch(repo):
        raise UsageError(f"--repo must be owner/name, got {repo!r}.")
    if not _LICENSE.fullmatch(license) or license == "NOASSERTION":
        raise UsageError(
            f"--license must be an SPDX identifier, got {license!r}.",
            "For example --license CC-BY-4.0; spdx.org/licenses lists them.",
        )
    best = run / "best.safetensors"
    if not best.is_file() or not best.with_suffix(".toml").is_file():
        raise UsageError(f"{run} must have best.safetensors and best.toml.", "Choose the folder of a training run.")
    ((tag, weights),) = read_manifest("best", run).items()
    verify(best, weights, reread=True)
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
    _make_empty(folder)
    shutil.copyfile(best, folder / weights.file)
    (folder / f"{colorizer}-{tag}.toml").write_text(format_table(tag, weights), encoding="utf-8")
    pictures = {"curves.png": run / "curves.png"}
    if samples:
        pictures["samples.png"] = max((run / "samples").glob("*.png"), default=run / "samples.png")
    for name, picture in pictures.items():
        if picture.is_file():
            shutil.copyfile(picture, folder / name)
    bundle = ReleaseBundle(repo, folder, weights)
    (folder / "README.md").write_text(write_card(bundle, colorizer, tag, facts), encoding="utf-8")
    return bundle


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"Cannot create {folder}: {error.strerror}.") from None
    if any(folder.iterdir()):
        raise UsageError(f"Folder is not empty: {folder}.", "Choose another folder.")


def publish(bundle: ReleaseBundle, *, private: bool = False) -> str:
    """Upload a bundle in one commit; a repository that does not exist is created.

    Returns:
        The URL of the commit.

    Raises:
        ColorcliError: the Hub cannot be reached, or refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, constants

    if constants.HF_HUB_OFFLINE:
        raise ColorcliError("HF_HUB_OFFLINE forbids uploads.", "Unset HF_HUB_OFFLINE and run again.")
    api = HfApi()
    try:
        api.create_repo(bundle.repo, private=private or None, exist_ok=True)
        files = [CommitOperationAdd(file.name, file) for file in bundle.files]
        return str(api.create_commit(bundle.repo, files, commit_message=f"Weights {bundle.weights.file}").commit_url)
    except Exception as error:  # the client's own and its HTTP library's
        raise _refused(bundle.repo, error) from error


def _refused(repo: str, error: Exception) -> ColorcliError:
    from huggingface_hub import errors

    login = "Log in with `hf auth login`, or set HF_TOKEN to a token with write access."
    reason = f"{error}".strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    match error:
        case errors.HfHubHTTPError(response=response) if response.status_code in {401, 403, 404}:
            return ColorcliError(f"The Hub denied write access to {repo}: status {response.status_code}.", login)
        case errors.HfHubHTTPError(response=response):
            return ColorcliError(
                f"The Hub refused {repo}: status {response.status_code}, {reason}", "Try again later."
            )
        case ValueError():
            return ColorcliError(
                f"The Hub refused the model card: {reason}", "Check that the Hub accepts the --license."
            )
    return ColorcliError(
        f"{repo} was not published: {type(error).__name__}: {reason}", "Try again when the Hub can be reached."
    )
