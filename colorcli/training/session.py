"""The start of a training run: devices, data, recipe and network, fresh or restored from a checkpoint."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from colorcli.errors import DeviceError, PluginError, UsageError, WeightsCorrupt, did_you_mean
from colorcli.inference.device import choose
from colorcli.inference.preprocess import to_lightness_and_ab
from colorcli.isolation.guard import guard
from colorcli.media.photographs import Photograph, find_photographs
from colorcli.plugin.registry import Registry
from colorcli.recipe import Recipe
from colorcli.training.data import SURVEYED_SIZE, BatchSchedule, Photographs, load, whole_pictures
from colorcli.training.guarded import GuardedRecipe
from colorcli.training.runs import Checkpoint, Run
from colorcli.training.selection import (
    Split,
    candidates_of,
    categories_of,
    chosen_by,
    describe_unusable,
    expect_categories,
    find_unusable,
    fingerprint,
    sample,
    split,
)
from colorcli.weights import open_file
from colorcli.weights.fitting import adapt, build, mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lightning_fabric import Fabric

    from colorcli.gray import Gray
    from colorcli.training.recipes import TrainingSettings

_FABRIC_PRECISION: dict[torch.dtype, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    torch.float32: "32-true",
    torch.bfloat16: "bf16-mixed",
    torch.float16: "16-mixed",
}

_log = logging.getLogger("colorcli")


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a run: when it starts or resumes, after each step, and after each validation.

    Attributes:
        step: number of steps done.
        steps: number of steps in the run.
        epoch: epoch of the last step, from 0.
        losses: losses of the last step, or of the validation.
        validated: whether this follows a validation.
        over: whether early stopping has ended the run.
        stage: name of the stage; empty for a run without stages.
    """

    step: int
    steps: int
    epoch: int
    losses: Mapping[str, float]
    validated: bool = False
    over: bool = False
    stage: str = ""

    @property
    def finished(self) -> bool:
        """Whether the run is complete."""
        return self.over or (self.validated and self.step == self.steps)


@dataclass
class Session:
    """The state of a run in memory: what a checkpoint restores, and the data.

    Attributes:
        run: the run on disk.
        recipe: the recipe that makes the steps.
        fabric: manages device, precision and processes.
        network: as returned by `fabric.setup`.
        average: the averaged network, if there is one.
        checkpoint: the current state.
        schedule: the remaining batches.
        training: photographs to learn from.
        validation: photographs to validate on.
        test: photographs for the test at the end.
        workers: processes that decode photographs.
        gray: how the network's gray pictures are made; None for the photographs' own lightness.
    """

    run: Run
    recipe: GuardedRecipe
    fabric: Fabric
    network: nn.Module
    average: AveragedModel | None
    checkpoint: Checkpoint
    schedule: BatchSchedule
    training: Photographs
    validation: Photographs
    test: Photographs
    workers: int
    gray: Gray | None = None

    @property
    def exported(self) -> nn.Module:
        """The network that is validated and exported: the averaged one, if there is one."""
        return self.average.module if self.average else unwrap(self.network)

    def progress(self, losses: Mapping[str, float]) -> TrainingProgress:
        """Describe the progress of the run."""
        done = self.checkpoint.step
        epoch = max(0, done - 1) // self.schedule.steps_per_epoch
        validated = 0 < done == self.checkpoint.validated
        return TrainingProgress(
            done, self.schedule.steps, epoch, losses, validated=validated, over=self.checkpoint.over
        )


def is_main_process() -> bool:
    """Return whether this is the first of a run's processes, the one that writes files and messages."""
    from lightning_fabric.utilities.rank_zero import rank_zero_only

    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]


