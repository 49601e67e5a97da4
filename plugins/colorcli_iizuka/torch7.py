"""The layout of Iizuka's published Torch7 file: a graph of modules, without the names of layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from colorcli_iizuka.network import IizukaNetwork

_NODE = ".forwardnodes."
_GLOBAL = ["global_.0", "global_.2", "global_.4", "global_.6", "scene.1", "scene.3"]
# The layers of each node of the graph. The last layer of the global features may be with the others, or with the
# module that spreads them over the picture.
_NODES: Sequence[Sequence[str]] = (
    ["low.0", "low.2", "low.4", "low.6", "low.8", "low.10"],
    _GLOBAL,
    [*_GLOBAL, "scene.5"],
    ["scene.5"],
    ["mid.0", "mid.2"],
    ["fusion.0", "color.0.0", "color.2.0", "color.2.2", "color.4.0", "color.5"],
)


def is_published(state: Mapping[str, Tensor]) -> bool:
    """Return whether tensors have the places of the published file."""
    return any(_NODE in key for key in state)


def hyperparameters(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Infer the hyperparameters of the network from the shapes of a published file; None if it has no such layers."""
    nodes = [[weight for weight, _ in layers] for layers in _layers(state).values()]
    low = next((weights for weights in nodes if weights[0].numel() == 9 * len(weights[0])), None)  # from one channel
    global_ = next((weights for weights in nodes if _are_equally_large(weights[:4])), None)
    if low is None or global_ is None or len(global_) < 5:
        return None
    width = len(low[0]) / 64
    side = round((global_[4][0].numel() / len(global_[3])) ** 0.5)  # size of what the first fully connected layer sees
    return {
        "width": width,
        "global_size": 32 * side,
        "output": "sigmoid",
        "fusion_kernel": 3,
        "space": "lab",
        "norm": False,
        "classes": 0,
    }


def converted(state: Mapping[str, Tensor], network: Mapping[str, Any]) -> dict[str, Tensor]:
    """Rename the tensors of a published file to their names in `IizukaNetwork`.

    Args:
        state: tensors by their place in the file, as `colorcli weights import` reads them.
        network: hyperparameters.

    Raises:
        ValueError: the file lacks layers of the network.
    """
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in IizukaNetwork(**network).state_dict().items()}
    found: dict[str, Tensor] = {}
    for layers in _layers(state).values():
        for names in _NODES:
            wanted = [shapes[f"{name}.weight"].numel() for name in names]
            if [weight.numel() for weight, _ in layers] == wanted:
                for name, (weight, bias) in zip(names, layers, strict=True):
                    found[f"{name}.weight"] = weight.reshape(shapes[f"{name}.weight"])
                    found[f"{name}.bias"] = bias
    if missing := sorted(shapes.keys() - found.keys()):
        raise ValueError(f"the Torch7 file has no layer for {missing[0]}")
    return found


def _are_equally_large(weights: Sequence[Tensor]) -> bool:
    return len(weights) == 4 and len({weight.numel() for weight in weights}) == 1


def _layers(state: Mapping[str, Tensor]) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """List weight and bias of the layers in each node of the graph; what two modules share counts once."""
    nodes: dict[str, list[tuple[Tensor, Tensor]]] = {}
    seen: set[int] = set()
    for key, weight in state.items():
        before, node, after = key.partition(_NODE)
        bias = state.get(f"{key.removesuffix('.weight')}.bias")
        if not node or not key.endswith(".weight") or bias is None or weight.data_ptr() in seen:
            continue
        seen.add(weight.data_ptr())
        nodes.setdefault(f"{before}.{after.partition('.')[0]}", []).append((weight, bias))
    return nodes
