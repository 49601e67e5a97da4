"""The folder of a training run: checkpoint, log, curves, sample sheets and exported weights."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from colorcli.color import lab_to_rgb
from colorcli.colorizer import Weights
from colorcli.errors import UsageError
from colorcli.evaluation.sheets import Row, write_sheet
from colorcli.manifests import format_table
from colorcli.training.recipes import RecipeFile
from colorcli.weights import Header, write_state

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer


@dataclass
class Checkpoint:
    """Everything that an interrupted run needs to go on exactly where it was."""

    hyperparameters: dict[str, Any]
    step: int = 0
    best: float = float("inf")
    network: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    random: Tensor = field(default_factory=torch.get_rng_state)


class Run:
    """One training run on disk.

    Raises:
        UsageError: the folder already holds a run of another colorizer, recipe or data.
    """

    def __init__(self, folder: Path, colorizer: Colorizer, file: RecipeFile, data: Path) -> None:
        self.folder = folder
        self.colorizer = colorizer
        self.file = file
        self.data = data
        self.hyperparameters: Mapping[str, Any] = {}
        self._checkpoint_file = folder / "checkpoint.pt"
        self._log_file = folder / "log.csv"
        (folder / "samples").mkdir(parents=True, exist_ok=True)
        self._hold_to_its_settings()

    def _hold_to_its_settings(self) -> None:
        settings = {
            "colorizer": self.colorizer.name,
            "data": str(self.data.resolve()),
            "recipe": dataclasses.asdict(self.file),
        }
        text = json.dumps(settings, indent=2)
        path = self.folder / "run.json"
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise UsageError(
                f"{self.folder} holds a run with other settings (see {path}).",
                "Give the same recipe and data to go on with it, or another folder to begin anew.",
            )
        path.write_text(text, encoding="utf-8")

    def load_checkpoint(self) -> Checkpoint | None:
        """Read what `save_checkpoint` wrote, or None in a fresh folder; the log is cut back to that step."""
        if not self._checkpoint_file.exists():
            return None
        checkpoint = Checkpoint(**torch.load(self._checkpoint_file, map_location="cpu", weights_only=True))
        rows = [row for row in self._rows() if int(row["step"]) <= checkpoint.step]
        self._log_file.unlink(missing_ok=True)
        for row in rows:
            self._append(row)
        return checkpoint

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; the one before it stays until this one is whole."""
        state = {f.name: getattr(checkpoint, f.name) for f in dataclasses.fields(checkpoint)}
        part = self._checkpoint_file.with_suffix(".part")
        torch.save(state, part)
        part.replace(self._checkpoint_file)

    def log(self, step: int, epoch: int, losses: Mapping[str, float]) -> None:
        """Append losses to log.csv: one row a loss, so that any recipe's losses fit."""
        for name, value in losses.items():
            self._append({"step": step, "epoch": epoch, "loss": name, "value": f"{value:.6g}"})

    def _append(self, row: Mapping[str, Any]) -> None:
        fresh = not self._log_file.exists()
        with self._log_file.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["step", "epoch", "loss", "value"])
            if fresh:
                writer.writeheader()
            writer.writerow(row)

    def _rows(self) -> list[dict[str, str]]:
        if not self._log_file.exists():
            return []
        with self._log_file.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

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
        """Draw samples/STEP.png: grey, colorized and original of some pictures held out."""
        options = {option.name: option.default for option in self.colorizer.options} | dict(self.file.options)
        with torch.inference_mode():
            predicted = self.colorizer.predict(network, lightness, **options).float()
        predicted = torch.nn.functional.interpolate(predicted, lightness.shape[-2:], mode="bicubic")
        colours = {"grey": ab * 0, self.colorizer.name: predicted, "original": ab}
        rows = [
            Row("", {name: lab_to_rgb(lightness[i], chroma[i].float()) for name, chroma in colours.items()})
            for i in range(len(lightness))
        ]
        write_sheet(self.folder / "samples" / f"{step:07d}.png", rows, height=160, columns=2)

    def export(self, name: str, network: nn.Module) -> Path:
        """Write NAME.safetensors (fp16) and NAME.toml, the manifest table to go with it."""
        path = self.folder / f"{name}.safetensors"
        part = path.with_suffix(".part")
        state = {key: value.half() if value.is_floating_point() else value for key, value in network.state_dict().items()}
        header = Header(
            self.colorizer.name, self.file.name, dict(self.hyperparameters), options=dict(self.file.options)
        )
        write_state(part, state, header)
        part.replace(path)
        data = path.read_bytes()
        weights = Weights(
            file=path.name,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            license="Apache-2.0",
            source=f"colorcli train {self.colorizer.name} --recipe {self.file.name}",
            trained_on=self.data.name,
            parameters=sum(p.numel() for p in network.parameters()),
            network=self.hyperparameters,
            options=self.file.options,
        )
        path.with_suffix(".toml").write_text(format_table(self.file.name, weights), encoding="utf-8")
        return path

