import pytest
import torch

from colorcli.plugin.registry import Registry
from colorcli_iizuka.gray import make_gray

COLOR = (0.8, 0.4, 0.2)  # sRGB-encoded: a warm orange
BY_HAND = {
    # Linear light is ((v + 0.055) / 1.055) ** 2.4: 0.60383, 0.13287, 0.03310.
    "luminance": 0.51254,  # 0.212671 * 0.60383 + 0.715160 * 0.13287 + 0.072169 * 0.03310 = 0.22583, encoded
    "lightness": 0.54640,  # (116 * 0.22583 ** (1 / 3) - 16) / 100
    "luma601": 0.49680,  # 0.299 * 0.8 + 0.587 * 0.4 + 0.114 * 0.2
    "luma709": 0.47060,  # 0.2126 * 0.8 + 0.7152 * 0.4 + 0.0722 * 0.2
    "average": 0.46667,
    "hsl": 0.5,
    "value": 0.8,
    "orthochromatic": 0.31897,  # (0.13287 + 0.03310) / 2 = 0.08299, encoded
}


def picture(*rgb):
    """One color, R'G'B' (1, 3, 2, 2)."""
    return torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, 2, 2)


@pytest.mark.parametrize("way", BY_HAND)
def test_each_of_the_eight_conversions_follows_its_formula(way):
    gray = make_gray(picture(*COLOR), way)
    assert gray.shape == (1, 1, 2, 2)
    assert gray.flatten().tolist() == pytest.approx([BY_HAND[way]] * 4, abs=2e-4)


def test_the_eight_conversions_differ():
    grays = Registry().grays()
    assert set(grays) >= set(BY_HAND)
    for way, gray in grays.items():
        assert gray.convert(picture(*COLOR)).equal(make_gray(picture(*COLOR), way))
    assert len({round(value, 3) for value in BY_HAND.values()}) == 8


@pytest.mark.parametrize("way", sorted(set(BY_HAND) - {"lightness"}))
@pytest.mark.parametrize("level", [0.0, 0.02, 0.5, 1.0])
def test_gray_stays_as_it_is(way, level):
    """All but lightness, which is another scale."""
    assert make_gray(picture(level, level, level), way).flatten().tolist() == pytest.approx([level] * 4, abs=1e-4)


def test_orthochromatic_film_does_not_see_red():
    red, darker_red = (make_gray(picture(level, 0.0, 0.0), "orthochromatic") for level in (1.0, 0.5))
    assert red.max() < 0.01
    assert darker_red.max() < 0.01
    assert make_gray(picture(0.0, 0.0, 1.0), "orthochromatic").min() > 0.7
