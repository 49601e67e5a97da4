"""Dropout as the generator's noise, as in Isola et al. 2017, section 3.2: active when pictures are colorized, too."""

import copy

import torch
from torch import Tensor, nn


class SeededDropout(nn.Module):
    """Dropout with a mask that depends only on a seed and the size, so that it is the same for every picture.

    Args:
        p: share of the values that become 0.
        seed: seed of the mask.
    """

    def __init__(self, p: float, seed: int) -> None:
        super().__init__()
        self.p = p
        self.seed = seed

    def forward(self, x: Tensor) -> Tensor:
        """Drop values of (B, C, H, W), and scale the others by 1 / (1 - p)."""
        chance = torch.Generator().manual_seed(self.seed + x.shape[-1])
        kept = torch.rand(x.shape[1:], generator=chance) >= self.p
        return x * (kept / (1 - self.p)).to(x.device, x.dtype)


def with_noise(network: nn.Module, seed: int) -> nn.Module:
    """Return a network with the same weights whose dropout is active; the network itself stays as it is.

    Threads share a network, so nothing in it is changed. A network without dropout has no noise.
    """
    if isinstance(network, nn.Dropout):
        return SeededDropout(network.p, seed)
    same = copy.copy(network)
    vars(same).pop("forward", None)  # set by another engine, which would not see the change
    vars(same)["_modules"] = {name: with_noise(part, seed) for name, part in network.named_children()}
    return same
