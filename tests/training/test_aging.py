import pytest
import torch

from colorcli.training import aging

FAULTS = [aging._tones, aging._vignette, aging._blur, aging._grain, aging._jpeg]


def pictures(count=2, side=32):
    coarse = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 100
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")


def strengths(*each):
    return torch.tensor(each)[:, None, None, None]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_no_strength_changes_nothing_and_the_others_in_the_batch_do_not_matter(fault):
    torch.manual_seed(0)
    aged = fault(pictures(), strengths(0.0, 1.0))
    torch.testing.assert_close(aged[0], pictures()[0], atol=1e-4, rtol=1e-4)
    assert (aged[1] - pictures()[1]).abs().mean() > 0.1


def test_no_share_leaves_the_pictures_as_they_are():
    assert torch.equal(aging.age(pictures(), 0.0), pictures())


def test_a_share_of_the_pictures_ages_and_stays_in_range():
    torch.manual_seed(0)
    aged = aging.age(pictures(200), 0.5)
    changed = (aged != pictures(200)).flatten(1).any(dim=1).float().mean()
    assert 0.35 < changed < 0.6  # half of them, but for those that got no fault at all
    assert aged.min() >= 0
    assert aged.max() <= 100


def test_randomness_comes_from_torch():
    torch.manual_seed(3)
    once = aging.age(pictures(8), 1.0)
    torch.manual_seed(3)
    assert torch.equal(aging.age(pictures(8), 1.0), once)


def test_the_quantization_is_that_of_jpeg(tmp_path):
    """A quality of 50 is the table of the standard itself."""
    import numpy as np
    from PIL import Image

    gray = pictures(1)[0, 0].mul(2.55).round().clamp(0, 255)
    Image.fromarray(gray.numpy().astype(np.uint8)).save(tmp_path / "a.jpg", quality=50)
    expected = torch.from_numpy(np.asarray(Image.open(tmp_path / "a.jpg")).astype(np.float32))
    aged = aging._jpeg((gray / 2.55)[None, None], strengths(1.0))[0, 0] * 2.55
    assert (aged - expected).abs().mean() < 1.5
    assert (aged - expected).abs().mean() < 0.5 * (gray - expected).abs().mean()


def test_sides_that_are_not_multiples_of_8_keep_their_last_pixels():
    torch.testing.assert_close(
        aging._jpeg(pictures(side=36), strengths(1.0, 1.0))[:, :, 32:], pictures(side=36)[:, :, 32:]
    )
