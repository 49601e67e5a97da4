"""Whether the colorizer keeps the promises of every colorizer, and what is special about it."""

import numpy as np
import torch
from colorcli.testing import ColorizerSuite

from colorcli_ownsize import Texture


class TestTexture(ColorizerSuite):
    colorizer = Texture()


def test_smooth_areas_are_blue_and_textured_ones_yellow():
    network = Texture().build()
    smooth = torch.full((1, 1, 16, 16), 80.0)
    textured = torch.from_numpy(np.random.default_rng(0).uniform(60, 100, (1, 1, 16, 16)).astype(np.float32))
    with torch.inference_mode():
        assert Texture().predict(network, smooth)[:, 1].max() < -10
        assert Texture().predict(network, textured)[:, 1].min() > 5