def open_fabric(device: str, precision: str, devices: int, nodes: int) -> Fabric:
    """Start the processes of a run on its devices.

    Args:
        device: as in `colorcli.inference.device.choose`.
        precision: likewise.
        devices: number of devices on each machine.
        nodes: number of machines.

    Raises:
        DeviceError: the devices are not available, or do not support the precision.
        UsageError: `device` is a single device, and several were requested.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    chosen = choose(device, precision)
    kind, index = chosen.device.type, chosen.device.index
    if index is not None and devices > 1:
        raise UsageError(f"--device {device} is a single device, got --devices {devices}.", f"Use --device {kind}.")
    if kind == "cpu" and chosen.dtype == torch.float16:  # Fabric would silently use bf16
        raise DeviceError("Training in fp16 is not supported on the CPU.", "Choose --precision bf16 or fp32.")
    which = devices if index is None or kind == "cpu" else [index]
    try:
        fabric = Fabric(accelerator=kind, devices=which, num_nodes=nodes, precision=_FABRIC_PRECISION[chosen.dtype])
    except (MisconfigurationException, ValueError) as error:
        raise DeviceError(f"{devices} x {chosen} is not available: {error}") from None
    fabric.launch()
    return fabric


def begin(run: Run, fabric: Fabric) -> Session:
    """Start a run, or resume it from its checkpoint.

    Raises:
        DataError: the data cannot be learned from.
        UsageError: the recipe is invalid, or does not fit the devices or the run in the folder.
        WeightsCorrupt: the checkpoint is damaged.
    """
    photographs = find_photographs(run.data)
    settings = run.file.training
    candidates = candidates_of(settings, photographs)
    recipe = _recipe(run)
    gray = _gray(settings)
    workers = _workers(fabric) if settings.workers is None else settings.workers
    checkpoint = run.load_checkpoint()
    fresh = checkpoint is None
    if checkpoint is None:
        checkpoint = Checkpoint({}, unusable=_unusable(candidates, workers, settings))
    categories = [category for category in categories_of(photographs) if category]
    unusable = set(checkpoint.unusable)
    usable = [photograph for photograph in candidates if photograph.name not in unusable]
    parts = split(chosen_by(settings, usable), settings.split)
    _check_photographs(run, checkpoint, parts)
    if fresh:
        colors = _colors(parts.training, settings, workers)
        checkpoint.hyperparameters = {**run.file.network, **recipe.survey(colors, categories)}
    else:
        recipe.load(checkpoint.recipe)
    run.hyperparameters = checkpoint.hyperparameters
    schedule = BatchSchedule(len(parts.training), settings, checkpoint.step, fabric.global_rank, fabric.world_size)
    if min(len(parts.training), settings.batch_size) % fabric.world_size:
        raise UsageError(
            f"A batch must divide evenly among {fabric.world_size} devices, "
            f"got {min(len(parts.training), settings.batch_size)} photographs.",
            "Change batch_size in the recipe, or --devices.",
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
        Photographs(parts.training, categories, settings.crop, flip=settings.flip),
        Photographs(parts.validation, categories),
        Photographs(parts.test, categories),
        workers,
        gray,
    )


def check_stages(whole: Run, runs: list[Run]) -> None:
    """Check all stages before the first one starts.

    Raises:
        DataError: a stage cannot learn from the data.
        UsageError: the settings of a stage are invalid.
    """
    _build(whole, whole.file.network)
    photographs = find_photographs(whole.data)
    expect_categories(photographs, {run.file.training.only for run in runs} - {""})
    for run in runs:
        _recipe(run)
        _build(run, run.file.network)
        settings = run.file.training
        split(chosen_by(settings, candidates_of(settings, photographs)), settings.split)


def _recipe(run: Run) -> GuardedRecipe:
    """Make the recipe, and check the options in the recipe file before days of training."""
    known = {option.name: option for option in run.colorizer.options}
    for name, value in run.file.options.items():
        if name not in known:
            raise UsageError(f"Recipe {run.file.name}, [options]: {run.colorizer.name} has no option {name!r}.")
        known[name].check(value)
    try:
        with guard(run.colorizer, "recipe", passing=lambda error: isinstance(error, (TypeError, ValueError))):
            recipe = run.colorizer.recipe(**run.file.recipe)
    except (TypeError, ValueError) as error:
        raise UsageError(f"Recipe {run.file.name}, [recipe]: {error}.") from error
    if not isinstance(recipe, Recipe):
        found = type(recipe).__name__
        raise PluginError(f"The colorizer {run.colorizer.name} must return a Recipe from `recipe`, got {found}.")
    return GuardedRecipe(recipe, run.colorizer)


def _gray(settings: TrainingSettings) -> Gray | None:
    """Find the way of making gray that a recipe names.

    Raises:
        UsageError: no plugin has it.
    """
    if not settings.gray:
        return None
    known = Registry().grays()
    if settings.gray not in known:
        raise UsageError(f"Way of making gray not found: {settings.gray}.", did_you_mean(settings.gray, known))
    return known[settings.gray]


def _workers(fabric: Fabric) -> int:
    """Choose the number of processes that decode photographs: few if the CPU also trains."""
    processors = os.cpu_count() or 1
    if fabric.device.type == "cpu":
        return max(1, processors // 8)
    return min(16, max(1, processors // fabric.world_size - 1))


def _unusable(photographs: list[Photograph], workers: int, settings: TrainingSettings) -> list[str]:
    faults = find_unusable(photographs, workers, keep_gray=settings.keep_gray)
    if faults:
        _log.warning("%s", describe_unusable(faults, len(photographs)))
    return sorted(faults)


def _check_photographs(run: Run, checkpoint: Checkpoint, parts: Split) -> None:
    found = fingerprint([*parts.training, *parts.validation, *parts.test])
    if checkpoint.photographs not in {"", found}:
        raise UsageError(
            f"The photographs in {run.data} have changed since the run in {run.folder} started.",
            "Restore them to resume the run, or choose another folder to start a new one.",
        )
    checkpoint.photographs = found


def _colors(photographs: list[Photograph], settings: TrainingSettings, workers: int) -> Iterator[Tensor]:
    """Yield the ab (B, 2, h, w) of the photographs whose colors are counted before the run."""
    surveyed = Photographs(sample(photographs, settings.survey) if settings.survey else photographs)
    size = SURVEYED_SIZE if settings.survey else settings.sizes[-1][1]
    for rgb, _ in load(surveyed, whole_pictures(len(surveyed), 64, size), workers):
        yield to_lightness_and_ab(rgb)[1]


def _network(
    run: Run, recipe: GuardedRecipe, fabric: Fabric, checkpoint: Checkpoint, steps: int
) -> tuple[nn.Module, AveragedModel | None]:
    """Build the network, its average and the optimizers, with the state of the checkpoint if there is one."""
    torch.manual_seed(run.file.training.seed)
    network = _build(run, checkpoint.hyperparameters).to(memory_format=torch.channels_last)
    if checkpoint.network:
        _load_weights(network, checkpoint.network, f"The checkpoint in {run.folder}")
    elif run.start:
        state, _ = open_file(run.start)
        _load_weights(network, adapt(run.colorizer, state, checkpoint.hyperparameters), str(run.start))
    try:
        wrapped = recipe.start(network, fabric, steps)
    except (TypeError, ValueError, IndexError) as error:  # raised by optimizers for invalid settings
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


def _load_weights(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsCorrupt(f"{source} does not fit the network of the recipe: {mismatch(error)}") from None


@dataclass
class _Average:
    """Exponential moving average that quickly forgets the initial weights."""

    decay: float

    def __call__(self, average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return current
        return average.lerp(current, 1 - min(self.decay, (1 + float(count)) / (10 + float(count))))


def unwrap(network: nn.Module) -> nn.Module:
    """Return the network without the wrappers of Fabric and its strategy."""
    module = getattr(network, "module", network)
    return module if isinstance(module, nn.Module) else network
