"""The network against the published one, written here a second time from its description."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import colorcli
from colorcli.errors import WeightsCorrupt
from colorcli.weights import Header, write_state
from colorcli_zhang.bins import bin_centers
from colorcli_zhang.network import ZhangNetwork
from tests.tiny import WIDTHS, tiny_network


class Published(nn.Module):
    """As published: the annealing folded into the last layer, the mean as a 1x1 convolution."""

    def __init__(self):
        super().__init__()
        self.model1 = self.block((1, 64), (64, 64, 2))
        self.model2 = self.block((64, 128), (128, 128, 2))
        self.model3 = self.block((128, 256), (256, 256), (256, 256, 2))
        self.model4 = self.block((256, 512), (512, 512), (512, 512))
        self.model5 = self.block((512, 512), (512, 512), (512, 512), dilation=2)
        self.model6 = self.block((512, 512), (512, 512), (512, 512), dilation=2)
        self.model7 = self.block((512, 512), (512, 512), (512, 512))
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(512, 256, kernel_size=4, stride=2, padding=1, bias=True),
            nn.ReLU(),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 313, kernel_size=1),
        )
        self.softmax = nn.Softmax(dim=1)
        self.model_out = nn.Conv2d(313, 2, kernel_size=1, bias=False)
        self.upsample4 = nn.Upsample(scale_factor=4, mode="bilinear", align_corners=False)

    @staticmethod
    def block(*convolutions, dilation=1):
        layers = []
        for before, after, *stride in convolutions:
            layers += [nn.Conv2d(before, after, 3, *stride or [1], padding=dilation, dilation=dilation), nn.ReLU()]
        return nn.Sequential(*layers, nn.BatchNorm2d(after))

    def forward(self, lightness):
        x = self.model1((lightness - 50) / 100)
        for block in (self.model2, self.model3, self.model4, self.model5, self.model6, self.model7, self.model8):
            x = block(x)
        return self.upsample4(self.model_out(self.softmax(x))) * 110


@pytest.fixture(scope="module")
def published():
    """Seeded, of a scale that keeps the signal alive, its batch norms as if they had seen data."""
    torch.manual_seed(0)
    network = Published().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    network.model_out.weight.data = bin_centers().T[:, :, None, None] / 110
    return network.requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def file(published, tmp_path_factory):
    """A file like the published one: a bare state dict, which says nothing of itself."""
    path = tmp_path_factory.mktemp("weights") / "published.pth"
    torch.save(published.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def model(file):
    return colorcli.load("zhang", weights=file, device="cpu", precision="fp32")


def lightness(batch=1, height=64, width=64):
    noise = torch.rand(batch, 1, height // 8, width // 8, generator=torch.Generator().manual_seed(1)) * 100
    return functional.interpolate(noise, (height, width), mode="bicubic").clamp(0, 100)


def test_the_keys_and_shapes_are_the_published_ones(published):
    ours = {name: value.shape for name, value in ZhangNetwork().state_dict().items()}
    assert ours == {name: value.shape for name, value in published.state_dict().items()}


def test_it_has_as_many_parameters_as_published():
    assert sum(parameter.numel() for parameter in ZhangNetwork().parameters()) == 32_236_011


def test_the_published_colors_are_reproduced(model, published):
    with torch.inference_mode():
        expected = published(lightness())
    assert expected.std() > 5  # they are colors, and not all one
    assert (model.predict(lightness()) - expected).abs().max() < 1e-3


def test_any_other_temperature_is_one_of_the_unfolded_distribution(model, published):
    with torch.inference_mode():
        hidden = (lightness() - 50) / 100
        for block in list(published.children())[:8]:
            hidden = block(hidden)
        mean = published.upsample4(published.model_out((hidden * 0.38).softmax(dim=1))) * 110
    assert (model.predict(lightness(), temperature=1.0) - mean).abs().max() < 1e-3


def test_a_picture_alone_gets_the_colors_that_it_gets_in_a_batch(model):
    batch = lightness(3)
    alone = torch.cat([model.predict(picture) for picture in batch.split(1)])
    assert (model.predict(batch) - alone).abs().max() < 1e-3


def test_bf16_is_close_to_fp32(model, file):
    bf16 = colorcli.load("zhang", weights=file, device="cpu", precision="bf16")
    difference = (bf16.predict(lightness()) - model.predict(lightness())).abs()
    assert 0 < difference.mean() < 1  # of random weights, whose logits are larger than learned ones


@pytest.mark.parametrize(("height", "width"), [(8, 8), (64, 160), (256, 256)])
def test_lightness_of_any_size_gets_chroma_of_that_size(height, width):
    network = ZhangNetwork([4, 4, 8, 8])
    assert network(lightness(2, height, width)).shape == (2, 313, height // 4, width // 4)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_colors_are_not_rounded_with_the_weights(precision, tmp_path):
    """A network sure of one bin gives that bin's color: 0.2 ab beside it in bf16."""
    state = tiny_network().state_dict()
    state["model8.6.bias"][7] = 1000
    file = tmp_path / "sure.safetensors"
    write_state(file, state, Header("zhang", "sure", {"widths": WIDTHS}))
    ab = colorcli.load("zhang", weights=file, device="cpu", precision=precision).predict(lightness())
    assert torch.allclose(ab, bin_centers()[7][None, :, None, None], atol=1e-3)


