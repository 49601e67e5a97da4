"""The generator against the published layout, written here a second time from its description."""

import pytest
import torch
from torch.nn import functional

from colorcli.errors import UsageError
from colorcli_pix2pix.unet import UnetGenerator
from tests.plugins.colorcli_pix2pix.networks import enliven

# Channels outside and inside of every level of the published network, from the outermost.
LEVELS = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 512), (512, 512), (512, 512), (512, 512)]


def published_layout():
    """Keys and shapes of the authors' UnetGenerator(1, 2, 8, 64) with batch norm."""
    shapes = {
        "model.model.0.weight": (64, 1, 4, 4),
        "model.model.3.weight": (128, 2, 4, 4),
        "model.model.3.bias": (2,),
    }
    place = "model.model.1"
    for outer, inner in LEVELS[1:-1]:
        shapes[f"{place}.model.1.weight"] = (inner, outer, 4, 4)
        shapes |= norm(f"{place}.model.2", inner)
        shapes[f"{place}.model.5.weight"] = (2 * inner, outer, 4, 4)
        shapes |= norm(f"{place}.model.6", outer)
        place += ".model.3"
    shapes[f"{place}.model.1.weight"] = (512, 512, 4, 4)
    shapes[f"{place}.model.3.weight"] = (512, 512, 4, 4)
    return shapes | norm(f"{place}.model.4", 512)


def norm(place, channels):
    names = ("weight", "bias", "running_mean", "running_var")
    return {f"{place}.{name}": (channels,) for name in names} | {f"{place}.num_batches_tracked": ()}


def published_answer(state, gray, levels):
    """Walk down the published keys and up again, layer by layer."""

    def normed(x, place):
        return functional.batch_norm(
            x,
            state[f"{place}.running_mean"],
            state[f"{place}.running_var"],
            state[f"{place}.weight"],
            state[f"{place}.bias"],
        )

    places = ["model.model" + ".1.model" * (depth > 0) + ".3.model" * (depth - 1) for depth in range(levels)]
    down = [functional.conv2d(gray, state["model.model.0.weight"], stride=2, padding=1)]
    for depth, place in enumerate(places[1:], start=1):
        x = functional.conv2d(functional.leaky_relu(down[-1], 0.2), state[f"{place}.1.weight"], stride=2, padding=1)
        down.append(x if depth == levels - 1 else normed(x, f"{place}.2"))
    x = down.pop()
    for depth, place in reversed(list(enumerate(places))):
        number = 5 if 0 < depth < levels - 1 else 3
        x = functional.conv_transpose2d(
            x.relu(), state[f"{place}.{number}.weight"], state.get(f"{place}.{number}.bias"), stride=2, padding=1
        )
        if depth:
            x = torch.cat([functional.leaky_relu(down.pop(), 0.2), normed(x, f"{place}.{number + 1}")], dim=1)
    return x.tanh()


def test_the_keys_and_shapes_are_the_published_ones():
    assert {key: tuple(value.shape) for key, value in UnetGenerator().state_dict().items()} == published_layout()


def test_it_has_as_many_parameters_as_published():
    assert sum(parameter.numel() for parameter in UnetGenerator().parameters()) == 54_409_858


@pytest.mark.parametrize(("width", "levels", "side"), [(64, 8, 256), (3, 5, 64), (4, 6, 64)])
def test_the_published_layers_give_the_same_chroma(width, levels, side):
    network = enliven(UnetGenerator(width, levels))
    gray = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        expected = published_answer(network.state_dict(), gray, levels)
        found = network(gray)
    assert expected.std() > 0.1
    assert (found - expected).abs().max() < 1e-4


def test_untrained_weights_are_as_in_the_paper():
    torch.manual_seed(0)
    state = UnetGenerator(16, 6).state_dict()
    assert state["model.model.3.weight"].std().item() == pytest.approx(0.02, rel=0.1)
    assert state["model.model.1.model.1.weight"].std().item() == pytest.approx(0.02, rel=0.1)
    assert state["model.model.1.model.2.weight"].mean().item() == pytest.approx(1, abs=0.02)
    assert state["model.model.3.bias"].abs().max() == 0


def test_dropout_acts_in_training_alone_and_only_in_the_inner_levels():
    network = UnetGenerator(2, 7)
    dropouts = {name for name, module in network.named_modules() if isinstance(module, torch.nn.Dropout)}
    inner = "model.model.1" + ".model.3" * 3  # below the levels of 2, 4 and 8 times the width
    assert dropouts == {f"{inner}.model.7", f"{inner}.model.3.model.7"}
    gray = torch.rand(2, 1, 128, 128) * 2 - 1
    with torch.no_grad():
        assert not network.train()(gray).equal(network(gray))
        assert network.eval()(gray).equal(network(gray))


def test_a_side_that_cannot_be_halved_that_often_is_reported():
    with pytest.raises(UsageError, match="multiples of 64, got 96x128"):
        UnetGenerator(2, 6)(torch.zeros(1, 1, 128, 96))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"width": 0}, "width must be 1 or more"),
        ({"levels": 4}, "levels 5 or more"),
        ({"space": "rgb"}, "space must be one of"),
    ],
)
def test_an_invalid_argument_is_an_error(arguments, said):
    with pytest.raises(ValueError, match=said):
        UnetGenerator(**arguments)
