"""Whether DDColor keeps what every colorizer promises: the real architecture, with seeded random weights."""

import pytest
import torch
from colorcli.testing import ColorizerSuite
from torch import nn

from colorcli_ddcolor import DDColor

CODE_128 = 53.585  # CIE L* of the sRGB gray 128


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


def test_its_state_dict_is_as_large_as_the_published_file():
    """Which has a header besides, of a few hundred bytes for each of its tensors."""
    tensors = DDColor().build().state_dict().values()
    header = DDColor.weights["tiny"].size - sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    assert 0 < header < 500 * len(tensors)
