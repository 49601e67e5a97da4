"""Choosing the engine of a model by measuring both, once for each machine, model and precision."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from colorcli.documents import read_json
from colorcli.errors import ColorcliError
from colorcli.files import replacing
from colorcli.inference.device import cpu_capabilities
from colorcli.inference.openvino import is_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from colorcli.inference.model import Model

_ROUNDS = 5
_SIDE = 256  # side of the test picture for networks of any size
_NAMES = {"torch": "torch", "openvino": "OpenVINO"}
_log = logging.getLogger("colorcli")


def load_quickest(load: Callable[[str], Model], seconds: Callable[[Model], float] | None = None) -> Model:
    """Load a model with the engine that is quicker on this machine.

    Both are measured when the model is first used; the times are kept in the user's cache folder.

    Args:
        load: loads the model with an engine, "torch" or "openvino".
        seconds: measures a prediction.

    Returns:
        The model, whose `engine_note` contains the times; on a GPU, or without OpenVINO, the model with torch.
    """
    model = load("torch")
    if model.device.device.type != "cpu" or model.device.dtype == torch.float16 or not is_installed():
        return model
    path = _folder() / f"{_digest(model)}.json"
    models = {"torch": model}
    times = _kept(path)
    if times is None:
        models["openvino"] = load("openvino")
        times = _measured(models, seconds or _seconds)
        _keep(path, times)
    engine = min(times, key=lambda name: times[name])
    chosen = models.get(engine) or load(engine)
    figures = ", ".join(f"{_NAMES[name]} {1000 * value:.1f} ms" for name, value in times.items())
    chosen.engine_note = f"{_NAMES[engine]} runs {chosen.name}, the quicker engine here: {figures} a picture."
    return chosen


def _measured(models: Mapping[str, Model], seconds: Callable[[Model], float]) -> dict[str, float]:
    """Measure in turn, in one thread as the workers have: the median seconds of a picture."""
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        found: dict[str, list[float]] = {name: [] for name in models}
        for number in range(_ROUNDS + 1):  # the first exports and warms up
            for name, model in models.items():
                taken = pool.submit(seconds, model).result()
                if number:
                    found[name].append(taken)
    return {name: statistics.median(each) for name, each in found.items()}


def _seconds(model: Model) -> float:
    side = model.size or _SIDE
    lightness = torch.full((1, 1, side, side), 50.0)
    began = time.perf_counter()
    model.predict(lightness)
    return time.perf_counter() - began


def _digest(model: Model) -> str:
    """Compute a digest of all that the times depend on: the model, its precision, the machine, and the engines."""
    deciding = [
        *(model.origin, model.fingerprint, model.size, str(model.device.dtype)),
        *(platform.node(), platform.machine(), sorted(cpu_capabilities().items()), os.cpu_count()),
        *(version(name) for name in ("colorcli", "torch", "openvino")),
    ]
    return hashlib.sha256(repr(deciding).encode()).hexdigest()[:32]


def _folder() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "colorcli" / "engines"


def _kept(path: Path) -> dict[str, float] | None:
    """Return the times measured before; None if there are none, or the file is damaged."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and set(found) == set(_NAMES)
    return found if whole and all(isinstance(value, float) for value in found.values()) else None


def _keep(path: Path, times: Mapping[str, float]) -> None:
    try:
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(times), encoding="utf-8")
    except ColorcliError:  # such as a full disk: the next run measures again
        _log.debug("%s cannot be written", path, exc_info=True)
