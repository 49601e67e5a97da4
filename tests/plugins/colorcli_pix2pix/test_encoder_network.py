import pytest
import torch
from lightning_fabric import Fabric

from colorcli import Batch
from colorcli.inference.device import choose
from colorcli.inference.placement import place
from colorcli_pix2pix import Pix2Pix
from colorcli_pix2pix.categories import CATEGORIES
from colorcli_pix2pix.encoder_network import EncodedEnsemble, EncodedGenerator
from colorcli_pix2pix.recipe import GanRecipe

WIDTHS = [8, 8, 8, 8, 8]
GENERATOR = {"kind": "generator", "encoder": "efficientnet-lite0", "widths": WIDTHS}
ENSEMBLE = {**GENERATOR, "kind": "ensemble", "router_width": 4, "router_size": 32}


def pictures(count=3, side=64):
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(0)) * 100


def ensemble():
    """Six generators that were trained apart, from one encoder, and put together as the loop does."""
    torch.manual_seed(0)
    generators = {name: Pix2Pix().build(**GENERATOR) for name in CATEGORIES}
    encoder = next(iter(generators.values())).encoder.state_dict()
    for generator in generators.values():
        generator.encoder.load_state_dict(encoder)
        torch.nn.init.normal_(generator.decoder.chroma.weight)
    whole = Pix2Pix().build(**ENSEMBLE)
    state = {f"router.{key}": value for key, value in whole.router.state_dict().items()}
    for name, generator in generators.items():
        state |= {f"generators.{name}.{key}": value for key, value in generator.state_dict().items()}
    whole.load_state_dict(state)
    return whole.eval(), {name: generator.eval() for name, generator in generators.items()}


def test_an_ensemble_of_generators_has_one_encoder():
    whole, _ = ensemble()
    assert isinstance(whole, EncodedEnsemble)
    encoders = [key for key in whole.state_dict() if key.endswith("conv_stem.weight")]
    assert encoders == ["encoder.model.conv_stem.weight"]


@pytest.mark.parametrize("category", CATEGORIES)
def test_it_colors_as_each_generator_alone_does(category):
    whole, generators = ensemble()
    with torch.inference_mode():
        together = Pix2Pix().predict(whole, pictures(), category=category, blend=False).ab
        alone = Pix2Pix().predict(generators[category], pictures(), category="auto", blend=False)
    together = torch.nn.functional.interpolate(together, alone.shape[-2:], mode="bilinear")
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-3)


def test_each_picture_gets_the_generator_that_the_router_chose_and_a_blend_all_of_them():
    whole, _ = ensemble()
    logits = torch.tensor([[0.0, 9, 0, 0, 0, 0], [0, 0, 0, 0, 9, 0], [0, 9, 0, 0, 0, 0]])
    whole.router = torch.nn.Module()
    whole.router.forward = lambda _: logits
    with torch.inference_mode():
        prediction = whole(pictures())
        parts = {name: whole(pictures(), name).ab for name in CATEGORIES}
        blend = whole(pictures(), blend=True).ab
    assert [note["category"] for note in prediction.notes] == ["city", "people", "city"]
    for index, name in enumerate(("city", "people", "city")):
        torch.testing.assert_close(prediction.ab[index], parts[name][index], atol=1e-3, rtol=1e-3)
    shares = logits.softmax(dim=1)
    expected = sum(shares[:, [k], None, None] * parts[name] for k, name in enumerate(CATEGORIES))
    torch.testing.assert_close(blend, expected, atol=1e-3, rtol=1e-3)


def test_only_what_a_picture_needs_is_moved_to_the_device():
    whole, _ = ensemble()
    place(whole, choose("cpu", "bf16"))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        whole(pictures(), "people")
    kinds = {name: whole.generators[name]["decoder"].chroma.weight.dtype for name in CATEGORIES}
    assert kinds.pop("people") == torch.bfloat16
    assert set(kinds.values()) == {torch.float32}
    assert whole.encoder.model.conv_stem.weight.dtype == torch.bfloat16
    assert whole.router.conv1.weight.dtype == torch.float32


@pytest.mark.parametrize(("rate", "learns"), [(0.0, False), (0.1, True)])
def test_a_generator_learns_against_a_discriminator(rate, learns):
    torch.manual_seed(0)
    recipe = GanRecipe(encoder_rate=rate, learning_rate=1e-3, discriminator_width=4)
    ab = torch.rand(3, 2, 64, 64) * 60 - 30
    recipe.survey([ab], CATEGORIES)
    network = Pix2Pix().build(**GENERATOR)
    assert isinstance(network, EncodedGenerator)
    recipe.start(network, Fabric(accelerator="cpu", devices=1), 10)
    before = {name: value.clone() for name, value in network.named_parameters()}
    network.train()
    losses = [recipe.step(Batch(pictures(), ab, torch.zeros(3).long())) for _ in range(3)]
    assert {"generator", "adversarial", "l1", "discriminator"} == set(losses[0])
    changed = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    assert any(name.startswith("decoder.") for name in changed)
    assert any(name.startswith("encoder.") for name in changed) == learns
