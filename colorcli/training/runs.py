"""The folder of a training run: checkpoint, log, curves, sample sheets and exported weights."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from colorcli.color import lab_to_rgb
from colorcli.colorizer import Weights, chroma_of
from colorcli.errors import UsageError, WeightsCorrupt
from colorcli.files import replacing
from colorcli.pages.sheet import Row, write_sheet
from colorcli.weights import Header, open_file, write_state
from colorcli.weights.fitting import build, mismatch
from colorcli.weights.manifest import format_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from colorcli.colorizer import Colorizer
    from colorcli.training.recipes import RecipeFile

_FREE = {"workers"}  # settings that change no result
_COLUMNS = ("step", "epoch", "loss", "value")


@dataclass
class Checkpoint:
    """Everything that an interrupted run needs to go on exactly where it was."""

    hyperparameters: dict[str, Any]
    step: int = 0  # how many are done
    validated: int = 0  # after how many of them the last validation was
    best: float = float("inf")
    network: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    epoch_total: float = 0.0  # of the first loss over this epoch's steps
    training: list[float] = field(default_factory=list)  # its mean in every epoch
    validation: list[float] = field(default_factory=list)  # the first figure of every validation
    over: bool = False  # whether early stopping has ended the run
    left_out: list[str] = field(default_factory=list)  # names of photographs that teach nothing
    photographs: str = ""  # fingerprint of all others

    def covers(self, row: Mapping[str, str]) -> bool:
        """Tell whether a row of the log is of what was done by then."""
        pending = self.validated < self.step and row["loss"].startswith("validation ")
        return int(row["step"]) < self.step or (int(row["step"]) == self.step and not pending)


class Run:
    """One training run on disk. Nothing is written before `begin`.

    Raises:
        UsageError: the folder cannot be, or holds a run of another colorizer, recipe or data.
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
                f"{folder} lies in {data}: the run's own pictures would be taken for photographs.",
                "Put the run beside the data.",
            )
        self._hold_to_its_settings()

    def _hold_to_its_settings(self) -> None:
        if not self._settings_file.exists():
            return
        try:
            before = json.loads(self._settings_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{self._settings_file} cannot be read: {error}.", "Choose another folder.") from None
        if not _is_kept(before, json.loads(json.dumps(self._settings()))):
            raise UsageError(
                f"{self.folder} holds a run with other settings (see {self._settings_file}).",
                "Give the same recipe and data to go on with it, or another folder to begin anew.",
            )

    def _settings(self) -> dict[str, Any]:
        return {
            "colorizer": self.colorizer.name,
            "data": str(self.data),
            "start": str(self.start or ""),
            "recipe": dataclasses.asdict(self.file),
        }

    def begin(self, checkpoint: Checkpoint) -> None:
        """Make the folder ready for a run that goes on from a checkpoint: the log is cut back to it.

        Raises:
            UsageError: nothing can be written there.
        """
        try:
            (self.folder / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.folder} cannot be the folder of a run: {error.strerror}.") from None
        self._write(self._settings_file, json.dumps(self._settings(), indent=2))
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in self._rows() if checkpoint.covers(row))
        self._write(self._log_file, text.getvalue())

    def _write(self, path: Path, text: str) -> None:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")

    def load_checkpoint(self) -> Checkpoint | None:
        """Read what `save_checkpoint` wrote, or None where there is nothing yet.

        Raises:
            WeightsCorrupt: the file is damaged or no checkpoint of colorcli's.
        """
        if not self._checkpoint_file.exists():
            return None
        known = {f.name for f in dataclasses.fields(Checkpoint)}
        try:
            state = torch.load(self._checkpoint_file, map_location="cpu", weights_only=True)
            return Checkpoint(**{key: value for key, value in state.items() if key in known})
        except Exception as error:  # zip, pickle and torch have errors of their own
            reason = str(error).strip().partition("\n")[0]
            raise WeightsCorrupt(
                f"{self._checkpoint_file} is damaged or no checkpoint of a training run ({reason}).",
                "Delete it to begin anew in this folder.",
            ) from error

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; the one before it stays until this one is whole and on the disk."""
        state = {f.name: getattr(checkpoint, f.name) for f in dataclasses.fields(checkpoint)}
        with replacing(self._checkpoint_file) as temporary:
            torch.save(state, temporary)

    def log(self, step: int, epoch: int, losses: Mapping[str, float]) -> None:
        """Append losses to log.csv: one row a loss, so that any recipe's losses fit."""
        with self._log_file.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([step, epoch, name, f"{value:.6g}"] for name, value in losses.items())

    def _rows(self) -> list[dict[str, str]]:
        """Read the log; a row that a crash has cut short counts for nothing."""
        if not self._log_file.exists():
            return []
        with self._log_file.open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if row["value"]]

    def draw_curves(self) -> None:
        """Draw curves.png: every loss over the steps, those of training smoothed."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.subplots()
        curves: dict[str, tuple[list[int], list[float]]] = {}
        for row in self._rows():
            steps, values = curves.setdefault(row["loss"], ([], []))
            value = float(row["value"])
            if values and not row["loss"].startswith("validation"):
                value = 0.98 * values[-1] + 0.02 * value
            steps.append(int(row["step"]))
            values.append(value)
        for name, (steps, values) in curves.items():
            axes.plot(steps, values, label=name)
        axes.set(xlabel="step", title=f"{self.colorizer.name}, recipe {self.file.name}")
        axes.legend()
        figure.savefig(self.folder / "curves.png")

    def draw_samples(self, step: int, network: nn.Module, lightness: Tensor, ab: Tensor) -> None:
        """Draw samples/STEP.png: gray, colorized and original of some pictures held out."""
        options = {option.name: option.default for option in self.colorizer.options} | dict(self.file.options)
        with torch.inference_mode():
            predicted = chroma_of(self.colorizer.predict(network, lightness, **options)).float()
        predicted = torch.nn.functional.interpolate(predicted, lightness.shape[-2:], mode="bicubic")
        colors = {"gray": ab * 0, self.colorizer.name: predicted, "original": ab}
        rows = [
            Row("", {name: lab_to_rgb(lightness[i], chroma[i].float()) for name, chroma in colors.items()})
            for i in range(len(lightness))
        ]
        write_sheet(self.folder / "samples" / f"{step:07d}.png", rows, height=160, columns=2)

    def export(self, name: str, network: nn.Module) -> None:
        """Write NAME.safetensors (fp16) and NAME.toml, the manifest table to go with it."""
        path = self.folder / f"{name}.safetensors"
        header = Header(
            self.colorizer.name,
            self.file.name,
            dict(self.hyperparameters),
            self.file.input_size,
            dict(self.file.options),
        )
        with replacing(path) as temporary:
            write_state(temporary, {key: _halved(value) for key, value in network.state_dict().items()}, header)
        data = path.read_bytes()
        weights = Weights(
            file=path.name,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            license="NOASSERTION",  # whose photographs they were decides, and only their trainer knows
            source=f"colorcli train {self.colorizer.name} --recipe {self.file.name}",
            trained_on=self.data.name,
            parameters=sum(p.numel() for p in network.parameters()),
            input_size=self.file.input_size,
            network=self.hyperparameters,
            options=self.file.options,
        )
        path.with_suffix(".toml").write_text(format_table(self.file.name, weights), encoding="utf-8")

    def assemble(self, name: str, parts: Mapping[str, Path]) -> None:
        """Export a network that was trained in parts: the weights files of the parts, by their prefix in it.

        Raises:
            UsageError: the parts are not all of the network that the recipe describes.
        """
        self.hyperparameters = self.file.network
        network = build(self.colorizer, self.hyperparameters)
        state = {
            f"{prefix}.{key}": value for prefix, path in parts.items() for key, value in open_file(path)[0].items()
        }
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise UsageError(f"The stages of {self.file.name} do not make its network: {mismatch(error)}") from None
        self.export(name, network)


def _is_kept(before: Any, now: Any) -> bool:
    """Tell whether settings agree with those of a run; it may be of a version that had fewer of them."""
    if isinstance(before, dict) and isinstance(now, dict):
        return all(key in now and _is_kept(before[key], now[key]) for key in before.keys() - _FREE)
    return bool(before == now)


def _halved(value: Tensor) -> Tensor:
    """Give a tensor in fp16, unless it has numbers that are too large for it."""
    half = value.half() if value.is_floating_point() else value
    return half if half.isfinite().all() else value
