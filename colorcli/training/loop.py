"""The training loop: one for every colorizer, readable from top to bottom."""

from __future__ import annotations

import logging
import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from colorcli.errors import ColorcliError, DeviceError, PluginError, UsageError, WeightsCorrupt
from colorcli.inference.device import choose
from colorcli.isolation.guard import guard
from colorcli.media.photographs import Photograph, find_photographs
from colorcli.recipe import Recipe
from colorcli.training.data import (
    Crop,
    Parts,
    Photographs,
    Schedule,
    as_batch,
    categories_of,
    expect_categories,
    fingerprint,
    left_out,
    load,
    only_of,
    report,
    sample,
    split,
    to_lightness_and_ab,
    vary_lightness,
    whole_pictures,
)
from colorcli.training.runs import Checkpoint, Run
from colorcli.training.stopping import is_over
from colorcli.weights import open_file
from colorcli.weights.fitting import adapt, build, mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from colorcli.colorizer import Colorizer
    from colorcli.training.recipes import RecipeFile

_SURVEYED = 4000  # pictures whose colors are counted before a run: 65 million pixels at 128 x 128
_CHECKPOINT_SECONDS = 300
_SAMPLES = 12  # pictures of a sample sheet
_FABRIC_PRECISION: dict[torch.dtype, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    torch.float32: "32-true",
    torch.bfloat16: "bf16-mixed",
    torch.float16: "16-mixed",
}

_log = logging.getLogger("colorcli")


@dataclass(frozen=True)
class Progress:
    """Where a run is: as it begins or goes on, after a step, or after a validation."""

    step: int  # how many are done
    steps: int
    epoch: int
    losses: Mapping[str, float]
    validated: bool = False
    over: bool = False  # early stopping has ended the run
    stage: str = ""  # of a run in stages

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.over or (self.validated and self.step == self.steps)


@dataclass
class Session:
    """What a run works with: everything that a checkpoint restores, and the data."""

    run: Run
    recipe: Recipe
    fabric: Fabric
    network: nn.Module  # as fabric.setup gave it
    average: AveragedModel | None
    checkpoint: Checkpoint
    schedule: Schedule
    learn: Photographs
    validate: Photographs
    test: Photographs
    workers: int

    @property
    def best_guess(self) -> nn.Module:
        """The network that is validated and exported: the averaged one where there is one."""
        return self.average.module if self.average else _unwrapped(self.network)

    def progress(self, losses: Mapping[str, float]) -> Progress:
        """Say where the run is."""
        done = self.checkpoint.step
        epoch = max(0, done - 1) // self.schedule.steps_per_epoch
        validated = 0 < done == self.checkpoint.validated
        return Progress(done, self.schedule.steps, epoch, losses, validated=validated, over=self.checkpoint.over)


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
) -> Generator[Progress]:
    """Train a colorizer, or go on where an interrupted run stopped.

    Yields once before the first step, after every step and after every validation. Closing the generator, or a
    `stop` that says so, writes a checkpoint, from which the next call goes on exactly.

    Args:
        colorizer: whose recipe and network are trained.
        file: the recipe file.
        data: a folder of color photographs; tar files in it count as folders.
        folder: where checkpoint, log, curves, samples and weights go; of a recipe in stages, a folder for each.
        start: a weights file to start from, instead of from chance.
        device: as in `colorcli.inference.device.choose`.
        precision: likewise.
        devices: how many of them on each machine.
        nodes: how many machines.
        stop: asked after every step, in every process; one that wants to stop stops all.

    Raises:
        DataError: the data cannot be learned from.
        DeviceError: there are no such devices.
        UsageError: the recipe cannot be, or the folder holds a run of another one.
        WeightsCorrupt: the checkpoint is damaged.
        ColorcliError: a loss is not finite any more; the last checkpoint stays.
    """
    fabric = _fabric(device, precision, devices, nodes)
    if not file.stages:
        yield from _train(Run(folder, colorizer, file, data, start), fabric, stop)
        return
    whole = Run(folder, colorizer, file, data)
    best = {stage.name: folder / stage.name / "best.safetensors" for stage in file.stages}
    runs = [
        Run(folder / stage.name, colorizer, stage.file, data, best.get(stage.start, start)) for stage in file.stages
    ]
    _check_stages(whole, runs)
    for stage, run in zip(file.stages, runs, strict=True):
        for progress in _train(run, fabric, stop):
            yield replace(progress, stage=stage.name)
        if not progress.finished:
            return
    if fabric.is_global_zero:
        whole.assemble("best", {stage.part: best[stage.name] for stage in file.stages if stage.part})


