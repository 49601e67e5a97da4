import pytest
import torch

from colorcli_pix2pix.discriminator import PatchDiscriminator
from tests.plugins.colorcli_pix2pix.networks import enliven


def test_the_keys_and_shapes_are_the_published_ones():
    """Of the authors' NLayerDiscriminator(3, 64) with batch norm."""
    expected = {"model.0.weight": (64, 3, 4, 4), "model.0.bias": (64,)}
    for place, before, after in ((2, 64, 128), (5, 128, 256), (8, 256, 512)):
        expected[f"model.{place}.weight"] = (after, before, 4, 4)
        for name in ("weight", "bias", "running_mean", "running_var"):
            expected[f"model.{place + 1}.{name}"] = (after,)
        expected[f"model.{place + 1}.num_batches_tracked"] = ()
    expected |= {"model.11.weight": (1, 512, 4, 4), "model.11.bias": (1,)}
    assert {key: tuple(value.shape) for key, value in PatchDiscriminator().state_dict().items()} == expected


def test_it_has_as_many_parameters_as_published():
    assert sum(parameter.numel() for parameter in PatchDiscriminator().parameters()) == 2_765_633


def test_every_answer_is_about_a_patch_of_70_by_70_pixels():
    network = enliven(PatchDiscriminator(4))
    gray = torch.rand(1, 1, 128, 128, requires_grad=True)
    logits = network(gray, torch.rand(1, 2, 128, 128))
    assert logits.shape == (1, 1, 14, 14)
    logits[0, 0, 7, 7].backward()
    rows, columns = gray.grad[0, 0].nonzero().T
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (70, 70)


def test_it_judges_gray_and_color_together():
    network = enliven(PatchDiscriminator(4))
    gray, chroma = torch.rand(1, 1, 64, 64), torch.rand(1, 2, 64, 64)
    with torch.no_grad():
        logits = network(gray, chroma)
        assert not network(1 - gray, chroma).allclose(logits)
        assert not network(gray, -chroma).allclose(logits)
    assert logits.min() < 0 or logits.max() > 1  # logits, not probabilities


def test_an_invalid_width_is_an_error():
    with pytest.raises(ValueError, match="must be 1 or more, got"):
        PatchDiscriminator(0)
