import pytest
import torch
from lightning_fabric import Fabric

from colorcli import Batch
from colorcli.training.recipes import read_recipe
from colorcli_siggraph17 import Siggraph17
from colorcli_siggraph17.recipe import Siggraph17Recipe, random_hints

SMALL = {"widths": [8, 8, 16, 16]}


def colors(count=1, side=32):
    return torch.rand(count, 2, side, side, generator=torch.Generator().manual_seed(0)) * 120 - 60


def plain(count=8, side=32):
    """Pictures of one lightness, each of a color of its own: only a hint tells which."""
    ab = (torch.rand(count, 2, 1, 1, generator=torch.Generator().manual_seed(1)) * 120 - 60).expand(-1, -1, side, side)
    return Batch(torch.full((count, 1, side, side), 50.0), ab.contiguous(), torch.full((count,), -1))


def test_what_is_revealed_is_the_truth_and_the_rest_is_zero():
    torch.manual_seed(0)
    truth = torch.ones(200, 2, 32, 32) * torch.tensor([20.0, -30.0])[None, :, None, None]
    hints = random_hints(truth, 1 / 8, 0.0)
    mask = hints[:, 2:].bool()
    assert hints[:, :2].masked_select(mask.expand(-1, 2, -1, -1)).unique().tolist() == [-30.0, 20.0]
    assert hints[:, :2].masked_select(~mask.expand(-1, 2, -1, -1)).abs().max() == 0


def test_a_patch_has_its_mean_color():
    torch.manual_seed(3)
    truth = colors()
    hints = random_hints(truth, 0.9999999, 0.0)
    while not hints[:, 2].any():
        hints = random_hints(truth, 0.5, 0.0)
    rows, columns = hints[0, 2].nonzero().T
    patch = hints[0, :, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    if patch[2].all():  # a single one
        top, left = rows.min(), columns.min()
        mean = truth[0, :, top : top + patch.shape[1], left : left + patch.shape[2]].mean(dim=(1, 2))
        assert torch.allclose(patch[:2, 0, 0], mean, atol=1e-4)


def test_the_number_of_places_is_geometric_and_they_are_near_the_center():
    torch.manual_seed(0)
    masks = random_hints(torch.zeros(3000, 2, 64, 64), 1 / 2, 0.0)[:, 2]
    none = (masks.sum(dim=(1, 2)) == 0).float().mean().item()
    assert none == pytest.approx(0.5, abs=0.04)
    share = masks.mean(dim=0)
    assert share[24:40, 24:40].mean() > 4 * share[:8, :8].mean()


def test_everything_is_revealed_in_the_given_share_of_pictures():
    torch.manual_seed(0)
    truth = colors(400, 8)
    hints = random_hints(truth, 1.0, 0.1)
    whole = hints[:, 2].flatten(1).all(dim=1)
    assert whole.float().mean().item() == pytest.approx(0.1, abs=0.05)
    assert torch.equal(hints[whole, :2], truth[whole])
    assert not hints[~whole].any()


def test_pictures_smaller_than_a_patch_are_revealed_entirely():
    torch.manual_seed(0)
    assert random_hints(colors(20, 4), 0.1, 0.0)[:, 2].max() == 1


def test_validation_reveals_the_same_places_every_time():
    recipe, batch = Siggraph17Recipe(), plain()
    torch.manual_seed(0)
    network = Siggraph17().build(**SMALL).eval()
    with torch.no_grad():
        first, again = recipe.validate(network, batch), recipe.validate(network, batch)
    assert first == again
    assert first["loss"] == (first["with_hints"] + first["without_hints"]) / 2


def test_the_loss_is_the_huber_loss_of_both_channels():
    recipe, batch = Siggraph17Recipe(delta=2.0), plain()
    torch.manual_seed(0)
    network = Siggraph17().build(**SMALL).eval()
    with torch.no_grad():
        loss = recipe.validate(network, batch)["without_hints"].item()
        error = (network(batch.lightness, torch.zeros(8, 3, 32, 32)) - batch.ab).abs().double()
    expected = torch.where(error < 2, error**2 / 2, 2 * (error - 1)).sum(dim=1).mean().item() / 110
    assert loss == pytest.approx(expected, rel=1e-4)


def test_it_learns_to_follow_hints():
    recipe, batch = Siggraph17Recipe(learning_rate=3e-3, revealed=0.3, hint_chance=0.2), plain()
    torch.manual_seed(0)
    network = Siggraph17().build(**SMALL)
    recipe.start(network, Fabric(accelerator="cpu", devices=1), 120)
    network.train()
    for step in range(120):
        torch.manual_seed(step)
        recipe.step(batch)
    with torch.no_grad():
        losses = recipe.validate(network.eval(), batch)
    assert losses["with_hints"] < 0.8 * losses["without_hints"]


@pytest.mark.parametrize(
    "wrong", [{"hint_chance": 0.0}, {"revealed": 2.0}, {"delta": 0.0}, {"encoder_rate": -1.0}, {"schedule": "never"}]
)
def test_invalid_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Siggraph17Recipe(**wrong)


@pytest.mark.parametrize("name", ["siggraph2017", "starter"])
def test_recipe_files_fit_the_recipe_and_the_network(name):
    file = read_recipe(Siggraph17.recipe_folder / f"{name}.toml")
    Siggraph17Recipe(**file.recipe)
    for stage in file.stages:
        Siggraph17Recipe(**stage.file.recipe)
    Siggraph17().build(**file.network)