def _train(run: Run, fabric: Fabric, stop: Callable[[], bool]) -> Generator[Progress]:
    session = _begin(run, find_photographs(run.data), fabric)
    begun = session.progress({})
    yield begun
    if begun.finished:
        return
    with suppress(GeneratorExit):  # comes between two steps; any other exception may come in the middle of one
        yield from _steps(session, stop)
    _save(session)


def _steps(session: Session, stop: Callable[[], bool]) -> Iterator[Progress]:
    checkpoint, schedule, fabric = session.checkpoint, session.schedule, session.fabric
    if schedule.ends_an_epoch(checkpoint.step) and checkpoint.validated < checkpoint.step:
        yield _validate(session)
    saved = time.monotonic()
    for rgb, category in load(session.learn, schedule, session.workers, pinned=fabric.device.type == "cuda"):
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


# Before the first step


def _fabric(device: str, precision: str, devices: int, nodes: int) -> Fabric:
    chosen = choose(device, precision)
    kind, index = chosen.device.type, chosen.device.index
    if index is not None and devices > 1:
        raise UsageError(f"--device {device} is one device, not {devices}.", f"Give --device {kind}.")
    if kind == "cpu" and chosen.dtype == torch.float16:  # Fabric would take bf16 instead
        raise DeviceError("There is no fp16 training on the CPU.", "Choose --precision bf16 or fp32.")
    which = devices if index is None or kind == "cpu" else [index]
    try:
        fabric = Fabric(accelerator=kind, devices=which, num_nodes=nodes, precision=_FABRIC_PRECISION[chosen.dtype])
    except (MisconfigurationException, ValueError) as error:
        raise DeviceError(f"{devices} x {chosen} cannot be had: {error}") from None
    fabric.launch()
    return fabric


def _begin(run: Run, photographs: list[Photograph], fabric: Fabric) -> Session:
    settings = run.file.training
    recipe = _recipe(run)
    workers = _workers(fabric) if settings.workers is None else settings.workers
    checkpoint = run.load_checkpoint()
    fresh = checkpoint is None
    if checkpoint is None:
        checkpoint = Checkpoint({}, left_out=_left_out(photographs, workers))
    categories = [category for category in categories_of(photographs) if category]
    usable = [p for p in photographs if p.name not in set(checkpoint.left_out)]
    parts = split(only_of(usable, settings.only), settings.split)
    _hold_to_its_photographs(run, checkpoint, parts)
    if fresh:
        colors = _colors(Photographs(sample(parts.learn, _SURVEYED)), workers)
        checkpoint.hyperparameters = {**run.file.network, **recipe.survey(colors, categories)}
    else:
        recipe.load(checkpoint.recipe)
    run.hyperparameters = checkpoint.hyperparameters
    schedule = Schedule(len(parts.learn), settings, checkpoint.step, fabric.global_rank, fabric.world_size)
    if min(len(parts.learn), settings.batch_size) % fabric.world_size:
        raise UsageError(
            f"A batch of {min(len(parts.learn), settings.batch_size)} pictures cannot be parted evenly "
            f"among {fabric.world_size} devices."
        )
    network, average = _network(run, recipe, fabric, checkpoint, schedule.steps)
    if fabric.is_global_zero:
        run.begin(checkpoint)
    return Session(
        run,
        recipe,
        fabric,
        network,
        average,
        checkpoint,
        schedule,
        Photographs(parts.learn, categories, settings.crop),
        Photographs(parts.validate, categories),
        Photographs(parts.test, categories),
        workers,
    )


def _check_stages(whole: Run, runs: list[Run]) -> None:
    """Say now, rather than when its turn has come, what a stage has wrong."""
    _build(whole, whole.file.network)
    photographs = find_photographs(whole.data)
    expect_categories(photographs, {run.file.training.only for run in runs} - {""})
    for run in runs:
        _recipe(run)
        _build(run, run.file.network)
        split(only_of(photographs, run.file.training.only), run.file.training.split)


