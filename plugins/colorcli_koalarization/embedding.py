"""Networks with a changed embedding, to see what the embedding contributes (Georgia Tech paper)."""

import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn

Embedding = Literal["own", "zeroed", "shuffled"]
_SEED = 0  # seed for the order of a shuffled embedding


def with_embedding(network: nn.Module, embedding: Embedding) -> nn.Module:
    """Return a network with the same weights and another embedding; the network itself stays as it is.

    Args:
        network: network of either kind.
        embedding: `zeroed`, or `shuffled`: its dimensions are in a random but fixed order.
    """
    same = copy.copy(network)
    vars(same).pop("forward", None)  # set by another engine, which would not see the change
    parts = dict(network.named_children())
    if "extractor" in parts:
        parts["extractor"] = _Extractor(parts["extractor"], embedding)
    else:
        parts["encoder"] = _Encoder(parts["encoder"], embedding)
    vars(same)["_modules"] = parts
    return same


class _Extractor(nn.Module):
    """An extractor of its own, whose result is the embedding."""

    def __init__(self, extractor: nn.Module, embedding: Embedding) -> None:
        super().__init__()
        self.extractor = extractor
        self.embedding = embedding

    def forward(self, lightness: Tensor) -> Tensor:
        """Compute the changed embedding (B, dimensions) of lightness (B, 1, H, W)."""
        return _changed(self.extractor(lightness), self.embedding)


class _Encoder(nn.Module):
    """An encoder that also computes the embedding, from its deepest features."""

    def __init__(self, encoder: Any, embedding: Embedding) -> None:
        super().__init__()
        self.encoder = encoder
        self.embedding = embedding

    def forward(self, lightness: Tensor) -> Any:
        """Compute the features of lightness (B, 1, H, W), which stay as they are."""
        return self.encoder(lightness)

    def embed(self, pyramid: Any) -> Tensor:
        """Compute the changed embedding (B, dimensions) of the features."""
        return _changed(self.encoder.embed(pyramid), self.embedding)


def _changed(own: Tensor, embedding: Embedding) -> Tensor:
    if embedding == "zeroed":
        return torch.zeros_like(own)
    order = torch.randperm(own.shape[1], generator=torch.Generator().manual_seed(_SEED))
    return own[:, order.to(own.device)]
