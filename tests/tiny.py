"""Small networks with random weights, for tests that need a model but no good colors."""

from pathlib import Path

import torch

from colorcli.weights import Header, write_state
from colorcli_zhang.bins import bin_centers
from colorcli_zhang.network import ZhangNetwork

WIDTHS = [4, 4, 8, 8]


def tiny_network(seed: int = 0, **hyperparameters) -> ZhangNetwork:
    """A Zhang network whose answers differ from pixel to pixel and from seed to seed."""
    torch.manual_seed(seed)
    network = ZhangNetwork(WIDTHS, **hyperparameters).eval()
    network.set_centers(bin_centers())
    network.model8[-1].weight.data *= 20  # as sure of its colors as a trained one
    return network


def write_tiny_weights(path: Path, seed: int = 0) -> Path:
    """Write a file for `--weights` that takes kilobytes and milliseconds."""
    state = tiny_network(seed).state_dict()
    write_state(path, state, Header(colorizer="zhang", tag="tiny", network={"widths": WIDTHS}))
    return path
