from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from colorcli.color import lab_to_linear, linear_to_srgb, rgb_to_lab
from colorcli_zhang import bins
from colorcli_zhang.bins import (
    annealed_mean,
    bin_centers,
    circle_classes,
    count_nearest,
    nearest_table,
    rebalancing_weights,
    smooth_prior,
    table_index,
)

PUBLISHED = torch.from_numpy(np.load(Path(__file__).with_name("pts_in_hull.npy"))).float()


def random_ab(*shape, reach=127.0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 * reach - reach


def random_logits():
    return torch.randn(2, 313, 5, 7, generator=torch.Generator().manual_seed(0)) * 3


# Bins


def test_the_bins_are_the_published_ones_in_their_order():
    assert torch.equal(bin_centers(), PUBLISHED)


def test_every_color_of_a_screen_is_near_a_bin():
    rgb = torch.rand(3, 100, 100, generator=torch.Generator().manual_seed(0)).double()
    ab = rgb_to_lab(rgb)[1:].flatten(1).T.float()
    assert torch.cdist(ab, bin_centers()).amin(dim=1).max() < 50**0.5 + 0.01  # half a cell's diagonal


def test_a_coarser_grid_has_fewer_bins():
    centers = bin_centers(20)
    assert len(centers) < 120
    assert (centers % 20 == 0).all()


def test_the_lab_disc_has_the_224_cells_of_the_paper():
    points, cells, cell = bins._disc(16, 128.0)
    centers = bins._means(points, cell)
    assert cells.shape == centers.shape == (224, 2)
    assert centers.norm(dim=1).max() < 128
    assert torch.allclose(centers.mean(dim=0), torch.zeros(2), atol=0.01)  # as many on every side


@pytest.mark.paper("rome", "114 classes")
def test_srgb_touches_114_of_the_224_cells():
    """The Rome paper's number of classes, which it found by counting the colors of its photographs."""
    cells, class_colors = circle_classes()
    assert cells.shape == class_colors.shape == (114, 2)
    distances = (cells - class_colors).norm(dim=1)
    assert distances.mean() == pytest.approx(8.1, abs=0.1)
    assert distances.max() == pytest.approx(43.4, abs=0.1)
    u, v = (each.ravel() for each in np.meshgrid(*[np.linspace(0, 1, 256)] * 2))
    faces = [np.insert(np.stack([u, v], -1), axis, level, axis=1) for axis in range(3) for level in (0, 1)]
    ab = rgb2lab(np.concatenate(faces))[:, 1:]  # of the cube's surface, whose projection is that of all colors
    assert len(np.unique(np.floor(ab / 16), axis=0)) == 114


@pytest.mark.paper("rome", "a class has the mean RGB of its cell")
def test_the_color_of_a_class_is_that_of_the_mean_rgb_of_its_cell():
    cells, class_colors = circle_classes()
    inside = (cells - torch.tensor([8.0, 8.0])).norm(dim=1).argmin()  # 0..16 by 0..16, all in sRGB at L = 50
    axis = torch.arange(16) + 0.5
    points = torch.cartesian_prod(axis, axis).T[:, :, None]
    rgb = linear_to_srgb(lab_to_linear(torch.full((1, 256, 1), 50.0), points))
    mean = rgb_to_lab(rgb.mean(dim=1, keepdim=True))[1:, 0, 0]
    assert torch.allclose(class_colors[inside], mean, atol=1e-3)


def test_whole_cells_of_the_disc_are_represented_by_their_middle():
    assert (circle_classes()[0] - 8.0).abs().sum(dim=1).min() < 1e-4


# Soft encoding


def test_soft_encoding_sums_to_one():
    _, weights = nearest_table(bin_centers())
    assert weights.shape == (65536, 5)
    assert torch.allclose(weights.sum(dim=1), torch.ones(65536), atol=1e-6)


def test_soft_encoding_is_a_gaussian_of_sigma_5_over_the_5_nearest_bins():
    ab = torch.tensor([13.0, -28.0])
    index, weights = nearest_table(bin_centers())
    row = table_index(ab[None, :, None, None]).item()
    distance = (PUBLISHED - ab).norm(dim=1)
    expected = torch.exp(-(distance**2) / 50)
    nearest = distance.argsort()[:5]
    assert set(index[row].tolist()) == set(nearest.tolist())
    assert torch.allclose(weights[row].sort().values, (expected[nearest] / expected[nearest].sum()).sort().values)


def test_colors_are_looked_up_by_their_rounded_value_and_clamped_at_the_ends():
    index, _ = nearest_table(PUBLISHED, neighbors=1)
    ab = torch.tensor([[0.4, -0.4], [50.4, 5.6], [500.0, 20.0], [-500.0, 20.0]]).T[None, :, None, :]
    found = PUBLISHED[index[table_index(ab), 0]][0, 0]
    assert found[:2].tolist() == [[0, 0], [50, 10]]
    at_the_ends = torch.cdist(torch.tensor([[127.0, 20.0], [-128.0, 20.0]]), PUBLISHED).argmin(dim=1)
    assert torch.equal(found[2:], PUBLISHED[at_the_ends])


# Rebalancing


def test_each_color_is_counted_at_its_nearest_bin():
    ab = random_ab(2, 2, 8, 8, reach=60)
    counts = count_nearest([ab[:1], ab[1:]], PUBLISHED)
    nearest = torch.cdist(ab.round().movedim(1, -1).reshape(-1, 2), PUBLISHED).argmin(dim=1)
    assert counts.sum() == 128
    assert (counts - torch.bincount(nearest, minlength=313)).abs().sum() <= 8  # ties go either way


def test_the_smoothed_prior_is_a_distribution_without_empty_bins():
    counts = torch.zeros(313)
    counts[120] = 1000
    prior = smooth_prior(counts, PUBLISHED)
    assert prior.sum().item() == pytest.approx(1, abs=1e-6)
    assert prior.argmax() == 120
    assert prior[PUBLISHED.tolist().index([10.0, 0.0])] > prior[PUBLISHED.tolist().index([20.0, 0.0])] > 0


@pytest.mark.parametrize("mix", [0.1, 0.5, 1.0])
def test_the_expected_weight_is_one(mix):
    prior = torch.rand(313, generator=torch.Generator().manual_seed(0)) ** 4
    prior /= prior.sum()
    assert (prior * rebalancing_weights(prior, mix)).sum().item() == pytest.approx(1, abs=1e-5)


def test_rare_colors_weigh_more_and_half_way_to_uniform_limits_how_much():
    prior = torch.tensor([0.9, 0.0999, 0.0001])
    common, _, rare = rebalancing_weights(prior, 0.5).tolist()
    assert rare / common == pytest.approx((0.45 + 1 / 6) / (0.00005 + 1 / 6), rel=1e-4)
    assert rebalancing_weights(prior, 1.0).tolist() == pytest.approx([1, 1, 1])


# The annealed mean


def test_temperature_one_gives_the_mean_color():
    logits = random_logits()
    mean = torch.einsum("bqhw,qc->bchw", logits.softmax(dim=1), PUBLISHED)
    assert torch.allclose(annealed_mean(logits, PUBLISHED, 1.0), mean, atol=1e-4)


def test_temperature_toward_zero_gives_the_most_likely_color():
    logits = random_logits()
    mode = PUBLISHED[logits.argmax(dim=1)].movedim(-1, 1)
    assert torch.allclose(annealed_mean(logits, PUBLISHED, 1e-4), mode, atol=0.01)


def test_between_them_the_distribution_is_sharpened_as_in_equation_5():
    logits = random_logits()
    sharpened = logits.softmax(dim=1).log().div(0.38).exp()
    sharpened /= sharpened.sum(dim=1, keepdim=True)
    expected = torch.einsum("bqhw,qc->bchw", sharpened, PUBLISHED)
    assert torch.allclose(annealed_mean(logits, PUBLISHED, 0.38), expected, atol=1e-3)


def test_the_mean_is_taken_in_float32_where_all_around_it_is_bf16():
    logits = random_logits()
    with torch.autocast("cpu", torch.bfloat16):
        found = annealed_mean(logits, PUBLISHED, 0.38)
    assert found.dtype == torch.float32
    assert torch.equal(found, annealed_mean(logits, PUBLISHED, 0.38))


def test_the_annealed_mean_at_temperature_0_is_the_mode():
    logits = torch.randn(2, 313, 3, 4, generator=torch.Generator().manual_seed(5))
    found = annealed_mean(logits, PUBLISHED, 0.0)
    assert found.shape == (2, 2, 3, 4)
    assert torch.equal(found[1, :, 2, 3], PUBLISHED[logits[1, :, 2, 3].argmax()].float())
    assert torch.allclose(found, annealed_mean(logits, PUBLISHED, 1e-4), atol=0.01)
