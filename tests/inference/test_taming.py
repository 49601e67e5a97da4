import pytest
import torch

from colorcli.errors import UsageError
from colorcli.inference.taming import Taming, gray_share


def colored(a, size=10):
    ab = torch.zeros(1, 2, size, size)
    ab[:, 0] = a
    return ab


def test_shadows_lose_more_chroma_the_darker_they_are():
    lightness = torch.tensor([0.0, 5, 12.5, 20, 25, 60]).reshape(1, 1, 1, 6).expand(1, 1, 6, 6)
    tamed = Taming(shadows=1.0)(colored(30.0, 6), lightness)[0, 0, 0]
    assert tamed[0] == 0
    assert torch.equal(tamed[4:], torch.full((2,), 30.0))
    assert (tamed.diff()[:4] > 0).all()
    assert tamed[2] == pytest.approx(15.0)


def test_a_share_of_the_shadows_is_tamed():
    lightness = torch.zeros(1, 1, 10, 10)
    assert Taming(shadows=0.25)(colored(40.0), lightness)[0, 0, 0, 0] == pytest.approx(30.0)


def test_a_splash_is_dimmed_to_the_limit_of_its_picture_and_keeps_its_hue():
    ab = colored(20.0)
    ab[:, :, 0, 0] = torch.tensor([60.0, 80.0])
    tamed = Taming(splashes=1.0)(ab, torch.full((1, 1, 10, 10), 50.0))
    assert torch.allclose(tamed[0, :, 0, 0], torch.tensor([18.0, 24.0]))  # 1.5 times 20
    assert torch.equal(tamed[..., 1:, :], ab[..., 1:, :])


def test_a_dull_picture_has_no_splash_below_a_chroma_of_20():
    ab = colored(1.0)
    ab[:, 0, 0, 0] = 19.0
    assert torch.equal(Taming(splashes=1.0)(ab, torch.full((1, 1, 10, 10), 50.0)), ab)


def test_each_picture_of_a_batch_has_its_own_limit():
    vivid = colored(60.0)
    dull = colored(2.0)
    dull[:, 0, 0, 0] = 60.0
    tamed = Taming(splashes=1.0)(torch.cat([vivid, dull]), torch.full((2, 1, 10, 10), 50.0))
    assert torch.equal(tamed[:1], vivid)
    assert tamed[1, 0, 0, 0] == pytest.approx(20.0)


def test_lightness_of_another_size_fits():
    tamed = Taming(shadows=1.0)(colored(30.0, 4), torch.zeros(1, 1, 16, 16))
    assert not tamed.any()


@pytest.mark.parametrize("values", [{"shadows": 1.1}, {"splashes": -0.1}])
def test_a_value_out_of_bounds_raises_usage_error(values):
    with pytest.raises(UsageError, match=r"must be between 0 and 1, got"):
        Taming(**values)


def test_the_gray_share_counts_neither_black_nor_white():
    ab = torch.zeros(2, 2, 4, 4)
    ab[1, 0, :2] = 10.0
    lightness = torch.full((2, 1, 4, 4), 50.0)
    lightness[0, :, 0] = 5.0
    lightness[0, :, 1] = 95.0
    assert gray_share(ab, lightness).tolist() == [0.5, 0.5]
