import numpy as np
import pytest
import torch
from pytorch_fid import fid_score, inception

from colorcli.evaluation.metrics.fid import URL, Fid, frechet_distance
from colorcli.evaluation.metrics.judges import Judge
from tests.evaluation.metrics.judges import picture, save_inception


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_inception(tmp_path_factory.mktemp("inception") / "inception.pth")


@pytest.fixture(scope="module")
def metric(weights):
    return Fid(Judge("fid", URL, weights))


def features(count, size=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) @ mixed + seed


def test_the_features_are_those_of_pytorch_fid(metric, weights, monkeypatch):
    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: torch.load(weights))
    reference = inception.InceptionV3([inception.InceptionV3.BLOCK_INDEX_BY_DIM[2048]], resize_input=False).eval()
    shown = picture(1, side=299)
    with torch.inference_mode():
        expected = reference(shown.rgb[None])[0].flatten()
    found = metric.measure(shown, shown)
    assert found.shape == (2, 2048)
    assert torch.allclose(found[0], expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.01


@pytest.mark.parametrize("counts", [(100, 100), (10, 10), (60, 40)])
def test_the_distance_is_that_of_pytorch_fid(counts):
    one, other = features(counts[0]), features(counts[1], seed=1)
    statistics = [(each.mean(dim=0).numpy(), np.cov(each.numpy(), rowvar=False)) for each in (one, other)]
    expected = fid_score.calculate_frechet_distance(*statistics[0], *statistics[1])
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-3)


def test_many_pictures_have_the_distance_of_their_distribution():
    """More of them than features: what is compared is brought to as many rows as there are features."""
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(3000, 2, generator=generator, dtype=torch.float64)
    assert frechet_distance(one, one * 2 + 1) == pytest.approx(
        float((one.mean(0) + 1).square().sum() + one.var(dim=0).sum()), rel=1e-2
    )


def test_the_distance_of_a_shifted_distribution_is_the_square_of_the_shift():
    one = features(200)
    assert frechet_distance(one, one + 3) == pytest.approx(9 * 24)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_a_set_has_no_distance_from_itself_in_any_order(metric):
    pictures = [picture(seed) for seed in range(3)]
    same = torch.stack([metric.measure(each, each) for each in pictures])
    assert metric.of_set(same) == pytest.approx(0, abs=1e-3)
    other = torch.stack(
        [metric.measure(one, two) for one, two in zip(pictures, pictures[1:] + pictures[:1], strict=True)]
    )
    assert metric.of_set(other) == pytest.approx(0, abs=1e-3)  # the same three pictures on both sides


def test_one_picture_has_no_fid(metric):
    with pytest.raises(ValueError, match="at least two pictures"):
        metric.of_set(torch.zeros(1, 2, 2048))
