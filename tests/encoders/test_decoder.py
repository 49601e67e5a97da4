import pytest
import torch

from colorcli.encoders import PyramidDecoder

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
