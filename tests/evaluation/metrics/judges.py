"""Weights for networks that judge pictures: of the published architectures, random, the same every time."""

import torch
from torchvision.models import alexnet, vgg16

from colorcli.evaluation.metrics.fid import inception
from colorcli.metric import Colors


def save_random(network, path, seed=0):
    """Write random weights of a network under the names that published files have."""
    generator = torch.Generator().manual_seed(seed)
    state = network.state_dict()
    for name, value in state.items():
        if not value.is_floating_point():
            continue
        spread = (2 / value[0].numel()) ** 0.5 if value.ndim > 1 else 0.1
        drawn = torch.randn(value.shape, generator=generator) * spread
        state[name] = drawn.abs() + 0.5 if name.endswith("running_var") else drawn
        if value.ndim == 1 and name.endswith("bn.weight"):
            state[name] = drawn + 1
    torch.save(state, path)
    return path


def save_alexnet(path):
    return save_random(alexnet(), path)


def save_inception(path):
    return save_random(inception(), path)


def save_vgg16(path):
    """As above; its two largest layers, half a gigabyte, are of rank one, so that the file is small."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in vgg16().state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes.items():
        if name in {"classifier.0.weight", "classifier.3.weight"}:
            state[name] = (torch.randn(shape[0], 1, generator=generator) / 100).expand(shape)
        else:
            state[name] = torch.randn(shape, generator=generator) * (2 / shape[1:].numel()) ** 0.5
    torch.save(state, path)
    return path


def picture(seed, side=64):
    """A picture of noise, coarse enough to have colors."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 4, 4, generator=generator)
    rgb = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")[0]
    return Colors(rgb, torch.zeros(2, side, side))
