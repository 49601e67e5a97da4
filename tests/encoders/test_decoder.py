import pytest
import torch
from torch import nn

from colorcli.encoders import Fusion, PyramidDecoder

CHANNELS = (4, 6, 8)


def pyramid():
    return [torch.randn(2, channels, 32 // 2**index, 32 // 2**index) for index, channels in enumerate(CHANNELS)]


@pytest.mark.parametrize(("widths", "side"), [((5,), 8), ((5, 3), 16), ((5, 3, 7), 32)])
def test_it_ends_at_the_stride_that_it_has_a_width_for(widths, side):
    decoder = PyramidDecoder(CHANNELS, widths)
    assert decoder(pyramid()).shape == (2, widths[-1], side, side)
    assert decoder.channels == widths[-1]


def test_it_sees_the_features_of_every_stride():
    decoder = PyramidDecoder(CHANNELS, (5, 3, 7)).eval()
    features = pyramid()
    before = decoder(features)
    for index in range(len(features)):
        changed = [each + (place == index) for place, each in enumerate(features)]
        assert not torch.allclose(decoder(changed), before)


def test_more_widths_than_strides_are_refused():
    with pytest.raises(ValueError, match="at most 3"):
        PyramidDecoder(CHANNELS, (1, 2, 3, 4))


def test_a_fusion_is_a_convolution_of_local_features_with_the_vector_at_every_place():
    fusion = Fusion(local=3, vector=5).eval()
    local, vector = torch.randn(2, 3, 4, 6), torch.randn(2, 5)
    everywhere = vector[:, :, None, None].expand(-1, -1, 4, 6)
    joined = nn.Sequential(*fusion)(torch.cat([local, everywhere], dim=1))
    torch.testing.assert_close(fusion(local, vector), joined)
