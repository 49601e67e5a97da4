import csv
import math
from importlib.resources import files

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from colorcli.evaluation.metrics import formulas


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(1)
    true = torch.rand(3, 24, 31, generator=generator)
    return (true + 0.1 * torch.randn(3, 24, 31, generator=generator)).clamp(0, 1), true


def chroma(*colors):
    """One row of pixels, (2, 1, N)."""
    return torch.tensor(colors, dtype=torch.float32).T[:, None]


def prior():
    text = (files("colorcli.evaluation.metrics") / "prior.csv").read_text(encoding="ascii")
    return {(int(row["a"]), int(row["b"])): float(row["probability"]) for row in csv.DictReader(text.splitlines())}


def test_the_error_of_a_pixel_is_its_distance_in_the_ab_plane():
    e = formulas.distances(chroma((3, 4), (0, 0)), chroma((0, 0), (-5, 12)))
    assert e.tolist() == [[5, 13]]


def test_colors_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="must be finite"):
        formulas.distances(chroma((math.nan, 0)), chroma((0, 0)))


def test_the_auc_is_the_mean_share_within_each_threshold():
    # 0 is within all 151 thresholds, 0.5 within 150, 149 within two, 150 within one, 151 within none
    e = torch.tensor([0, 0.5, 149, 150, 151])
    assert formulas.auc(formulas.error_histogram(e)) == pytest.approx((151 + 150 + 2 + 1 + 0) / 151 / 5)


def test_a_pixel_counts_by_its_weight_in_the_auc():
    e = torch.tensor([0.0, 200.0])
    assert formulas.auc(formulas.error_histogram(e, torch.tensor([3.0, 1.0]))) == pytest.approx(0.75)


def test_histograms_of_parts_add_up_to_that_of_the_whole():
    e = torch.rand(100, generator=torch.Generator().manual_seed(0)) * 170
    parts = formulas.error_histogram(e[:30]) + formulas.error_histogram(e[30:])
    assert torch.equal(parts, formulas.error_histogram(e))


def test_histograms_of_many_sets_have_their_aucs_at_once():
    one, other = (formulas.error_histogram(torch.tensor(e)) for e in ([0.0, 200.0], [150.0]))
    assert formulas.auc(torch.stack((one, other))).tolist() == pytest.approx([0.5, 1 / 151])


def test_no_pixels_have_no_auc():
    with pytest.raises(ValueError, match="at least one pixel"):
        formulas.auc(formulas.error_histogram(torch.tensor([])))


def test_the_prior_has_the_313_published_bins_and_sums_to_one():
    assert len(prior()) == 313
    assert sum(prior().values()) == pytest.approx(1, abs=1e-6)
    assert max(prior(), key=prior().get) == (0, 0)  # gray is the commonest color


def test_a_pixel_counts_one_over_the_share_of_its_nearest_bin():
    shares = prior()
    weights = formulas.rarity(chroma((0, 0), (4.9, -4.9), (5.1, 14.9), (-37, 21)))
    expected = [shares[0, 0], shares[0, 0], shares[10, 10], shares[-40, 20]]
    assert weights[0].tolist() == pytest.approx([1 / share for share in expected])


def test_every_srgb_color_counts_by_the_nearest_of_all_bins():
    from colorcli.color import rgb_to_lab

    axis = torch.linspace(0, 1, 33)
    ab = rgb_to_lab(torch.cartesian_prod(axis, axis, axis).T[:, None])[1:]
    bins = torch.tensor(list(prior()), dtype=torch.float64)
    nearest = torch.cdist(ab[:, 0].T.double(), bins).argmin(dim=1)
    expected = 1 / torch.tensor(list(prior().values()), dtype=torch.float64)[nearest]
    assert torch.equal(formulas.rarity(ab)[0], expected)


def test_psnr_is_that_of_scikit_image(pair):
    predicted, true = pair
    expected = peak_signal_noise_ratio(true.double().numpy(), predicted.double().numpy(), data_range=1)
    assert formulas.psnr(predicted, true) == pytest.approx(expected)


@pytest.mark.parametrize("metric", [formulas.psnr, formulas.ssim, formulas.distances])
def test_sizes_that_differ_are_an_error(metric):
    with pytest.raises(ValueError, match=r"must have the same shape, got \(2, 12, 12\) and \(2, 12, 13\)"):
        metric(torch.zeros(2, 12, 12), torch.zeros(2, 12, 13))


def test_ssim_of_pictures_smaller_than_its_window_is_an_error():
    with pytest.raises(ValueError, match="at least 11 pixels a side, got"):
        formulas.ssim(torch.zeros(3, 10, 40), torch.zeros(3, 10, 40))


def test_noise_has_a_psnr_of_under_8_db():
    # differences that wrap around in 8 bits would give 27.9 dB
    black_and_white = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert 7 < formulas.psnr(black_and_white, black_and_white.flip(-1)) < 8.5


def test_equal_pictures_have_an_infinite_psnr_and_an_ssim_of_one(pair):
    _, true = pair
    assert formulas.psnr(true, true) == math.inf
    assert formulas.ssim(true, true) == pytest.approx(1)


def test_ssim_is_that_of_scikit_image(pair):
    predicted, true = pair
    expected = structural_similarity(
        true.double().numpy(),
        predicted.double().numpy(),
        data_range=1,
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert formulas.ssim(predicted, true) == pytest.approx(expected, abs=1e-9)


def test_the_colorfulness_of_two_pixels_worked_out_by_hand():
    # red: rg 255, yb 127.5; green: rg -255, yb 127.5. Means 0 and 127.5, variances 255^2 and 0.
    picture = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])[:, None]
    assert formulas.colorfulness(picture) == pytest.approx(255 + 0.3 * 127.5)


def test_gray_has_no_colorfulness():
    assert formulas.colorfulness(torch.rand(1, 8, 8).expand(3, 8, 8)) == 0


def test_figures_do_not_depend_on_where_a_pixel_is(pair):
    predicted, true = pair
    order = torch.from_numpy(np.random.default_rng(0).permutation(24 * 31))
    a, b = (picture.flatten(1)[:, order].view(3, 24, 31) for picture in pair)
    assert formulas.psnr(a, b) == pytest.approx(formulas.psnr(predicted, true))
    assert formulas.colorfulness(a) == pytest.approx(formulas.colorfulness(predicted))
