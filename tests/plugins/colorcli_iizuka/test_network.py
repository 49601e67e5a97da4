"""The network against the published one, written here a second time from its table of layers."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from colorcli.color import rgb_to_lab
from colorcli.errors import UsageError
from colorcli_iizuka.network import IizukaNetwork

# Name in our state dict, channels before and after, kernel, stride: the paper's four tables, fusion as released.
LOW = [
    ("low.0", 1, 64, 3, 2),
    ("low.2", 64, 128, 3, 1),
    ("low.4", 128, 128, 3, 2),
    ("low.6", 128, 256, 3, 1),
    ("low.8", 256, 256, 3, 2),
    ("low.10", 256, 512, 3, 1),
]
GLOBAL = [
    ("global_.0", 512, 512, 3, 2),
    ("global_.2", 512, 512, 3, 1),
    ("global_.4", 512, 512, 3, 2),
    ("global_.6", 512, 512, 3, 1),
]
CONNECTED = [("scene.1", 7 * 7 * 512, 1024), ("scene.3", 1024, 512), ("scene.5", 512, 256)]
MID = [("mid.0", 512, 512, 3, 1), ("mid.2", 512, 256, 3, 1)]
FUSION = [("fusion.0", 512, 256, 3, 1)]
COLOR = [
    ("color.0.0", 256, 128, 3, 1),
    ("upsample",),
    ("color.2.0", 128, 64, 3, 1),
    ("color.2.2", 64, 64, 3, 1),
    ("upsample",),
    ("color.4.0", 64, 32, 3, 1),
]
OUTPUT = ("color.5", 32, 2, 3, 1)
CONVOLUTIONS = [layer for layer in [*LOW, *GLOBAL, *MID, *FUSION, *COLOR, OUTPUT] if layer != ("upsample",)]


def published(state, luma, global_size=224, output=torch.sigmoid):
    """Compute the published ab (B, 2, H / 2, W / 2) of luma (B, 1, H, W) in 0..1, plainly."""

    def run(x, layers):
        for name, *shape in layers:
            if name == "upsample":
                x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            else:
                weight, stride = state[f"{name}.weight"], shape[-1]
                padding = weight.shape[-1] // 2
                x = functional.conv2d(x, weight, state[f"{name}.bias"], stride, padding).clamp(min=0)
        return x

    centered = luma - 0.44505388568813414
    features = run(run(resized(centered, global_size), LOW), GLOBAL).flatten(1)
    for name, *_ in CONNECTED:
        features = (features @ state[f"{name}.weight"].T + state[f"{name}.bias"]).clamp(min=0)
    mid = run(run(centered, LOW), MID)
    at_every_place = features.view(*features.shape, 1, 1).repeat(1, 1, *mid.shape[2:])
    x = run(torch.cat([mid, at_every_place], dim=1), FUSION + COLOR)
    x = functional.conv2d(x, state["color.5.weight"], state["color.5.bias"], padding=1)
    return (2 * output(x) - 1) * 100


def resized(luma, side):
    """Pillow's bilinear filter, which is antialiased, in float."""
    pictures = [
        Image.fromarray(picture[0].numpy()).resize((side, side), Image.Resampling.BILINEAR) for picture in luma
    ]
    return torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))[:, None]


def network(**hyperparameters):
    """Seeded, its biases and batch norms as if they had learned, its colors far apart."""
    torch.manual_seed(0)
    made = IizukaNetwork(**hyperparameters).eval().requires_grad_(requires_grad=False)
    for module in made.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
        if getattr(module, "bias", None) is not None:
            module.bias += torch.randn_like(module.bias) * 0.1
    nn.init.normal_(made.color[-1].weight, std=0.5)
    return made


def tiny(**hyperparameters):
    return network(**{"width": 0.05, "global_size": 32, **hyperparameters})