def test_another_gamut_has_its_own_centers():
    centers = torch.tensor([[0.0, 0.0], [50.0, 10.0], [-20.0, 30.0]])
    network = ZhangNetwork([4, 4, 8, 8], classes=3)
    network.set_centers(centers)
    assert torch.allclose(network.centers, centers)
    assert network(lightness()).shape[1] == 3


def test_weights_of_another_width_are_refused_and_the_file_is_named(tmp_path):
    path = tmp_path / "narrow.pth"
    torch.save(ZhangNetwork([4, 4, 8, 8]).state_dict(), path)
    with pytest.raises(WeightsCorrupt, match=r"narrow\.pth does not fit the network of zhang"):
        colorcli.load("zhang", weights=path, device="cpu")


@pytest.mark.paper("liege", "conv7 has 256 channels, conv8 128")
def test_the_widths_of_blocks_7_and_8_are_those_of_the_liege_figure():
    network = ZhangNetwork(widths=(4, 8, 16, 32, 16, 8), classes=5)
    assert [network.model7[index].weight.shape[:2] for index in (0, 2, 4)] == [(16, 32), (16, 16), (16, 16)]
    assert network.model8[0].weight.shape[:2] == (16, 8)  # transposed: input channels first
    assert [network.model8[index].weight.shape[:2] for index in (2, 4, 6)] == [(8, 8), (8, 8), (5, 8)]
    assert network(torch.zeros(1, 1, 32, 32)).shape == (1, 5, 8, 8)


def test_four_widths_give_the_published_layout():
    shapes = [
        {k: v.shape for k, v in ZhangNetwork(w, 5).state_dict().items()}
        for w in ((4, 8, 16, 32), (4, 8, 16, 32, 32, 16))
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("widths", [(4, 8, 16), (4, 8, 16, 32, 16), (4, 8, 16, 0)])
def test_invalid_widths_are_an_error(widths):
    with pytest.raises(ValueError, match="widths must be 4 or 6 numbers of channels"):
        ZhangNetwork(widths)


@pytest.mark.parametrize("classes", [1, 7, 224, 313, 400])
def test_the_classes_of_an_untrained_network_have_colors(classes):
    centers = ZhangNetwork([4, 4, 8, 8], classes=classes).centers
    assert centers.shape == (classes, 2)
    assert len(centers.round().unique(dim=0)) == min(classes, 313)
    if classes == 313:
        assert torch.allclose(centers, bin_centers())


def test_a_network_built_without_memory_leaves_the_bins_alone():
    bin_centers.cache_clear()
    with torch.device("meta"):
        assert ZhangNetwork([4, 4, 8, 8]).centers.is_meta
    with torch.inference_mode():
        ZhangNetwork([4, 4, 8, 8])
    assert bin_centers().device.type == "cpu"
    assert not bin_centers().is_inference()
