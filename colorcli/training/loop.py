"""The training loop: one for every colorizer, readable from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from colorcli.devices import choose
from colorcli.media.photographs import find_photographs
from colorcli.training.data import (
    Crop,
    Photographs,
    Schedule,
    split,
    to_lightness_and_ab,
    vary_lightness,
    whole_pictures,
)
from colorcli.training.recipes import RecipeFile, TrainingSettings
from colorcli.training.runs import Checkpoint, Run

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer
    from colorcli.recipe import Recipe

_SURVEYED = 4000  # pictures whose colours are counted before a run: 65 million pixels at 128 x 128
_CHECKPOINT_SECONDS = 300
_FABRIC_PRECISION = {torch.float32: "32-true", torch.bfloat16: "bf16-mixed", torch.float16: "16-mixed"}


@dataclass(frozen=True)
class Progress:
    """Where a run is after a step, or after a validation."""

    step: int
    steps: int
    epoch: int
    losses: dict[str, float]
    validated: bool = False


@dataclass
class Session:
    """What a run works with: everything that a checkpoint restores, and the data."""

    colorizer: Colorizer
    recipe: Recipe
    fabric: Fabric
    settings: TrainingSettings
    network: nn.Module  # as fabric.setup gave it
    average: AveragedModel | None
    checkpoint: Checkpoint
    learn: Photographs
    validate: Photographs

    @property
    def best_guess(self) -> nn.Module:
        """The network that is validated and exported: the averaged one where there is one."""
        return self.average.module if self.average else self.network


def train(
    colorizer: Colorizer,
    file: RecipeFile,
    data: Path,
    folder: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    devices: int = 1,
) -> Iterator[Progress]:
    """Train a colorizer, or go on where an interrupted run stopped; yields after every step.

    Closing the generator between two steps writes a checkpoint, from which the next call goes on exactly.

    Args:
        colorizer: whose recipe and network are trained.
        file: the recipe file.
        data: a folder of colour photographs; tar files in it count as folders.
        folder: where checkpoint, log, curves, samples and weights go.
        device: as in `colorcli.devices.choose`.
        precision: likewise.
        devices: how many of them.

    Raises:
        DataError: the data cannot be learnt from.
        UsageError: the folder holds a run of another recipe.
    """
    run = Run(folder, colorizer, file, data)
    session = _begin(run, colorizer, file, data, device, precision, devices)
    fabric = session.fabric
    schedule = Schedule(
        len(session.learn), file.training, session.checkpoint.step, fabric.global_rank, fabric.world_size
    )
    loader = DataLoader(
        session.learn,
        batch_sampler=schedule,
        num_workers=file.training.workers,
        prefetch_factor=8 if file.training.workers else None,
        pin_memory=fabric.device.type == "cuda",
    )
    saved = time.monotonic()
    try:
        for step, rgb in enumerate(loader, start=session.checkpoint.step):
            losses = _step(session, rgb, step)
            session.checkpoint.step = step + 1
            progress = Progress(step + 1, schedule.steps, step // schedule.steps_per_epoch, losses)
            run.log(progress.step, progress.epoch, losses)
            yield progress
            if (step + 1) % schedule.steps_per_epoch == 0:
                yield _validate(session, run, progress)
            if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                _save(session, run)
                saved = time.monotonic()
    finally:
        _save(session, run)
    run.export("last", session.best_guess)


def _begin(
    run: Run, colorizer: Colorizer, file: RecipeFile, data: Path, device: str, precision: str, devices: int
) -> Session:
    chosen = choose(device, precision)
    fabric = Fabric(accelerator=chosen.device.type, devices=devices, precision=_FABRIC_PRECISION[chosen.dtype])
    fabric.launch()
    torch.manual_seed(file.training.seed)
    learn, validate = split(find_photographs(data))
    recipe = colorizer.recipe(**file.recipe)
    checkpoint = run.load_checkpoint()
    if checkpoint is None:
        surveyed = Photographs(learn[:: max(1, len(learn) // _SURVEYED)])
        hyperparameters = {**file.network, **recipe.survey(_colours(surveyed))}
        checkpoint = Checkpoint(hyperparameters)
    else:
        recipe.load(checkpoint.recipe)
    run.hyperparameters = checkpoint.hyperparameters
    photographs = Photographs(learn, file.training.crop)
    steps = Schedule(len(photographs), file.training).steps
    network = colorizer.build(**checkpoint.hyperparameters).to(memory_format=torch.channels_last)
    session = Session(
        colorizer, recipe, fabric, file.training, network, None, checkpoint, photographs, Photographs(validate)
    )
    _restore(session, steps)
    return session


def _restore(session: Session, steps: int) -> None:
    """Set up network, optimizers and average, and give them the state of the checkpoint, if it has any."""
    checkpoint, network = session.checkpoint, session.network
    if checkpoint.network:
        network.load_state_dict(checkpoint.network)
    session.network = session.recipe.start(network, session.fabric, steps)
    torch.set_rng_state(checkpoint.random)
    if decay := session.settings.average:
        session.average = AveragedModel(network, avg_fn=_Average(decay), use_buffers=True)
        if checkpoint.average:
            session.average.load_state_dict(checkpoint.average)


@dataclass
class _Average:
    """Exponential moving average that forgets the random start quickly."""

    decay: float

    def __call__(self, average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return current
        return average.lerp(current, 1 - min(self.decay, (1 + float(count)) / (10 + float(count))))


def _colours(photographs: Photographs) -> Iterator[Tensor]:
    loader = DataLoader(photographs, batch_sampler=whole_pictures(len(photographs), 64))
    for rgb in loader:
        yield to_lightness_and_ab(rgb)[1]


def _step(session: Session, rgb: Tensor, step: int) -> dict[str, float]:
    session.network.train()
    lightness, ab = to_lightness_and_ab(session.fabric.to_device(rgb))
    if session.settings.contrast:
        lightness = vary_lightness(lightness, session.settings.contrast, session.settings.seed + step)
    losses = session.recipe.step(lightness.contiguous(memory_format=torch.channels_last), ab)
    if session.average:
        session.average.update_parameters(session.network)
    return {name: loss.item() for name, loss in losses.items()}


def _validate(session: Session, run: Run, progress: Progress) -> Progress:
    """Compute the losses on the pictures held out, keep the best weights, and draw curves and samples."""
    network = session.best_guess.eval()
    totals: dict[str, float] = {}
    with torch.inference_mode(), session.fabric.autocast():
        loader = DataLoader(session.validate, batch_sampler=whole_pictures(len(session.validate), 32))
        for rgb in loader:
            lightness, ab = to_lightness_and_ab(session.fabric.to_device(rgb))
            for name, loss in session.recipe.validate(network, lightness, ab).items():
                totals[name] = totals.get(name, 0.0) + loss.item() * len(rgb)
    losses = {f"validation {name}": total / len(session.validate) for name, total in totals.items()}
    first = next(iter(losses.values()))
    if first < session.checkpoint.best:
        session.checkpoint.best = first
        run.export("best", network)
    run.log(progress.step, progress.epoch, losses)
    run.draw_curves()
    run.draw_samples(progress.step, network, *_samples(session))
    return Progress(progress.step, progress.steps, progress.epoch, losses, validated=True)


def _samples(session: Session) -> tuple[Tensor, Tensor]:
    size = session.settings.sizes[-1][1]
    spread = range(0, len(session.validate), max(1, len(session.validate) // 12))
    rgb = torch.stack([session.validate[Crop(index, size, None)] for index in spread])
    return to_lightness_and_ab(session.fabric.to_device(rgb))


def _save(session: Session, run: Run) -> None:
    checkpoint = session.checkpoint
    checkpoint.network = _unwrapped(session.network).state_dict()
    checkpoint.average = session.average.state_dict() if session.average else {}
    checkpoint.recipe = session.recipe.state()
    checkpoint.random = torch.get_rng_state()
    run.save_checkpoint(checkpoint)


def _unwrapped(network: nn.Module) -> nn.Module:
    module = getattr(network, "module", network)
    return module if isinstance(module, nn.Module) else network
