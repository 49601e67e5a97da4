import subprocess
import sys

import pytest
import torch
from torch import nn

from colorcli.color import gray_to_lightness
from colorcli.errors import UsageError
from colorcli_koalarization.extractors import Extractor
from colorcli_koalarization.network import KoalarizationNetwork
from colorcli_pix2pix.resnet import ResNet34

ROUTED = {"width": 0.05, "extractor": "resnet34-grey", "extractor_width": 2, "extractor_size": 32}


def gray_pictures(side, batch=1):
    return torch.rand(batch, 1, side, side, generator=torch.Generator().manual_seed(1))


def settle(network):
    """Weights of a scale that keeps the signal alive, batch norms as if they had seen data."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
    return network.eval().requires_grad_(requires_grad=False)


def assert_same(logits, expected):
    assert expected.std() > 0.01
    assert (logits - expected).abs().max() < 1e-3 * expected.abs().max()


# What they see


def test_inception_v3_gives_the_logits_of_torchvision_for_the_gray_picture():
    from torchvision.models import inception_v3

    published = settle(inception_v3(weights=None, transform_input=True, init_weights=False))
    extractor = Extractor("inception-v3")
    state = {name: value for name, value in published.state_dict().items() if not name.startswith("AuxLogits.")}
    extractor.model.load_state_dict(state)
    assert_same(extractor(gray_to_lightness(gray_pictures(299))), published(as_imagenet(gray_pictures(299))))


def test_convnext_gives_the_logits_of_torchvision_for_the_gray_picture():
    from torchvision.models import convnext_tiny

    published = settle(convnext_tiny(weights=None))
    extractor = Extractor("convnext-tiny")
    extractor.model.load_state_dict(published.state_dict())
    gray = gray_pictures(224, batch=2)
    assert_same(extractor(gray_to_lightness(gray)), published(as_imagenet(gray)))


def as_imagenet(gray):
    """Scale gray (B, 1, H, W) in 0..1 as the red, green and blue that torchvision's networks have learned from."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (gray - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)


def test_inception_resnet_v2_gives_the_logits_of_timm_for_the_gray_picture():
    timm = pytest.importorskip("timm")
    published = settle(timm.create_model("inception_resnet_v2", pretrained=False))
    extractor = Extractor("inception-resnet-v2")
    extractor.model.load_state_dict(published.state_dict())
    logits = published(2 * gray_pictures(299).expand(-1, 3, -1, -1) - 1)
    assert_same(extractor(gray_to_lightness(gray_pictures(299))), logits)


def test_without_timm_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match="needs timm") as caught:
        Extractor("inception-resnet-v2")
    assert 'pip install "colorcli[timm]"' in caught.value.hint


def test_the_features_of_the_router_are_the_embedding():
    extractor = Extractor("resnet34-grey", width=4, size=64)
    router = settle(ResNet34(width=4, classes=6, size=64))
    extractor.model.load_state_dict(router.state_dict())
    lightness = gray_to_lightness(gray_pictures(96, batch=2))
    embedding = extractor(lightness)
    assert embedding.shape == (2, extractor.dimensions) == (2, 32)
    assert_same(embedding, router.features(lightness))


@pytest.mark.parametrize("name", ["convnext-tiny", "resnet34-grey"])
def test_a_picture_of_another_size_is_brought_to_the_extractors_own(name):
    """Of plain gray, every size is the same picture."""
    extractor = settle(Extractor(name, width=2, size=32))
    small, large = (torch.full((1, 1, side, side), 40.0) for side in (32, 256))
    assert_same(extractor(large), extractor(small))


def test_without_an_extractor_the_embedding_is_empty():
    assert Extractor("none")(torch.zeros(3, 1, 8, 8)).shape == (3, 0)


def test_torchvision_is_imported_only_for_its_own_networks():
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from colorcli_koalarization.extractors import Extractor\n"
        "Extractor('none'), Extractor('resnet34-grey', width=2)\n"
        "sys.exit('torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# The selection of dimensions


def test_a_selection_is_random_but_the_same_in_every_network():
    one, other = (Extractor("resnet34-grey", width=8, dimensions=16).selection for _ in range(2))
    assert one.equal(other)
    assert len(set(one.tolist())) == 16
    assert one.min() >= 0
    assert one.max() < 64
    assert one.tolist() != list(range(16))


def test_the_selected_dimensions_are_those_of_the_whole_embedding():
    whole, part = Extractor("resnet34-grey", width=2), Extractor("resnet34-grey", width=2, dimensions=5)
    part.model.load_state_dict(settle(whole).model.state_dict())
    lightness = gray_to_lightness(gray_pictures(112))
    assert part(lightness).equal(whole(lightness)[:, part.selection])


def test_a_selection_is_saved_with_the_weights():
    torch.manual_seed(0)
    network = KoalarizationNetwork(**ROUTED, dimensions=5).eval()
    network.extractor.selection.copy_(torch.tensor([0, 3, 4, 9, 15]))  # as if another torch had drawn it
    again = KoalarizationNetwork(**ROUTED, dimensions=5).eval()
    again.load_state_dict(network.state_dict(), strict=True)
    assert again.extractor.selection.tolist() == [0, 3, 4, 9, 15]
    lightness = gray_to_lightness(gray_pictures(32))
    assert again(lightness).equal(network(lightness))


# Frozen


def test_an_extractor_stays_in_eval_mode_and_has_no_gradients():
    network = KoalarizationNetwork(**ROUTED).train()
    assert network.encoder.training
    assert not any(module.training for module in network.extractor.modules())
    network(gray_to_lightness(gray_pictures(32, batch=2))).sum().backward()
    assert all(parameter.grad is None for parameter in network.extractor.parameters())
    learned = [name for name, parameter in network.named_parameters() if parameter.grad is not None]
    assert {name.split(".")[0] for name in learned} == {"encoder", "fusion", "decoder"}


def test_only_a_state_dict_gives_it_its_weights():
    network = KoalarizationNetwork(**ROUTED)
    assert not network.extractor.given
    network.load_state_dict(KoalarizationNetwork(**ROUTED).state_dict())
    assert network.extractor.given


@pytest.mark.parametrize("name", ["efficientnet-lite0", "resnet34-grey"])
def test_lightness_in_bf16_is_scaled_too(name):
    """In training with mixed precision, that is what an extractor gets."""
    extractor = settle(Extractor(name, width=2, size=32))
    lightness = torch.full((1, 1, 64, 64), 40.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert extractor(lightness.bfloat16()).equal(extractor(lightness))
