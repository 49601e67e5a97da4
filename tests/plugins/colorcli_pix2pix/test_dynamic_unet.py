"""The published generator against fastai's, which is no dependency: its layout, and what it answered, written down."""

import pytest
import torch

from colorcli_pix2pix.dynamic_unet import DynamicUnet
from tests.plugins.colorcli_pix2pix.networks import enliven


def published_layout():
    """Keys and shapes of fastai's DynamicUnet(create_body(resnet18(), n_in=1, cut=-2), 2, (256, 256))."""
    shapes = {"layers.0.0.weight": (64, 1, 7, 7), **norm("layers.0.1", 64)}
    for stage, (before, after) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)], start=4):
        for block in (0, 1):
            place = f"layers.0.{stage}.{block}"
            first = block == 0
            shapes[f"{place}.conv1.weight"] = (after, before if first else after, 3, 3)
            shapes |= norm(f"{place}.bn1", after)
            shapes[f"{place}.conv2.weight"] = (after, after, 3, 3)
            shapes |= norm(f"{place}.bn2", after)
            if first and before != after:
                shapes[f"{place}.downsample.0.weight"] = (after, before, 1, 1)
                shapes |= norm(f"{place}.downsample.1", after)
    shapes |= norm("layers.1", 512) | convolution("layers.3.0.0", 512, 1024) | convolution("layers.3.1.0", 1024, 512)
    for layer, below, across, after in [(4, 512, 256, 512), (5, 512, 128, 384), (6, 384, 64, 256), (7, 256, 64, 96)]:
        shapes |= convolution(f"layers.{layer}.shuf.0.0", below, below * 2, kernel=1) | norm(
            f"layers.{layer}.bn", across
        )
        shapes |= convolution(f"layers.{layer}.conv1.0", below // 2 + across, after)
        shapes |= convolution(f"layers.{layer}.conv2.0", after, after)
    shapes |= convolution("layers.8.0.0", 96, 384, kernel=1)
    shapes |= convolution("layers.11.convpath.0.0", 97, 97) | convolution("layers.11.convpath.1.0", 97, 97)
    return shapes | convolution("layers.12.0", 97, 2, kernel=1)


def norm(place, channels):
    names = ("weight", "bias", "running_mean", "running_var")
    return {f"{place}.{name}": (channels,) for name in names} | {f"{place}.num_batches_tracked": ()}


def convolution(place, before, after, kernel=3):
    return {f"{place}.weight": (after, before, kernel, kernel), f"{place}.bias": (after,)}


def drawn(shape, seed):
    """Numbers in 0..1 that are the same on every machine and in every version of torch."""
    count = torch.Size(shape).numel()
    wave = torch.sin(torch.arange(count, dtype=torch.float64) * 12.9898 + seed * 78.233) * 43758.5453
    return (wave - wave.floor()).float().view(shape)


def with_drawn_weights(network):
    """Fill any network: weights that keep the signal, batch norms as if they had seen data."""
    state = network.state_dict()
    for seed, (key, tensor) in enumerate(state.items()):
        if tensor.ndim == 4:
            state[key] = (drawn(tensor.shape, seed) * 2 - 1) * (4 / tensor[0].numel()) ** 0.5
        elif key.endswith("running_var") or (tensor.ndim == 1 and key.endswith("weight")):
            state[key] = drawn(tensor.shape, seed) + 0.5
        elif tensor.ndim == 1:
            state[key] = (drawn(tensor.shape, seed) - 0.5) / 5
    network.load_state_dict(state)
    return network.eval()


def test_the_keys_and_shapes_are_the_published_ones():
    assert {key: tuple(value.shape) for key, value in DynamicUnet().state_dict().items()} == published_layout()


def test_it_has_as_many_parameters_as_published():
    assert sum(parameter.numel() for parameter in DynamicUnet().parameters()) == 31_099_672


# Measured of fastai 2.8.12 with torch 2.15.0 on a CPU, for the weights and the gray picture of the test below:
# the chroma of every twentieth pixel in both directions, from the row of index 5 and the column of index 7 on.
ANSWERS_OF_FASTAI = {
    (64, 64): [
        *(0.37751, 0.25857, 0.22918, 0.79973, 0.45503, 1.22267, 0.53361, 0.51338, 0.72304),
        *(-0.89978, -0.68248, -0.94261, -0.83279, -0.93936, -1.36039, -0.93478, -1.07873, -1.01481),
    ],
    (50, 75): [
        *(0.28236, 0.59272, 0.44524, 0.4392, 0.41816, 0.85217, 0.88528, 0.60873, 0.40699, 1.14473, 0.7959, 0.20504),
        *(-0.79116, -1.21226, -1.04089, -0.61888, -0.94321, -1.15203),
        *(-1.43193, -0.9492, -1.0492, -1.0895, -1.18261, -0.88207),
    ],
}


@pytest.mark.parametrize("size", ANSWERS_OF_FASTAI)
def test_fastai_gave_the_same_chroma_with_the_same_weights(size):
    network = with_drawn_weights(DynamicUnet())
    with torch.no_grad():
        chroma = network(drawn((1, 1, *size), 0) * 2 - 1)
    assert chroma.shape == (1, 2, *size)
    found = chroma[0, :, 5::20, 7::20].flatten()
    assert (found - torch.tensor(ANSWERS_OF_FASTAI[size])).abs().max() < 1e-4


def test_the_picture_itself_is_the_last_channel_that_the_last_layers_see():
    network = enliven(DynamicUnet(4))
    gray = torch.zeros(1, 1, 64, 64, requires_grad=True)
    network.layers["11"].register_forward_pre_hook(lambda _, given: given[0][:, -1:].sum().backward())
    network(gray)
    assert gray.grad.equal(torch.ones(1, 1, 64, 64))


def test_the_four_pixels_that_one_becomes_begin_alike():
    torch.manual_seed(0)
    network = DynamicUnet(4)
    for layer in ("4", "8"):
        doubling = network.layers[layer].shuf if layer == "4" else network.layers[layer]
        weight = doubling[0][0].weight
        assert weight.std() > 0.01
        for index in (1, 2, 3):
            assert weight[index::4].equal(weight[::4])


def test_an_invalid_width_is_an_error():
    with pytest.raises(ValueError, match="width must be 2 or more"):
        DynamicUnet(1)
