"""The training loop: one for every colorizer, readable from top to bottom."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from colorcli.errors import ColorcliError, UsageError
from colorcli.inference.preprocess import to_lightness_and_ab
from colorcli.training.aging import age
from colorcli.training.data import Crop, as_batch, load, vary_lightness, whole_pictures
from colorcli.training.runs import Run
from colorcli.training.session import begin, check_stages, open_fabric, unwrap
from colorcli.training.stopping import is_over, is_rising
from colorcli.weights import open_file
from colorcli.weights.fitting import build

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from lightning_fabric import Fabric
    from torch import Tensor, nn

    from colorcli.colorizer import Colorizer
    from colorcli.training.data import Photographs
    from colorcli.training.recipes import RecipeFile
    from colorcli.training.session import Session, TrainingProgress

_CHECKPOINT_SECONDS = 300
_SAMPLES = 12  # pictures on a sample sheet


def train(
    colorizer: Colorizer,
    file: RecipeFile,
    data: Path,
    folder: Path,
    *,
    start: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[TrainingProgress]:
    """Train a colorizer, or resume an interrupted run.

    Yields once before the first step, after every step, and after every validation. Closing the generator, or
    returning True from `stop`, writes a checkpoint from which the next call resumes exactly.

    Args:
        colorizer: the colorizer that provides the recipe and the network.
        file: the recipe file.
        data: a folder of color photographs; tar files in it are read as folders.
        folder: folder for checkpoint, log, curves, samples and weights; a recipe with stages has a subfolder for each.
        start: a weights file to start from, instead of random weights.
        device: as in `colorcli.inference.device.choose`.
        precision: likewise.
        devices: number of devices on each machine.
        nodes: number of machines.
        stop: called after every step in every process; if it returns True in any of them, all stop.

    Raises:
        DataError: the data cannot be learned from.
        DeviceError: the devices are not available.
        UsageError: the recipe is invalid, or the folder belongs to another run.
        WeightsCorrupt: the checkpoint is damaged.
        ColorcliError: a loss is no longer finite; the last checkpoint is kept.
    """
    fabric = open_fabric(device, precision, devices, nodes)
    if not file.stages:
        yield from _train(Run(folder, colorizer, file, data, start), fabric, stop)
        return
    whole = Run(folder, colorizer, file, data)
    best = {stage.name: folder / stage.name / "best.safetensors" for stage in file.stages}
    runs = [
        Run(folder / stage.name, colorizer, stage.file, data, best.get(stage.start, start)) for stage in file.stages
    ]
    check_stages(whole, runs)
    for stage, run in zip(file.stages, runs, strict=True):
        for progress in _train(run, fabric, stop):
            yield replace(progress, stage=stage.name)
        if not progress.finished:
            return
    if fabric.is_global_zero:
        parts = {stage.part: best[stage.name] for stage in file.stages if stage.part}
        whole.assemble("best", parts or {"": best[file.stages[-1].name]})


def _train(run: Run, fabric: Fabric, stop: Callable[[], bool]) -> Generator[TrainingProgress]:
    session = begin(run, fabric)
    first = session.progress({})
    yield first
    if first.finished:
        return
    with suppress(GeneratorExit):  # raised between two steps; any other exception may be raised during one
        yield from _steps(session, stop)
    _save(session)


def _steps(session: Session, stop: Callable[[], bool]) -> Iterator[TrainingProgress]:
    checkpoint, schedule, fabric = session.checkpoint, session.schedule, session.fabric
    if schedule.ends_an_epoch(checkpoint.step) and checkpoint.validated < checkpoint.step:
        yield _validate(session)
    saved = time.monotonic()
    for rgb, category in load(session.training, schedule, session.workers, pinned=fabric.device.type == "cuda"):
        yield _learn(session, rgb, category)
        if fabric.strategy.reduce_boolean_decision(stop(), all=False):
            return
        if schedule.ends_an_epoch(checkpoint.step):
            yield _validate(session)
            if checkpoint.over:
                return
        if time.monotonic() - saved > _CHECKPOINT_SECONDS:
            _save(session)
            saved = time.monotonic()


def _learn(session: Session, rgb: Tensor, category: Tensor) -> TrainingProgress:
    """Make one step and log its losses."""
    checkpoint, fabric = session.checkpoint, session.fabric
    torch.manual_seed(session.schedule.seed_at(checkpoint.step))
    session.network.train()
    batch = as_batch(fabric.to_device(rgb), fabric.to_device(category), session.gray)
    if contrast := session.run.file.training.contrast:
        batch = replace(batch, lightness=vary_lightness(batch.lightness, contrast))
    if share := session.run.file.training.aging:
        batch = replace(batch, lightness=age(batch.lightness, share))
    losses = session.recipe.step(batch)
    if session.average:
        session.average.update_parameters(unwrap(session.network))
    values = {name: fabric.all_reduce(loss).item() for name, loss in losses.items()}  # type: ignore[union-attr]
    checkpoint.step += 1
    checkpoint.epoch_total += values.get(session.run.file.training.stop_on, next(iter(values.values())))
    if not all(map(math.isfinite, values.values())):
        raise ColorcliError(
            f"The losses of step {checkpoint.step} are not finite: {values}.",
            "The last checkpoint is kept. Try a lower learning_rate or --precision fp32.",
        )
    progress = session.progress(values)
    if fabric.is_global_zero:
        session.run.log(progress.step, progress.epoch, values)
    return progress


def _validate(session: Session) -> TrainingProgress:
    """Validate the network, export the best and the last weights, and draw curves and samples."""
    checkpoint, run = session.checkpoint, session.run
    checkpoint.training.append(checkpoint.epoch_total / session.schedule.steps_per_epoch)
    checkpoint.epoch_total = 0.0
    losses: dict[str, float] = {}
    if session.fabric.is_global_zero:
        network = session.exported.eval()
        losses = {f"validation {name}": loss for name, loss in _evaluate(session, network, session.validation).items()}
        deciding = next(iter(losses.values()))
        checkpoint.validation.append(_watched(session, losses) if run.file.training.stop_on else deciding)
        if deciding < checkpoint.best:
            checkpoint.best = deciding
            run.export("best", network)
        run.export("last", network)
        if run.file.training.keep_epochs:
            run.export(f"epoch-{len(checkpoint.training):04}", network)
        run.log(checkpoint.step, session.progress({}).epoch, losses)
        run.draw_curves()
        if session.recipe.paints:
            run.draw_samples(checkpoint.step, network, *_samples(session))
    checkpoint.over = session.fabric.strategy.reduce_boolean_decision(_is_over(session), all=False)
    checkpoint.validated = checkpoint.step
    progress = session.progress(losses)
    if progress.finished and session.fabric.is_global_zero and len(session.test):
        progress = replace(progress, losses={**losses, **_test(session)})
    return progress


def _watched(session: Session, losses: Mapping[str, float]) -> float:
    """Return the validation loss that early stopping watches.

    Raises:
        UsageError: the recipe does not have the loss.
    """
    name = session.run.file.training.stop_on
    if f"validation {name}" not in losses:
        known = ", ".join(each.removeprefix("validation ") for each in losses)
        raise UsageError(
            f"Recipe {session.run.file.name}: stop_on must be one of {known}, got {name!r}.",
            "Change it in [training].",
        )
    return losses[f"validation {name}"]


def _is_over(session: Session) -> bool:
    settings, checkpoint = session.run.file.training, session.checkpoint
    if not checkpoint.validation:
        return False
    if settings.stop_rising and is_rising(checkpoint.validation, settings.stop_rising):
        return True
    stopping = settings.early_stopping
    return bool(stopping and is_over(checkpoint.training, checkpoint.validation, *stopping))


def _evaluate(session: Session, network: nn.Module, photographs: Photographs) -> dict[str, float]:
    totals: dict[str, Tensor] = {}
    with torch.inference_mode(), session.fabric.autocast():
        size = session.run.file.training.sizes[-1][1]
        for rgb, category in load(photographs, whole_pictures(len(photographs), 32, size), session.workers):
            batch = as_batch(session.fabric.to_device(rgb), session.fabric.to_device(category), session.gray)
            for name, mean in session.recipe.validate(network, batch).items():
                totals[name] = totals.get(name, torch.zeros_like(mean)) + mean * len(rgb)
    return session.recipe.score({name: total / len(photographs) for name, total in totals.items()})


def _test(session: Session) -> dict[str, float]:
    """Evaluate the best weights, once at the end, on photographs that were never used before."""
    run = session.run
    state, _ = open_file(run.folder / "best.safetensors")
    network = build(run.colorizer, run.hyperparameters).to(session.fabric.device)
    network.load_state_dict(state)
    losses = {f"test {name}": loss for name, loss in _evaluate(session, network.eval(), session.test).items()}
    run.log(session.checkpoint.step, session.progress({}).epoch, losses)
    return losses


def _samples(session: Session) -> tuple[Tensor, Tensor]:
    size = session.run.file.training.sizes[-1][1]
    spread = range(0, len(session.validation), max(1, len(session.validation) // _SAMPLES))[:_SAMPLES]
    rgb = torch.stack([session.validation[Crop(index, size, None)][0] for index in spread])
    return to_lightness_and_ab(session.fabric.to_device(rgb))


def _save(session: Session) -> None:
    if not session.fabric.is_global_zero:
        return
    checkpoint = session.checkpoint
    checkpoint.network = unwrap(session.network).state_dict()
    checkpoint.average = session.average.state_dict() if session.average else {}
    checkpoint.recipe = session.recipe.state()
    session.run.save_checkpoint(checkpoint)
