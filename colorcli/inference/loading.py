"""From the name of a model, or of a mixture, to the model."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from colorcli.errors import UsageError
from colorcli.inference.device import Device, choose
from colorcli.inference.mixture import Member, Mixture
from colorcli.inference.model import Model
from colorcli.inference.quickest import load_quickest
from colorcli.isolation.guard import failure
from colorcli.plugin.registry import Registry, split_mixture
from colorcli.plugin.validation import RANDOM
from colorcli.weights import describe, fetch, is_hub_uri, locate, open_file, read_state
from colorcli.weights.fitting import build, build_network, check_fit

if TYPE_CHECKING:
    from colorcli.colorizer import Colorizer


def load(
    name: str,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "torch",
    offline: bool = False,
) -> Model:
    """Load a colorizer by name.

    Args:
        name: `zhang`, or with the tag of its weights `zhang.eccv16`; or a mixture, `zhang+iizuka`, the mean of both,
            or with shares `zhang:0.7+iizuka:0.3`.
        weights: a tag, a file, a file on the Hub, `hf://owner/name/file@revision`, or `random` for an untrained
            network; None for the tag in the name, or else the best available ones.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        precision: `auto`, `fp32`, `bf16`, `fp16`.
        engine: `torch`, `openvino` for CPUs, or `auto` for the quicker one, which is measured once on each machine.
        offline: never use the network.

    Raises:
        ColorizerNotFound: no plugin provides the colorizer.
        WeightsError: the weights are not available, or do not fit.
        DeviceError: the device, precision or engine is not available.
    """
    if engine == "auto":
        plain = partial(load, name, weights=weights, device=device, precision=precision, offline=offline)
        return load_quickest(lambda each: plain(engine=each))
    members = split_mixture(name)
    if len(members) > 1:
        if weights is not None:
            raise UsageError(
                f"weights are for a single model, got the mixture {name}.", "Write zhang.starter+iizuka.starter."
            )
        where = partial(load, device=device, precision=precision, engine=engine, offline=offline)
        return Mixture([Member(where(each), share) for each, share in members])
    colorizer, tag = Registry().resolve(name)
    if tag is not None and weights is not None and tag != weights:
        raise UsageError(f"The model {name} and the weights {weights} contradict each other.", "Use only one of them.")
    chosen = choose(device, precision, engine)
    if is_hub_uri(weights):
        weights = fetch(str(weights), offline=offline)
    if weights is not None and weights not in colorizer.weights and _is_file(weights):
        return _load_file(colorizer, Path(weights), chosen)
    if tag is None and weights is None and not colorizer.weights:
        return _load_untrained(colorizer, chosen)
    if RANDOM in {tag, weights}:
        return _load_untrained(colorizer, chosen, RANDOM)
    located = locate(colorizer, tag or (None if weights is None else str(weights)), offline=offline)
    state = read_state(located.path, located.weights.format)
    network = build_network(colorizer, state, located.weights.network, located.path)
    return Model(
        colorizer,
        network,
        chosen,
        tag=located.tag,
        fingerprint=located.weights.sha256,
        size=located.weights.input_size or colorizer.size,
        defaults=located.weights.options,
        note=located.note,
    )


def _is_file(weights: str | Path) -> bool:
    """Whether weights are a file and not a misspelled tag: tags contain no dots and no slashes."""
    return isinstance(weights, Path) or any(mark in weights for mark in "./\\") or Path(weights).is_file()


def _load_untrained(colorizer: Colorizer, device: Device, tag: str = "") -> Model:
    """Load a colorizer without weights, such as a formula, or with random ones, to try it."""
    from safetensors.torch import save

    first = next(iter(colorizer.weights.values()), None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same picture gets the same colors in every run
        try:
            network = build(colorizer, first.network if first else {})
        except (TypeError, ValueError) as error:
            raise failure(colorizer, "build", error) from error
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    return Model(
        colorizer,
        network,
        device,
        tag=tag,
        fingerprint=hashlib.sha256(save(state)).hexdigest(),
        size=(first and first.input_size) or colorizer.size,
        defaults=first.options if first else {},
        note="The weights are random, for trying out the plugin; the colors are meaningless." if tag else "",
    )


def _load_file(colorizer: Colorizer, path: Path, device: Device) -> Model:
    state, _ = open_file(path)
    header = describe(path, state, colorizer)
    with path.open("rb") as file:
        fingerprint = hashlib.file_digest(file, "sha256").hexdigest()
    check_fit(colorizer, state, header.network, path)
    network = build_network(colorizer, state, header.network, path)
    return Model(
        colorizer,
        network,
        device,
        tag=path.stem,
        fingerprint=fingerprint,
        size=header.input_size or colorizer.size,
        defaults=header.options,
    )
