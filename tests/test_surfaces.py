import pytest
import torch

from colorcli.surfaces import smooth_surfaces


def two_surfaces() -> torch.Tensor:
    """L* (1, 1, 16, 16): dark on the left, light on the right."""
    lightness = torch.full((1, 1, 16, 16), 30.0)
    lightness[..., 8:] = 70.0
    return lightness


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_flat_surface_gets_nearly_one_distribution() -> None:
    logits = noise(1, 5, 16, 16)

    agreed = smooth_surfaces(logits, torch.full((1, 1, 64, 64), 50.0), contrast=6.0)

    assert agreed.std(dim=(2, 3)).mean() < logits.std(dim=(2, 3)).mean() / 4


def test_what_all_places_agree_on_stays_as_it_is() -> None:
    logits = noise(2, 5, 1, 1).expand(-1, -1, 16, 16)

    torch.testing.assert_close(smooth_surfaces(logits, 100 * torch.rand(2, 1, 16, 16), contrast=6.0), logits)


def test_nothing_passes_an_edge_of_forty_units_of_lightness() -> None:
    lightness = two_surfaces()
    logits = torch.where(lightness < 50, -10.0, 10.0)

    torch.testing.assert_close(smooth_surfaces(logits, lightness, contrast=4.0), logits, atol=0.01, rtol=0)


def test_a_higher_contrast_lets_more_of_one_surface_into_the_next() -> None:
    lightness = two_surfaces()
    logits = torch.where(lightness < 50, -10.0, 10.0)

    moved = [(smooth_surfaces(logits, lightness, contrast) - logits).abs().mean() for contrast in (4.0, 10.0, 40.0)]

    assert moved == sorted(moved)
    assert moved[0] < moved[2] / 100


@pytest.mark.parametrize("dimensions", [(2,), (3,), (2, 3)])
def test_a_mirrored_picture_gets_the_mirrored_logits(dimensions: tuple[int, ...]) -> None:
    logits, lightness = noise(1, 3, 12, 20), 50 + 20 * noise(1, 1, 12, 20)

    mirrored = smooth_surfaces(logits.flip(dimensions), lightness.flip(dimensions), contrast=6.0)

    torch.testing.assert_close(
        mirrored, smooth_surfaces(logits, lightness, contrast=6.0).flip(dimensions), atol=1e-5, rtol=1e-5
    )


def test_a_place_counts_its_neighbors_by_the_lightness_on_the_way_to_them() -> None:
    lightness = torch.tensor([50.0, 56.0, 56.0, 56.0, 56.0]).reshape(1, 1, 1, 5)
    logits = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0]).reshape(1, 1, 1, 5)

    agreed = smooth_surfaces(logits, lightness, contrast=6.0)

    # Distances from the first place: 1 for a step of a fifth of the width, and 1 for the change of lightness.
    weights = torch.tensor([0.0, -2.0, -3.0, -4.0, -5.0]).exp()
    assert agreed[0, 0, 0, 0].item() == pytest.approx((weights[0] / weights.sum()).item(), abs=1e-6)


def test_bf16_agrees_with_float32() -> None:
    logits, lightness = (
        5 * noise(1, 40, 20, 20),
        100 * torch.rand(1, 1, 80, 80, generator=torch.Generator().manual_seed(1)),
    )

    half = smooth_surfaces(logits.bfloat16(), lightness, contrast=6.0)

    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), smooth_surfaces(logits, lightness, contrast=6.0), atol=0.1, rtol=0.02)


def test_no_contrast_leaves_the_logits_untouched() -> None:
    logits = noise(1, 3, 8, 8)

    assert smooth_surfaces(logits, torch.full((1, 1, 8, 8), 50.0), contrast=0.0) is logits


def test_a_contrast_for_each_picture_is_applied_to_that_picture() -> None:
    logits, lightness = noise(2, 3, 8, 8), 50 + 20 * noise(2, 1, 8, 8)

    both = smooth_surfaces(logits, lightness, torch.tensor([[4.0], [20.0]]))

    for index, contrast in enumerate((4.0, 20.0)):
        one = slice(index, index + 1)
        torch.testing.assert_close(both[one], smooth_surfaces(logits[one], lightness[one], contrast))
