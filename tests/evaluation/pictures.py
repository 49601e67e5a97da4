"""Photographs and a model for the tests of evaluation, small and made in code."""

import numpy as np
import torch
from PIL import Image

import colorcli
from colorcli.weights import Header, write_state

NARROW = {"widths": [4, 4, 8, 8]}


def save_photographs(folder, count, size=(40, 30), seed=0):
    """Write photographs of smooth random colors, and return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(seed)
    names = [f"{index:02d}.png" for index in range(count)]
    for name in names:
        coarse = Image.fromarray(chance.integers(0, 256, (3, 4, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / name)
    return names


def save_gray(path, size=(40, 30)):
    """Write a picture in shades of gray, saved as color."""
    ramp = np.linspace(0, 255, size[0] * size[1]).astype(np.uint8).reshape(size[1], size[0])
    Image.fromarray(ramp).convert("RGB").save(path)


def save_weights(path, seed=0, **changed):
    """Write random weights of a narrow Zhang network; `changed` fills whole tensors with a value."""
    from colorcli.plugin.registry import Registry

    torch.manual_seed(seed)
    state = Registry().get("zhang").build(**NARROW).state_dict()
    state["model_out.weight"] = torch.rand_like(state["model_out.weight"]) - 0.5
    for name, value in changed.items():
        state[name] = torch.full_like(state[name], value)
    write_state(path, state, Header("zhang", "test", NARROW))
    return path


def pipeline(path, **options):
    """Load weights written by `save_weights` as the pipeline that `colorcli run` uses."""
    from colorcli.inference.pipeline import Pipeline

    return Pipeline(colorcli.load("zhang", weights=path, device="cpu", precision="fp32"), options=options)