def _recipe(run: Run) -> Recipe:
    """Make the recipe, and say now rather than after days of training what the recipe file has wrong."""
    known = {option.name: option for option in run.colorizer.options}
    for name, value in run.file.options.items():
        if name not in known:
            raise UsageError(f"Recipe {run.file.name}, [options]: {run.colorizer.name} has no option {name}.")
        known[name].check(value)
    try:
        with guard(run.colorizer, "recipe", passing=lambda error: isinstance(error, (TypeError, ValueError))):
            recipe = run.colorizer.recipe(**run.file.recipe)
    except (TypeError, ValueError) as error:
        raise UsageError(f"Recipe {run.file.name}, [recipe]: {error}.") from error
    if not isinstance(recipe, Recipe):
        found = type(recipe).__name__
        raise PluginError(f"The colorizer {run.colorizer.name} must return a Recipe from `recipe`, got {found}.")
    return recipe


def _workers(fabric: Fabric) -> int:
    """Choose how many processes decode pictures: where the CPU trains, it has little time for more than one."""
    processors = os.cpu_count() or 1
    if fabric.device.type == "cpu":
        return max(1, processors // 8)
    return min(16, max(1, processors // fabric.world_size - 1))


def _left_out(photographs: list[Photograph], workers: int) -> list[str]:
    faults = left_out(photographs, workers)
    if faults:
        _log.warning("%s", report(faults, len(photographs)))
    return sorted(faults)


def _hold_to_its_photographs(run: Run, checkpoint: Checkpoint, parts: Parts) -> None:
    found = fingerprint([*parts.learn, *parts.validate, *parts.test])
    if checkpoint.photographs not in {"", found}:
        raise UsageError(
            f"The photographs in {run.data} are not those that the run in {run.folder} began with.",
            "Bring them back to go on with it, or give another folder to begin anew.",
        )
    checkpoint.photographs = found


def _colors(photographs: Photographs, workers: int) -> Iterator[Tensor]:
    for rgb, _ in load(photographs, whole_pictures(len(photographs), 64), workers):
        yield to_lightness_and_ab(rgb)[1]


def _network(
    run: Run, recipe: Recipe, fabric: Fabric, checkpoint: Checkpoint, steps: int
) -> tuple[nn.Module, AveragedModel | None]:
    """Build network and average, and give them and the optimizers the state of the checkpoint, if it has any."""
    torch.manual_seed(run.file.training.seed)
    network = _build(run, checkpoint.hyperparameters).to(memory_format=torch.channels_last)
    if checkpoint.network:
        _give(network, checkpoint.network, f"The checkpoint in {run.folder}")
    elif run.start:
        state, _ = open_file(run.start)
        _give(network, adapt(run.colorizer, state, checkpoint.hyperparameters), str(run.start))
    try:
        wrapped = recipe.start(network, fabric, steps)
    except (TypeError, ValueError, IndexError) as error:  # what optimizers raise over values that cannot be
        settings = ", ".join(f"{name} = {value!r}" for name, value in run.file.recipe.items())
        raise UsageError(f"Recipe {run.file.name}, [recipe]: {error}, with {settings}.") from error
    if not run.file.training.average:
        return wrapped, None
    average = AveragedModel(network, avg_fn=_Average(run.file.training.average), use_buffers=True)
    if checkpoint.average:
        average.load_state_dict(checkpoint.average)
    return wrapped, average


def _build(run: Run, hyperparameters: Mapping[str, Any]) -> nn.Module:
    try:
        return build(run.colorizer, hyperparameters)
    except (TypeError, ValueError) as error:
        raise UsageError(f"Recipe {run.file.name}, [network]: {error}.") from error


def _give(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsCorrupt(f"{source} does not fit the network of the recipe: {mismatch(error)}") from None


@dataclass
class _Average:
    """Exponential moving average that forgets the random start quickly."""

    decay: float

    def __call__(self, average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return current
        return average.lerp(current, 1 - min(self.decay, (1 + float(count)) / (10 + float(count))))


# Step by step


def _learn(session: Session, rgb: Tensor, category: Tensor) -> Progress:
    """Make one step, and log its losses."""
    checkpoint, fabric = session.checkpoint, session.fabric
    torch.manual_seed(session.schedule.seed_at(checkpoint.step))
    session.network.train()
    batch = as_batch(fabric.to_device(rgb), fabric.to_device(category))
    if contrast := session.run.file.training.contrast:
        batch = replace(batch, lightness=vary_lightness(batch.lightness, contrast))
    losses = session.recipe.step(batch)
    if session.average:
        session.average.update_parameters(_unwrapped(session.network))
    values = {name: fabric.all_reduce(loss).item() for name, loss in losses.items()}  # type: ignore[union-attr]
    checkpoint.step += 1
    checkpoint.epoch_total += next(iter(values.values()))
    if not all(map(math.isfinite, values.values())):
        raise ColorcliError(
            f"The losses of step {checkpoint.step} are {values}: the training has come to nothing.",
            "The last checkpoint stays. A lower learning_rate, or --precision fp32, may help.",
        )
    progress = session.progress(values)
    if fabric.is_global_zero:
        session.run.log(progress.step, progress.epoch, values)
    return progress


def _validate(session: Session) -> Progress:
    """Judge the network by the pictures held out, keep the best and the last weights, draw curves and samples."""
    checkpoint, run = session.checkpoint, session.run
    checkpoint.training.append(checkpoint.epoch_total / session.schedule.steps_per_epoch)
    checkpoint.epoch_total = 0.0
    losses: dict[str, float] = {}
    if session.fabric.is_global_zero:
        network = session.best_guess.eval()
        losses = {f"validation {name}": loss for name, loss in _judge(session, network, session.validate).items()}
        checkpoint.validation.append(next(iter(losses.values())))
        if checkpoint.validation[-1] < checkpoint.best:
            checkpoint.best = checkpoint.validation[-1]
            run.export("best", network)
        run.export("last", network)
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


def _is_over(session: Session) -> bool:
    stopping = session.run.file.training.early_stopping
    checkpoint = session.checkpoint
    return bool(stopping and checkpoint.validation and is_over(checkpoint.training, checkpoint.validation, *stopping))


def _judge(session: Session, network: nn.Module, photographs: Photographs) -> dict[str, float]:
    totals: dict[str, Tensor] = {}
    with torch.inference_mode(), session.fabric.autocast():
        size = session.run.file.training.sizes[-1][1]
        for rgb, category in load(photographs, whole_pictures(len(photographs), 32, size), session.workers):
            batch = as_batch(session.fabric.to_device(rgb), session.fabric.to_device(category))
            for name, mean in session.recipe.validate(network, batch).items():
                totals[name] = totals.get(name, torch.zeros_like(mean)) + mean * len(rgb)
    return session.recipe.score({name: total / len(photographs) for name, total in totals.items()})


def _test(session: Session) -> dict[str, float]:
    """Judge the best weights, at the end and once, by the pictures that nothing has looked at before."""
    run = session.run
    state, _ = open_file(run.folder / "best.safetensors")
    network = build(run.colorizer, run.hyperparameters).to(session.fabric.device)
    network.load_state_dict(state)
    losses = {f"test {name}": loss for name, loss in _judge(session, network.eval(), session.test).items()}
    run.log(session.checkpoint.step, session.progress({}).epoch, losses)
    return losses


def _samples(session: Session) -> tuple[Tensor, Tensor]:
    size = session.run.file.training.sizes[-1][1]
    spread = range(0, len(session.validate), max(1, len(session.validate) // _SAMPLES))[:_SAMPLES]
    rgb = torch.stack([session.validate[Crop(index, size, None)][0] for index in spread])
    return to_lightness_and_ab(session.fabric.to_device(rgb))


def _save(session: Session) -> None:
    if not session.fabric.is_global_zero:
        return
    checkpoint = session.checkpoint
    checkpoint.network = _unwrapped(session.network).state_dict()
    checkpoint.average = session.average.state_dict() if session.average else {}
    checkpoint.recipe = session.recipe.state()
    session.run.save_checkpoint(checkpoint)


def _unwrapped(network: nn.Module) -> nn.Module:
    """Give the network itself, without what Fabric and its strategy have put around it."""
    module = getattr(network, "module", network)
    return module if isinstance(module, nn.Module) else network
