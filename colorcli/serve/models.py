"""The models that the server has in memory, and those that it could load."""

from __future__ import annotations

import gc
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colorcli.colorizer import declares
from colorcli.weights import is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from colorcli.colorizer import Colorizer, Option
    from colorcli.inference.model import Model

_log = logging.getLogger("colorcli")
_MAX_LOADED = 2  # besides the default model
_IDLE_SECONDS = 300.0  # seconds that a model stays in memory after its last use


@dataclass
class _LoadedModel:
    """A model in memory, and when it was last requested."""

    model: Model
    used: float


class ModelCache:
    """Models by name: the default one stays in memory, others are loaded on demand and unloaded after a while.

    Not safe to use from several threads at once; requests take turns.

    Args:
        default: the model that is used where none is named.
        load: loads another by its name, as `colorcli.inference.loading.load`.
        clock: seconds, for tests.
    """

    def __init__(
        self, default: Model, load: Callable[[str], Model], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.default = default
        self._load = load
        self._clock = clock
        self._loaded: dict[str, _LoadedModel] = {}

    def get(self, name: str) -> Model:
        """Return a model, loading it if necessary.

        Args:
            name: COLORIZER or COLORIZER.TAG; empty for the default.

        Raises:
            ColorizerNotFound: no plugin provides it.
            WeightsError: the weights are not available, or do not fit.
        """
        self.release_idle()
        if name in {"", self.default.name}:
            return self.default
        loaded = self._loaded.get(name)
        if loaded is None:
            while len(self._loaded) >= _MAX_LOADED:
                self._release(min(self._loaded, key=lambda each: self._loaded[each].used))
            loaded = self._loaded[name] = _LoadedModel(self._load(name), 0.0)
        loaded.used = self._clock()
        return loaded.model

    def release_idle(self) -> None:
        """Drop the models that have not been used for a while."""
        now = self._clock()
        for name in [name for name, loaded in self._loaded.items() if now - loaded.used > _IDLE_SECONDS]:
            self._release(name)

    def _release(self, name: str) -> None:
        import torch

        _log.info("unloading %s", name)
        del self._loaded[name]
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def describe_models(colorizers: Iterable[Colorizer], default: Model) -> list[dict[str, Any]]:
    """Describe the models that can be requested, the default one first.

    Returns:
        For each its `name`, `summary`, `license`, `bytes` of weights, the `page` where people download those that
        colorcli cannot, whether they are `here`, whether it is the `default`, its `options`, and whether it `samples`
        several colorings.
    """
    found = [_description(default.colorizer, default.tag, default)]
    for colorizer in colorizers:
        found += [_description(colorizer, tag) for tag in colorizer.weights or ("",)]
    first: dict[str, dict[str, Any]] = {}
    for each in found:
        first.setdefault(each["name"], each)
    return list(first.values())


def _description(colorizer: Colorizer, tag: str, loaded: Model | None = None) -> dict[str, Any]:
    weights = colorizer.weights.get(tag)
    defaults = loaded.options({}) if loaded else {**(weights.options if weights else {})}
    return {
        "name": f"{colorizer.name}.{tag}" if tag else colorizer.name,
        "summary": colorizer.summary,
        "license": weights.license if weights else "",
        "bytes": weights.size if weights else 0,
        "page": weights.page if weights else "",
        "here": loaded is not None or weights is None or is_local(weights),
        "default": loaded is not None,
        "samples": declares(colorizer, "sample"),
        "options": [_option(option, defaults.get(option.name, option.default)) for option in colorizer.options],
    }


def _option(option: Option, default: object) -> dict[str, Any]:
    kinds = {bool: "switch", int: "integer", float: "number", str: "text"}
    return {
        "name": option.name,
        "help": option.help,
        "kind": "choice" if option.choices else kinds[type(option.default)],
        "default": default,
        "minimum": option.minimum,
        "maximum": option.maximum,
        "choices": list(option.choices),
    }
