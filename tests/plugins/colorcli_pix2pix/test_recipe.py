from copy import deepcopy

import pytest
import torch
from lightning_fabric import Fabric
from torch.nn import functional

from colorcli import Batch
from colorcli.color import lab_to_rgb, rgb_to_lab, rgb_to_yuv
from colorcli.errors import UsageError
from colorcli.training.optimization import learning_rate_factor
from colorcli_pix2pix import Pix2Pix
from colorcli_pix2pix.recipe import GanRecipe
from tests.plugins.colorcli_pix2pix.networks import SMALL, SMALL_ENSEMBLE


def toy(count=4, side=32, seed=0):
    """Pictures whose lightness determines the color, so there is something to learn."""
    patches = torch.rand(count, 1, side // 8, side // 8, generator=torch.Generator().manual_seed(seed))
    rgb = torch.cat([patches, 0.2 + 0.5 * patches, 1 - patches], dim=1).repeat_interleave(8, 2).repeat_interleave(8, 3)
    lab = rgb_to_lab(rgb)
    return Batch(lab[:, :1], lab[:, 1:], torch.full((count,), -1))


def started(recipe, steps=10, batch=None, **hyperparameters):
    torch.manual_seed(0)
    network = Pix2Pix().build(**{**SMALL, **hyperparameters, **recipe.survey([(batch or toy()).ab], [])})
    recipe.start(network, Fabric(accelerator="cpu", devices=1), steps)
    return network.train()


def small_recipe(**settings):
    return GanRecipe(**{"discriminator_width": 4, **settings})


def bce(logits, is_true):
    return functional.binary_cross_entropy(logits.sigmoid(), torch.full_like(logits, float(is_true)))


# A step


def test_steps_are_those_of_the_paper():
    """Section 3.3 of Isola et al.: the discriminator's step at half speed, then the generator's against it."""
    batch = toy()
    recipe = small_recipe()
    network = started(recipe)
    generator, judge = deepcopy(network), deepcopy(recipe.judge)
    torch.manual_seed(3)
    found = [recipe.step(batch) for _ in range(2)]

    torch.manual_seed(3)
    gray, true = batch.lightness / 50 - 1, batch.ab / 110
    generators, judges = (
        torch.optim.Adam(each.parameters(), lr=2e-4, betas=(0.5, 0.999)) for each in (generator, judge)
    )
    for losses in found:
        made = generator(gray)
        judges.zero_grad()
        discriminator = (bce(judge(gray, made.detach()), is_true=False) + bce(judge(gray, true), is_true=True)) / 2
        discriminator.backward()
        judges.step()
        generators.zero_grad()
        adversarial, distance = bce(judge(gray, made), is_true=True), 100 * (made - true).abs().mean()
        (adversarial + distance).backward()
        generators.step()
        assert list(losses) == ["generator", "adversarial", "l1", "discriminator"]
        expected = (adversarial + distance, adversarial, distance, discriminator)
        for loss, wanted in zip(losses.values(), expected, strict=True):
            assert loss.item() == pytest.approx(wanted.item(), rel=1e-4)
    for ours, theirs in ((network, generator), (recipe.judge, judge)):
        for (name, one), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
            assert torch.allclose(one.float(), other.float(), atol=1e-5), name


def test_in_yuv_it_learns_u_and_v():
    batch = toy()
    recipe = small_recipe()
    network = started(recipe, space="yuv").eval()
    rgb = lab_to_rgb(batch.lightness, batch.ab)
    luma = lab_to_rgb(batch.lightness, batch.ab * 0)[:, :1]
    with torch.no_grad():
        expected = (network(2 * luma - 1) - 2 * rgb_to_yuv(rgb, "bt601")[:, 1:]).abs().mean() * 100
        assert recipe.validate(network, batch)["l1"].item() == pytest.approx(expected.item(), rel=1e-3)


def test_chroma_is_weighted_relative_to_the_mean_of_the_data():
    batch = toy()
    recipe = small_recipe(chroma_weight=2.0)
    network = started(recipe).eval()
    weight = 1 + 2 * batch.ab.double().norm(dim=1, keepdim=True) / 50
    assert recipe.weight.mean == pytest.approx(weight.mean().item(), rel=1e-5)
    with torch.no_grad():
        distance = (network(batch.lightness / 50 - 1) - batch.ab / 110).abs()
        expected = 100 * (weight / weight.mean() * distance).mean()
        assert recipe.validate(network, batch)["l1"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_warm_up_learns_from_the_distance_alone_and_then_the_discriminator_joins():
    recipe = small_recipe(warm_up=0.3)
    started(recipe, steps=10)
    untouched = deepcopy(recipe.judge.state_dict())
    for _ in range(3):
        losses = recipe.step(toy())
        assert list(losses) == ["generator", "l1"]
        assert losses["generator"].equal(losses["l1"])
    assert all(value.equal(untouched[key]) for key, value in recipe.judge.state_dict().items())
    assert list(recipe.step(toy())) == ["generator", "adversarial", "l1", "discriminator"]
    assert not recipe.judge.state_dict()["model.0.weight"].equal(untouched["model.0.weight"])


def test_the_schedule_is_that_of_both_optimizers():
    recipe = small_recipe(schedule="cosine", learning_rate=1e-3)
    started(recipe, steps=10)
    for step in range(10):
        recipe.step(toy())
        expected = 1e-3 * learning_rate_factor("cosine", step / 10)
        assert [optimizer.param_groups[0]["lr"] for optimizer in recipe.optimizers] == [expected, expected]


# Validation


def test_validation_is_by_the_discriminator_as_it_is_and_leaves_it_so():
    batch = toy()
    recipe = small_recipe()
    network = started(recipe)
    recipe.step(batch)
    before = deepcopy(recipe.judge.state_dict())
    with torch.inference_mode():
        losses = recipe.validate(network.eval(), batch)
    assert recipe.judge.training
    assert all(value.equal(before[key]) for key, value in recipe.judge.state_dict().items())
    with torch.no_grad():
        gray = batch.lightness / 50 - 1
        made = network(gray)
        expected = bce(recipe.judge.eval()(gray, made), is_true=True)
    assert list(losses) == ["generator", "adversarial", "l1"]
    assert losses["adversarial"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert losses["generator"].item() == pytest.approx((losses["adversarial"] + losses["l1"]).item())


def test_the_losses_of_two_batches_are_the_mean_of_their_losses():
    whole = toy()
    recipe = small_recipe(chroma_weight=1.0)
    network = started(recipe).eval()
    with torch.no_grad():
        halves = [
            recipe.validate(network, Batch(whole.lightness[part], whole.ab[part], whole.category[part]))
            for part in (slice(0, 2), slice(2, 4))
        ]
        for name, loss in recipe.validate(network, whole).items():
            assert loss.item() == pytest.approx((halves[0][name] + halves[1][name]).item() / 2, rel=1e-4)


def test_either_the_lowest_total_or_the_end_of_the_run_decides_what_is_kept():
    means = {"generator": torch.tensor(9.0), "adversarial": torch.tensor(1.0), "l1": torch.tensor(8.0)}
    best, last = small_recipe(), small_recipe(keep="last")
    firsts = []
    for recipe in (best, last):
        started(recipe, steps=4)
        for _ in range(2):
            recipe.step(toy())
            firsts.append(next(iter(recipe.score(means).values())))
    assert firsts == [9, 9, 0.75, 0.5]
    assert last.score(means) == {"share left": 0.5, "generator": 9, "adversarial": 1, "l1": 8}


# A run


@pytest.mark.parametrize("hyperparameters", [{}, {"space": "yuv"}])
def test_a_few_steps_teach_colors(hyperparameters):
    batch = toy(8)
    recipe = small_recipe(learning_rate=2e-3)
    started(recipe, steps=100, batch=batch, width=8, **hyperparameters)
    losses = [recipe.step(batch) for _ in range(100)]
    assert losses[-1]["l1"] < 0.35 * losses[0]["l1"]
    assert all(loss.isfinite() for each in losses for loss in each.values())


def test_without_l1_the_discriminator_alone_teaches():
    batch = toy(8)
    recipe = small_recipe(learning_rate=2e-3, l1_weight=0.0)
    started(recipe, steps=40, width=8)
    losses = [recipe.step(batch) for _ in range(40)]
    assert all(each["l1"] == 0 for each in losses)
    assert min(each["discriminator"] for each in losses) < 0.5  # from 0.73, it tells them apart


def test_the_dynamic_unet_learns_too():
    batch = toy()
    recipe = small_recipe(learning_rate=1e-3)
    torch.manual_seed(0)
    network = Pix2Pix().build(kind="dynamic-unet", width=4)
    recipe.start(network, Fabric(accelerator="cpu", devices=1), 30)
    losses = [recipe.step(batch) for _ in range(30)]
    assert losses[-1]["l1"] < 0.6 * losses[0]["l1"]


def test_a_resumed_gan_continues_with_both_networks_and_both_optimizers():
    batch = toy()
    settings = {"schedule": "cosine", "chroma_weight": 1.0, "learning_rate": 1e-3}
    recipe, resumed = small_recipe(**settings), small_recipe(**settings)
    network = started(recipe)
    for _ in range(3):
        recipe.step(batch)
    state = deepcopy(recipe.state())
    weights = deepcopy(network.state_dict())
    resumed.load(state)
    torch.manual_seed(99)  # first weights that are other ones, all of which the state replaces
    again = Pix2Pix().build(**SMALL)
    again.load_state_dict(weights)
    resumed.start(again, Fabric(accelerator="cpu", devices=1), 10)
    again.train()
    assert resumed.weight.mean == recipe.weight.mean > 1
    losses = []
    for each in (recipe, resumed):
        torch.manual_seed(5)
        losses.append([each.step(batch) for _ in range(2)])
    assert losses[0] == losses[1]
    for one, other in ((network, again), (recipe.judge, resumed.judge)):
        assert all(a.equal(b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    for one, other in zip(recipe.optimizers, resumed.optimizers, strict=True):
        assert_same(one.state_dict(), other.state_dict())


def assert_same(one, other):
    assert one["param_groups"] == other["param_groups"]
    for index, moments in one["state"].items():
        assert all(value.equal(other["state"][index][name]) for name, value in moments.items())


# Settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"schedule": "linear"}, "schedule must be one of .* got 'linear'"),
        ({"keep": "none"}, "keep must be one of .* got 'none'"),
        ({"l1_weight": -1.0}, "l1_weight must be 0 or more"),
        ({"chroma_weight": -1.0}, "chroma_weight must be 0 or more, got -1"),
        ({"encoder_rate": -1.0}, "encoder_rate must be 0 or more, got -1"),
        ({"discriminator_width": 0}, "discriminator_width 1 or more"),
        ({"warm_up": 1.0}, "warm_up in 0..1"),
        ({"warm_up": -0.1}, "warm_up in 0..1"),
    ],
)
def test_an_invalid_setting_is_an_error(settings, said):
    with pytest.raises(ValueError, match=said):
        GanRecipe(**settings)


@pytest.mark.parametrize("hyperparameters", [SMALL_ENSEMBLE, {"kind": "router", "router_width": 4}])
def test_only_a_lone_generator_can_be_trained(hyperparameters):
    network = Pix2Pix().build(**hyperparameters)
    with pytest.raises(UsageError, match="trains one generator") as caught:
        GanRecipe().start(network, Fabric(accelerator="cpu", devices=1), 10)
    assert "in stages" in caught.value.hint
