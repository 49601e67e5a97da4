"""The folder of a training run: settings, checkpoint, log, curves, sample sheets and exported weights."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor, nn

from colorcli.color import lab_to_rgb
from colorcli.colorizer import Weights, chroma_of
from colorcli.documents import read_json
from colorcli.errors import UsageError, WeightsCorrupt
from colorcli.files import replacing
from colorcli.pages.sheet import PictureVersions, write_sheet
from colorcli.training.curves import COLUMNS, draw_curves, read_log, write_log
from colorcli.training.recipes import TrainingSettings
from colorcli.weights import Header, open_file, write_state
from colorcli.weights.fitting import build, mismatch
from colorcli.weights.manifest import format_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from colorcli.colorizer import Colorizer
    from colorcli.training.recipes import RecipeFile


@dataclass
class Checkpoint:
    """Everything that is needed to resume an interrupted run exactly.

    Attributes:
        hyperparameters: hyperparameters of the network.
        step: number of steps done.
        validated: the step of the last validation.
        best: the lowest validation loss.
        network: weights.
        average: state of the averaged network.
        recipe: state of the recipe.
        epoch_total: sum of the loss that early stopping watches over the steps of the current epoch.
        training: mean of that loss in each epoch.
        validation: value of that loss in each validation.
        over: whether early stopping has ended the run.
        unusable: names of photographs that are gray or cannot be read.
        photographs: fingerprint of all other photographs.
    """

    hyperparameters: dict[str, Any]
    step: int = 0
    validated: int = 0
    best: float = float("inf")
    network: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    epoch_total: float = 0.0
    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    over: bool = False
    unusable: list[str] = field(default_factory=list)
    photographs: str = ""

    def covers(self, row: Mapping[str, str]) -> bool:
        """Return whether a row of the log is not newer than this checkpoint."""
        pending = self.validated < self.step and row["loss"].startswith("validation ")
        return int(row["step"]) < self.step or (int(row["step"]) == self.step and not pending)


class Run:
    """One training run on disk. Nothing is written before `begin`.

    Raises:
        UsageError: the folder is inside the data, or belongs to a run with other settings.
    """

    def __init__(
        self, folder: Path, colorizer: Colorizer, file: RecipeFile, data: Path, start: Path | None = None
    ) -> None:
        self.folder = folder
        self.start = start
        self.colorizer = colorizer
        self.file = file
        self.data = data.resolve()
        self.hyperparameters: Mapping[str, Any] = {}
        self._settings_file = folder / "run.json"
        self._checkpoint_file = folder / "checkpoint.pt"
        self._log_file = folder / "log.csv"
        if folder.resolve().is_relative_to(self.data):
            raise UsageError(
                f"{folder} is inside {data}: the pictures of the run would be used as photographs.",
                "Choose a folder outside the data.",
            )
        self._check_settings()

    def _check_settings(self) -> None:
        if not self._settings_file.exists():
            return
        try:
            before = read_json(self._settings_file)
        except (OSError, ValueError) as error:
            raise UsageError(f"{self._settings_file} cannot be read: {error}.", "Choose another folder.") from None
        if _comparable(before) != _comparable(json.loads(json.dumps(self._settings()))):
            raise UsageError(
                f"{self.folder} contains a run with other settings (see {self._settings_file}).",
                "Use the same recipe and data to resume it, or another folder to start a new run.",
            )

    def _settings(self) -> dict[str, Any]:
        return {
            "colorizer": self.colorizer.name,
            "data": str(self.data),
            "start": str(self.start or ""),
            "recipe": msgspec.to_builtins(self.file),
        }

    def begin(self, checkpoint: Checkpoint) -> None:
        """Prepare the folder for a run that starts or resumes from a checkpoint, and remove newer rows from the log.

        Raises:
            UsageError: the folder is not writable.
        """
        try:
            (self.folder / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.folder} cannot be written to: {error.strerror or error}.") from None
        self._write(self._settings_file, json.dumps(self._settings(), indent=2))
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in read_log(self._log_file) if checkpoint.covers(row))
        self._write(self._log_file, text.getvalue())

    def _write(self, path: Path, text: str) -> None:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")

    def load_checkpoint(self) -> Checkpoint | None:
        """Read the checkpoint; None if there is none yet.

        Raises:
            WeightsCorrupt: the file is damaged, or not a checkpoint of a training run.
        """
        if not self._checkpoint_file.exists():
            return None
        try:
            return Checkpoint(**torch.load(self._checkpoint_file, map_location="cpu", weights_only=True))
        except Exception as error:  # zip, pickle and torch raise their own errors
            reason = str(error).strip().partition("\n")[0]
            raise WeightsCorrupt(
                f"{self._checkpoint_file} is damaged or not a checkpoint of a training run ({reason}).",
                "Delete it to start again in this folder.",
            ) from error

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; the previous one is kept until this one is complete and on disk."""
        state = {f.name: getattr(checkpoint, f.name) for f in dataclasses.fields(checkpoint)}
        with replacing(self._checkpoint_file) as temporary:
            torch.save(state, temporary)

    def log(self, step: int, epoch: int, losses: Mapping[str, float]) -> None:
        """Append losses to log.csv."""
        write_log(self._log_file, step, epoch, losses)

    def draw_curves(self) -> None:
        """Draw curves.png from the log."""
        title = f"{self.colorizer.name}, recipe {self.file.name}"
        draw_curves(self.folder / "curves.png", read_log(self._log_file), title)

    def draw_samples(self, step: int, network: nn.Module, lightness: Tensor, ab: Tensor) -> None:
        """Draw samples/STEP.png: validation pictures in gray, colorized, and original."""
        options = {option.name: option.default for option in self.colorizer.options} | dict(self.file.options)
        with torch.inference_mode():
            predicted = chroma_of(self.colorizer.predict(network, lightness, **options)).float()
        predicted = torch.nn.functional.interpolate(predicted, lightness.shape[-2:], mode="bicubic")
        colors = {"gray": ab * 0, self.colorizer.name: predicted, "original": ab}
        rows = [
            PictureVersions("", {name: lab_to_rgb(lightness[i], chroma[i].float()) for name, chroma in colors.items()})
            for i in range(len(lightness))
        ]
        write_sheet(self.folder / "samples" / f"{step:07d}.png", rows, height=160, columns=2)

    def export(self, name: str, network: nn.Module) -> None:
        """Write NAME.safetensors (fp16) and NAME.toml, its table for a manifest."""
        path = self.folder / f"{name}.safetensors"
        header = Header(
            self.colorizer.name,
            self.file.name,
            dict(self.hyperparameters),
            self.file.input_size,
            dict(self.file.options),
        )
        with replacing(path) as temporary:
            write_state(temporary, {key: _to_half(value) for key, value in network.state_dict().items()}, header)
        data = path.read_bytes()
        weights = Weights(
            file=path.name,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            license="NOASSERTION",  # depends on the photographs; to be filled in
            source=f"colorcli train {self.colorizer.name} --recipe {self.file.name}",
            trained_on=self.data.name,
            parameters=sum(p.numel() for p in network.parameters()),
            input_size=self.file.input_size,
            network=self.hyperparameters,
            options=self.file.options,
        )
        path.with_suffix(".toml").write_text(format_table(self.file.name, weights), encoding="utf-8")

    def assemble(self, name: str, parts: Mapping[str, Path]) -> None:
        """Export a network that was trained in parts.

        Args:
            name: name of the exported files, without suffix.
            parts: weights files by their prefix in the network.

        A part that is all of the network has an empty prefix.

        Raises:
            UsageError: the parts do not add up to the network of the recipe.
        """
        if set(parts) == {""}:
            state, self.hyperparameters = open_file(parts[""])
            network = self.colorizer.build(**self.hyperparameters)
            network.load_state_dict(state)
            self.export(name, network)
            return
        self.hyperparameters = self.file.network
        network = build(self.colorizer, self.hyperparameters)
        state = {
            f"{prefix}.{key}": value for prefix, path in parts.items() for key, value in open_file(path)[0].items()
        }
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise UsageError(f"The stages of {self.file.name} do not fit its network: {mismatch(error)}") from None
        self.export(name, network)


def _comparable(settings: Any) -> Any:
    """Add default settings that are missing, and remove `workers`, which does not affect the result."""
    if isinstance(settings, dict):
        if isinstance(training := settings.get("training"), dict):
            complete = msgspec.to_builtins(msgspec.convert(training, TrainingSettings))
            settings = {**settings, "training": complete}
        return {key: _comparable(value) for key, value in settings.items() if key != "workers"}
    return [_comparable(each) for each in settings] if isinstance(settings, list) else settings


def _to_half(value: Tensor) -> Tensor:
    """Convert a tensor to fp16, unless it has numbers that are too large."""
    half = value.half() if value.is_floating_point() else value
    return half if half.isfinite().all() else value
