import pytest
import torch

from colorcli.weighting import ChromaWeight


def plain(*ab, count=1):
    return torch.tensor(ab, dtype=torch.float32)[None, :, None, None].expand(count, -1, 4, 4)


def test_saturated_colours_count_more_and_the_mean_is_one():
    weight = ChromaWeight(2.0)
    weight.survey([plain(0, 0, count=3), plain(30, 40)])
    assert weight.mean == pytest.approx((3 * 1 + 3) / 4)
    assert weight(plain(30, 40)).unique().item() == pytest.approx(3 / 1.5)
    assert weight(plain(0, 0)).shape == (1, 1, 4, 4)


def test_without_strength_all_pixels_count_alike():
    weight = ChromaWeight(0.0)
    weight.survey([plain(30, 40)])
    assert weight(plain(60, -80)).unique().item() == 1


def test_a_strength_below_nothing_is_refused():
    with pytest.raises(ValueError, match="chroma_weight from 0"):
        ChromaWeight(-1.0)
