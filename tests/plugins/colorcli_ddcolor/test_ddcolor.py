import sys

import pytest
import torch
from torch import nn

from colorcli.cli import main
from colorcli.errors import MissingDependency
from colorcli.testing import ColorizerSuite
from colorcli.weights.manifest import FIRST_USE
from colorcli_ddcolor import DDColor

CODE_128 = 53.585  # CIE L* of the sRGB gray 128

needs_spandrel = pytest.mark.skipif(
    "not __import__('importlib.util').util.find_spec('spandrel_extra_arches')",
    reason="the extra ddcolor is not installed",
)


@needs_spandrel
class TestDDColor(ColorizerSuite):
    colorizer = DDColor()
    side = 64  # at 512 every prediction takes seconds


def test_the_network_sees_gray_in_srgb():
    class Eye(nn.Module):
        def forward(self, rgb):
            self.seen = rgb
            return rgb[:, :2]

    eye = Eye()
    ab = DDColor().predict(eye, torch.tensor([0.0, CODE_128, 100.0]).reshape(1, 1, 1, 3))
    assert ab.shape == (1, 2, 1, 3)
    assert eye.seen.shape == (1, 3, 1, 3)
    assert eye.seen[0, :, 0].T.tolist() == [pytest.approx([value] * 3, abs=1e-4) for value in (0, 128 / 255, 1)]


@needs_spandrel
def test_its_state_dict_is_as_large_as_the_published_file():
    """Which has a header besides, of a few hundred bytes for each of its tensors."""
    tiny = DDColor.weights["tiny"]
    tensors = DDColor().build(**tiny.network).state_dict().values()
    header = tiny.size - sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    assert 0 < header < 500 * len(tensors)


def test_weights_without_a_published_sha256_are_recorded_on_first_use():
    assert [tag for tag, weights in DDColor.weights.items() if weights.sha256 == FIRST_USE] == [
        "modelscope",
        "paper",
        "artistic",
    ]
    assert {weights.license for weights in DDColor.weights.values()} == {"Apache-2.0"}


def test_without_spandrel_the_error_names_the_extra(monkeypatch):
    for name in ("spandrel_extra_arches", "spandrel_extra_arches.architectures.DDColor"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependency, match="ddcolor needs spandrel_extra_arches") as caught:
        DDColor().build()
    assert "colorcli[ddcolor]" in caught.value.hint


def test_models_lists_it_without_importing_spandrel(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel_extra_arches", None)
    assert main(["models", "ddcolor"]) == 0
    assert "ddcolor.tiny" in capsys.readouterr().out