def luma(batch=1, height=64, width=64):
    noise = torch.rand(batch, 1, height // 8, width // 8, generator=torch.Generator().manual_seed(1))
    return functional.interpolate(noise, (height, width), mode="bicubic").clamp(0, 1)


def kept(module):
    """Remember what goes into a module and what comes out, call by call."""
    calls = []
    module.register_forward_hook(lambda _module, given, out: calls.append((given[0].clone(), out.clone())))
    return calls


# As published


def test_the_layers_are_those_of_the_paper():
    with torch.device("meta"):
        modules = dict(IizukaNetwork().named_modules())
    found = [
        (name, m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for name, m in modules.items()
        if isinstance(m, nn.Conv2d)
    ]
    assert sorted(found) == sorted(CONVOLUTIONS)
    connected = [(name, m.in_features, m.out_features) for name, m in modules.items() if isinstance(m, nn.Linear)]
    assert connected == CONNECTED


@pytest.mark.parametrize(
    ("hyperparameters", "millions"), [({}, 43.2), ({"fusion_kernel": 1}, 42.2), ({"global_size": 112}, 25.9)]
)
def test_it_has_as_many_parameters_as_published(hyperparameters, millions):
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in IizukaNetwork(**hyperparameters).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


def test_the_published_colors_are_reproduced():
    ours = network()
    expected = published(ours.state_dict(), luma())
    assert expected.std() > 5  # they are colors, and not all one
    assert (ours.to_ab(ours(luma())[0]) - expected).abs().max() < 1e-3


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(("output", "activation"), [("sigmoid", torch.sigmoid), ("relu", torch.relu)])
@pytest.mark.parametrize("side", [32, 64])
def test_each_variant_is_the_published_chain_with_that_variant_in_it(kernel, output, activation, side):
    """At 32 pixels the picture is as large as its copy, so that one pass of the low-level features serves both."""
    ours = tiny(fusion_kernel=kernel, output=output)
    pictures = luma(2, side, side)
    expected = published(ours.state_dict(), pictures, global_size=32, output=activation)
    assert expected.std() > 5
    assert (ours.to_ab(ours(pictures)[0]) - expected).abs().max() < 1e-3


def test_batch_norm_folds_into_the_published_layout():
    norm, plain = tiny(norm=True, classes=3), tiny(classes=3)
    folds = {nn.BatchNorm2d: fuse_conv_bn_eval, nn.BatchNorm1d: fuse_linear_bn_eval}
    folded = []
    for module in norm.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            folded.append(module)
        elif fold := folds.get(type(module)):
            folded[-1] = fold(folded[-1], module)
    layers = [module for module in plain.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    for layer, source in zip(layers, folded, strict=True):
        layer.load_state_dict(source.state_dict())
    for one, other in zip(norm(luma()), plain(luma()), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


# Fusion


def test_fusion_is_the_equation_of_the_paper_at_every_place():
    """W [global; mid] is the sum of what its two halves do: y = relu(b + W_global global + W_mid mid(u, v))."""
    ours = tiny(fusion_kernel=1)
    mid, scene, fusion = kept(ours.mid), kept(ours.scene), kept(ours.fusion)
    ours(luma(2, 40, 64))
    (_, mid), (_, scene), (_, fused) = mid[0], scene[0], fusion[0]
    weight, bias = ours.fusion[0].weight[:, :, 0, 0], ours.fusion[0].bias
    of_mid, of_global = weight.split(mid.shape[1], dim=1)
    assert mid.shape[2:] == (5, 8)
    for u, v in np.ndindex(5, 8):
        expected = (bias + scene @ of_global.T + mid[:, :, u, v] @ of_mid.T).clamp(min=0)
        assert torch.allclose(fused[:, :, u, v], expected, atol=1e-5)


def test_what_is_far_away_changes_the_color_here_by_the_global_features_alone():
    """The local branch sees no further than some 70 pixels."""
    here, elsewhere = luma(1, 64, 512), luma(1, 64, 512)
    elsewhere[..., 256:] = 1 - elsewhere[..., 256:]
    ours = tiny()
    mid = kept(ours.mid)
    one, other = ours(here)[0], ours(elsewhere)[0]
    assert torch.equal(mid[0][1][..., :8], mid[1][1][..., :8])
    assert (one - other)[..., :32].abs().max() > 1e-3


# Sizes


@pytest.mark.parametrize(("height", "width"), [(8, 8), (64, 160), (104, 56), (256, 256)])
def test_sides_may_be_any_multiples_of_8_and_come_out_halved(height, width):
    color, scores = tiny(classes=3)(luma(2, height, width))
    assert color.shape == (2, 2, height // 2, width // 2)
    assert scores.shape == (2, 3)


@pytest.mark.parametrize(("height", "width"), [(64, 60), (4, 64)])
def test_other_sides_are_refused(height, width):
    with pytest.raises(UsageError, match=f"multiples of 8, got {width}x{height}"):
        tiny()(torch.zeros(1, 1, height, width))


@pytest.mark.parametrize(("side", "passes"), [(32, 1), (40, 2)])
def test_the_low_level_features_are_computed_once_where_the_copy_is_the_picture(side, passes):
    ours = tiny()
    calls = kept(ours.low)
    ours(luma(1, side, side))
    assert len(calls) == passes


@pytest.mark.parametrize("global_size", [32, 96, 112, 224])
def test_the_global_features_are_of_a_copy_of_that_size(global_size):
    ours = tiny(global_size=global_size)
    calls = kept(ours.global_)
    ours(luma(1, 64, 64))
    assert calls[0][0].shape[2:] == (global_size // 8, global_size // 8)


def test_the_width_scales_all_channels_to_multiples_of_8():
    with torch.device("meta"):
        narrow = IizukaNetwork(width=0.375)
    channels = {m.out_channels for m in narrow.modules() if isinstance(m, nn.Conv2d)} - {2}
    assert channels == {16, 24, 48, 96, 192}
    assert [m.out_features for m in narrow.modules() if isinstance(m, nn.Linear)] == [384, 192, 96]


# What comes out


def test_a_network_without_classes_has_no_classifier():
    assert tiny()(luma())[1] is None
    assert not any(name.startswith("category") for name in tiny().state_dict())


def test_the_classifier_does_not_touch_the_colors():
    ours = tiny(classes=3)
    before = ours(luma())[0]
    for parameter in ours.category.parameters():
        parameter.add_(1)
    assert torch.equal(ours(luma())[0], before)


def test_the_middle_of_the_scale_is_gray_and_its_ends_are_100():
    scale = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).expand(1, 2, 1, 3)
    assert tiny().to_ab(scale)[0, :, 0].tolist() == [[-100, 0, 100]] * 2


def test_red_green_and_blue_become_the_ab_of_their_color():
    rgb = torch.tensor([[1.0, 0.5, 0.5], [0.0, 0.5, 0.5], [0.0, 0.5, 2.0]])  # red, gray, and more blue than there is
    ours = tiny(space="rgb")
    assert ours(luma())[0].shape[1] == 3
    expected = rgb_to_lab(rgb.clamp(max=1)[:, None])[1:, 0].tolist()
    assert ours.to_ab(rgb[None, :, None])[0, :, 0].tolist() == expected
    assert expected[0][0] == pytest.approx(80.1, abs=0.1)  # the textbook's a of red
    assert expected[0][1] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("output", ["sigmoid", "relu"])
@pytest.mark.parametrize("norm", [False, True])
def test_an_untrained_network_is_nearly_gray(output, norm):
    """So that neither the sigmoid begins saturated nor the ReLU dead."""
    torch.manual_seed(0)
    fresh = IizukaNetwork(width=0.25, global_size=32, output=output, norm=norm).eval()
    with torch.no_grad():
        ab = fresh.to_ab(fresh(luma())[0])
    assert 0 < ab.abs().max() < 40


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"output": "tanh"}, "output must be sigmoid or relu.* got 'tanh'"),
        ({"space": "yuv"}, "space lab or rgb.* 'yuv'"),
        ({"fusion_kernel": 5}, "fusion_kernel 1 or 3.* 5"),
        ({"width": 0}, "width must be above 0"),
        ({"global_size": 0}, "global_size 8 or more"),
        ({"classes": -1}, "classes 0 or more"),
    ],
)
def test_an_invalid_hyperparameter_is_an_error(wrong, said):
    with pytest.raises(ValueError, match=said):
        IizukaNetwork(**wrong)


def test_the_baseline_with_a_single_stream_is_the_chain_without_global_features():
    """Of Iizuka 2016, section 5, named by the Utrecht paper, section III B."""
    torch.manual_seed(0)
    network = IizukaNetwork(width=0.125, single_stream=True).eval()
    assert {name.partition(".")[0] for name in network.state_dict()} == {"low", "mid", "color"}
    luma = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        color, scores = network(luma)
        expected = network.color(network.mid(network.low(luma - 0.44505388568813414))).sigmoid()
    assert scores is None
    assert torch.allclose(color, expected)
    with pytest.raises(ValueError, match="a single stream has no classifier, got classes = 6"):
        IizukaNetwork(width=0.125, single_stream=True, classes=6)
