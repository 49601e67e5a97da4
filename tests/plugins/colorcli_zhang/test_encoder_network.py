import pytest
import torch
from lightning_fabric import Fabric

from colorcli import Batch
from colorcli.color import rgb_to_lab
from colorcli_zhang import Zhang
from colorcli_zhang.bins import bin_centers
from colorcli_zhang.recipe import ZhangRecipe, roughness

ENCODED = {"encoder": "efficientnet-lite0", "widths": [8, 8, 8, 8]}


def photographs(count=4, side=64):
    coarse = torch.rand(count, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    lab = rgb_to_lab(torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear"))
    return Batch(lab[:, :1], lab[:, 1:], torch.full((count,), -1))


def started(steps=10, **settings):
    torch.manual_seed(0)
    recipe = ZhangRecipe(pretrained="random", **settings)
    network = Zhang().build(**ENCODED, **recipe.survey([photographs().ab], []))
    recipe.start(network, Fabric(accelerator="cpu", devices=1), steps)
    return network, recipe


def test_it_classifies_every_fourth_pixel_and_colors_all():
    network = Zhang().build(**ENCODED)
    network.set_centers(bin_centers())
    lightness = photographs().lightness
    assert network.eval()(lightness).shape == (4, 313, 16, 16)
    assert Zhang().predict(network, lightness, temperature=1.0).shape == (4, 2, 64, 64)


def test_centers_are_kept_as_they_were_set():
    network = Zhang().build(**ENCODED)
    network.set_centers(bin_centers())
    torch.testing.assert_close(network.centers, bin_centers())


@pytest.mark.parametrize(("rate", "learns"), [(0.0, False), (0.1, True)])
def test_the_encoder_learns_where_the_recipe_says_so(rate, learns):
    network, recipe = started(encoder_rate=rate, optimizer="muon", learning_rate=0.02)
    before = {name: value.clone() for name, value in network.named_parameters()}
    network.train()
    for _ in range(2):  # the classifier begins at zero, so that the first step teaches it alone
        recipe.step(photographs())
    changed = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    assert any(name.startswith("decoder.") for name in changed)
    assert any(name.startswith("encoder.") for name in changed) == learns


def test_the_terms_beside_the_classification_are_added_by_their_weights():
    weights = {"color_weight": 0.5, "cast_weight": 0.25, "smoothness_weight": 0.1}
    network, recipe = started(**weights)
    losses = recipe.validate(network, photographs())
    parts = sum(weights[f"{name}_weight"] * losses[name] for name in ("color", "cast", "smoothness"))
    assert losses["loss"].item() == pytest.approx((losses["classification"] + parts).item())


def test_color_is_the_distance_of_the_mean_color_and_cast_that_of_the_whole_pictures():
    network, recipe = started(color_weight=1.0)
    batch = photographs()
    losses = recipe.validate(network, batch)
    with torch.no_grad():
        mean = torch.einsum("bqhw,qc->bchw", network(batch.lightness).softmax(dim=1), network.centers)
    error = (mean - torch.nn.functional.avg_pool2d(batch.ab, 4)) / 10
    assert losses["color"].item() == pytest.approx(error.abs().mean().item(), rel=1e-3)
    assert losses["cast"].item() == pytest.approx(error.mean(dim=(2, 3)).abs().mean().item(), rel=1e-3)


def test_colors_may_change_where_the_lightness_does():
    step = torch.cat([torch.zeros(1, 2, 8, 4), torch.ones(1, 2, 8, 4)], dim=3)
    plain = roughness(step, torch.full((1, 1, 8, 8), 50.0))
    edge = roughness(step, step[:, :1] * 60)
    assert plain > 0.1
    assert edge < 0.01 * plain


def test_rare_colors_count_more_in_the_distance_where_it_is_rebalanced():
    alike, rarer = (started(color_weight=1.0, color_rebalancing=share)[1] for share in (1.0, 0.5))
    torch.testing.assert_close(alike.color_weights, torch.ones(313))
    torch.testing.assert_close(rarer.color_weights, rarer.weights)


def test_invalid_settings_are_refused():
    for wrong in ({"color_rebalancing": 2.0}, {"color_weight": -1.0}, {"encoder_rate": -0.1}):
        with pytest.raises(ValueError, match=r"color_rebalancing|encoder_rate"):
            ZhangRecipe(**wrong)
