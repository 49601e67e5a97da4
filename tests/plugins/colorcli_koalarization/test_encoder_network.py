import torch
from lightning_fabric import Fabric

from colorcli import Batch
from colorcli_koalarization import Koalarization
from colorcli_koalarization.recipe import KoalarizationRecipe

ENCODED = {"encoder": "efficientnet-lite0", "widths": [8, 8, 8, 8]}


def pictures(count=4, side=64):
    coarse = torch.rand(count, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    lab = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return Batch(lab[:, :1] * 100, lab[:, 1:] * 40 - 20, torch.full((count,), -1))


def test_it_colors_every_fourth_pixel_and_starts_gray():
    network = Koalarization().build(**ENCODED).eval()
    ab = Koalarization().predict(network, pictures().lightness)
    assert ab.shape == (4, 2, 16, 16)
    assert ab.abs().mean() < 3


def test_the_embedding_of_the_whole_picture_reaches_every_place():
    network = Koalarization().build(**ENCODED).eval()
    pyramid = network.encoder(pictures().lightness)
    assert network.encoder.embed(pyramid).shape == (4, network.encoder.dimensions)
    assert network.fusion[0].in_channels == 8 + network.encoder.dimensions


def test_all_but_the_classifier_learns():
    torch.manual_seed(0)
    recipe = KoalarizationRecipe(pretrained="random", learning_rate=1e-2)
    network = Koalarization().build(**ENCODED, **recipe.survey([pictures().ab], []))
    recipe.start(network, Fabric(accelerator="cpu", devices=1), 10)
    before = {name: value.clone() for name, value in network.named_parameters()}
    network.train()
    losses = [recipe.step(pictures()) for _ in range(6)]
    assert losses[-1]["loss"] < losses[0]["loss"]
    changed = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    assert changed
    assert not any(name.startswith("encoder.") for name in changed)
