"""The network against the published one, written here a second time from its description."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional

import colorcli
from colorcli.cli import main
from colorcli.errors import UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.weights.importer import import_file
from colorcli_siggraph17 import Siggraph17
from colorcli_siggraph17.network import Siggraph17Network


class Published(nn.Module):
    """As published, layer by layer."""

    def __init__(self):
        super().__init__()
        self.model1 = self.block((4, 64), (64, 64))
        self.model2 = self.block((64, 128), (128, 128))
        self.model3 = self.block((128, 256), (256, 256), (256, 256))
        self.model4 = self.block((256, 512), (512, 512), (512, 512))
        self.model5 = self.block((512, 512), (512, 512), (512, 512), dilation=2)
        self.model6 = self.block((512, 512), (512, 512), (512, 512), dilation=2)
        self.model7 = self.block((512, 512), (512, 512), (512, 512))
        self.model8up = nn.Sequential(nn.ConvTranspose2d(512, 256, kernel_size=4, stride=2, padding=1))
        self.model8 = nn.Sequential(
            nn.ReLU(), self.conv(256, 256), nn.ReLU(), self.conv(256, 256), nn.ReLU(), nn.BatchNorm2d(256)
        )
        self.model9up = nn.Sequential(nn.ConvTranspose2d(256, 128, kernel_size=4, stride=2, padding=1))
        self.model9 = nn.Sequential(nn.ReLU(), self.conv(128, 128), nn.ReLU(), nn.BatchNorm2d(128))
        self.model10up = nn.Sequential(nn.ConvTranspose2d(128, 128, kernel_size=4, stride=2, padding=1))
        self.model10 = nn.Sequential(nn.ReLU(), self.conv(128, 128), nn.LeakyReLU(negative_slope=0.2))
        self.model3short8 = nn.Sequential(self.conv(256, 256))
        self.model2short9 = nn.Sequential(self.conv(128, 128))
        self.model1short10 = nn.Sequential(self.conv(64, 128))
        self.model_class = nn.Sequential(nn.Conv2d(256, 529, kernel_size=1))
        self.model_out = nn.Sequential(nn.Conv2d(128, 2, kernel_size=1), nn.Tanh())

    @staticmethod
    def conv(before, after, dilation=1):
        return nn.Conv2d(before, after, kernel_size=3, stride=1, padding=dilation, dilation=dilation)

    @classmethod
    def block(cls, *convolutions, dilation=1):
        layers = [layer for pair in convolutions for layer in (cls.conv(*pair, dilation), nn.ReLU())]
        return nn.Sequential(*layers, nn.BatchNorm2d(convolutions[-1][1]))

    def forward(self, lightness, ab, mask):
        conv1 = self.model1(torch.cat(((lightness - 50) / 100, ab / 110, mask), dim=1))
        conv2 = self.model2(conv1[:, :, ::2, ::2])
        conv3 = self.model3(conv2[:, :, ::2, ::2])
        conv4 = self.model4(conv3[:, :, ::2, ::2])
        conv7 = self.model7(self.model6(self.model5(conv4)))
        conv8 = self.model8(self.model8up(conv7) + self.model3short8(conv3))
        conv9 = self.model9(self.model9up(conv8) + self.model2short9(conv2))
        conv10 = self.model10(self.model10up(conv9) + self.model1short10(conv1))
        return self.model_out(conv10) * 110


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
    network.model_out[0].weight.data *= 0.2  # or tanh would saturate
    return network.requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def file(published, tmp_path_factory):
    """A file like the published one: a bare state dict, which says nothing of itself."""
    path = tmp_path_factory.mktemp("weights") / "published.pth"
    torch.save(published.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def model(file):
    return colorcli.load("siggraph17", weights=file, device="cpu", precision="fp32")


def lightness(batch=1, height=64, width=64):
    noise = torch.rand(batch, 1, height // 8, width // 8, generator=torch.Generator().manual_seed(1)) * 100
    return functional.interpolate(noise, (height, width), mode="bicubic").clamp(0, 100)


def hinted(batch=1, side=64):
    hints = torch.zeros(batch, 3, side, side)
    for (top, left), (a, b) in {(10, 20): (60.0, 40.0), (40, 44): (-50.0, 10.0)}.items():
        hints[:, :, top : top + 5, left : left + 5] = torch.tensor([a, b, 1.0])[:, None, None]
    return hints


def test_the_keys_and_shapes_are_the_published_ones(published):
    ours = {name: value.shape for name, value in Siggraph17Network().state_dict().items()}
    assert ours == {name: value.shape for name, value in published.state_dict().items()}


def test_it_has_as_many_parameters_and_tensors_as_published():
    network = Siggraph17Network()
    assert sum(parameter.numel() for parameter in network.parameters()) == 34_187_027
    assert len(network.state_dict()) == 107


def test_the_published_colors_are_reproduced_without_hints(model, published):
    none = torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        expected = published(lightness(), none[:, :2], none[:, 2:])
    assert expected.std() > 5  # they are colors, and not all one
    assert expected.abs().max() < 109
    assert (model.predict(lightness()) - expected).abs().max() < 1e-3


def test_the_published_colors_are_reproduced_with_hints(model, published):
    hints = hinted()
    with torch.inference_mode():
        expected = published(lightness(), hints[:, :2], hints[:, 2:])
    found = model.predict_with_hints(lightness(), hints).values
    assert (found - expected).abs().max() < 1e-3
    assert (found - model.predict(lightness())).abs().max() > 5  # they matter


def test_weights_of_another_width_are_refused_and_the_file_is_named(tmp_path):
    path = tmp_path / "narrow.pth"
    torch.save(Siggraph17Network([4, 4, 8, 8]).state_dict(), path)
    with pytest.raises(WeightsCorrupt, match=r"narrow\.pth does not fit the network of siggraph17"):
        colorcli.load("siggraph17", weights=path, device="cpu")


@pytest.mark.parametrize("widths", [(4, 8, 16), (4, 8, 16, 0), (4, 8, 16, 32, 64)])
def test_invalid_widths_are_an_error(widths):
    with pytest.raises(ValueError, match="widths must be 4 numbers of channels"):
        Siggraph17Network(widths)


def test_a_users_file_is_imported_and_then_describes_itself(file, model, tmp_path):
    target = import_file(file, Siggraph17(), target=tmp_path / "mine.safetensors")
    again = colorcli.load("siggraph17", weights=target, device="cpu", precision="fp32")
    assert (again.predict(lightness()) - model.predict(lightness())).abs().max() < 1e-3


def test_the_published_weights_are_downloaded_by_hand():
    for name in ("siggraph17", "siggraph17.release"):
        with pytest.raises(WeightsNotFound) as caught:
            colorcli.load(name, device="cpu")
        assert caught.value.message == "siggraph17.release is not on the Hub, and colorcli does not download it."
        assert "https://colorizers.s3" in caught.value.hint
        assert "colorcli weights import siggraph17-df00044c.pth --model siggraph17.release" in caught.value.hint


def test_a_colorizer_that_takes_no_hints_says_so():
    model = colorcli.load("zhang.starter", device="cpu")
    with pytest.raises(UsageError, match="The network of the colorizer zhang takes no hints"):
        model.predict_with_hints(lightness(1, 160, 160), hinted(1, 160))


def test_the_list_of_weights_says_that_they_are_to_be_imported(capsys):
    assert main(["weights", "list", "--json"]) == 0
    facts = {each["name"]: each for each in json.loads(capsys.readouterr().out)}["siggraph17.release"]
    assert facts["where"] == "to import"
    assert facts["page"].endswith(facts["file"])


def test_pulling_them_says_how_to_get_them(capsys):
    assert main(["weights", "pull", "siggraph17"]) == 1
    assert "Download https://colorizers.s3" in capsys.readouterr().err
