import pytest
import torch
from lightning_fabric import Fabric

from colorcli import Batch
from colorcli.encoders import give_weights
from colorcli_iizuka import Iizuka
from colorcli_iizuka.recipe import IizukaRecipe

ENCODED = {"encoder": "efficientnet-lite0", "widths": [8, 8, 8, 8], "scene": 12}


def pictures(count=4, side=64):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 2, 2, generator=generator)
    lab = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return Batch(lab[:, :1] * 100, lab[:, 1:] * 40 - 20, torch.arange(count) % 2)


def test_it_colors_every_fourth_pixel_and_classifies_the_scene():
    network = Iizuka().build(**ENCODED, classes=6).eval()
    color, scores = network(pictures().lightness / 100)
    assert color.shape == (4, 2, 16, 16)
    assert scores.shape == (4, 6)
    assert Iizuka().predict(network, pictures().lightness).shape == (4, 2, 16, 16)


def test_it_starts_gray():
    ab = Iizuka().predict(Iizuka().build(**ENCODED).eval(), pictures().lightness)
    assert ab.abs().mean() < 2


def test_what_is_far_away_reaches_every_place_through_the_scene():
    network = Iizuka().build(**ENCODED).eval()
    give_weights(network.encoder)
    torch.nn.init.normal_(network.color.weight)
    one = torch.full((1, 1, 256, 256), 0.3)
    other = one.clone()
    other[:, :, 192:, 192:] = torch.rand(64, 64, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(network(one)[0][..., :4, :4], network(other)[0][..., :4, :4], atol=1e-4)


@pytest.mark.parametrize(("rate", "learns"), [(0.0, False), (0.1, True)])
def test_both_losses_teach_it_and_the_encoder_where_the_recipe_says_so(rate, learns):
    torch.manual_seed(0)
    recipe = IizukaRecipe(pretrained="published", optimizer="adamw", learning_rate=1e-2, encoder_rate=rate)
    network = Iizuka().build(**ENCODED, **recipe.survey([pictures().ab], ["a", "b"]))
    recipe.start(network, Fabric(accelerator="cpu", devices=1), 10)
    before = {name: value.clone() for name, value in network.named_parameters()}
    network.train()
    losses = [recipe.step(pictures()) for _ in range(6)]
    assert losses[-1]["loss"] < losses[0]["loss"]
    changed = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    assert {"category.weight", "color.weight"} <= changed
    assert any(name.startswith("encoder.") for name in changed) == learns
