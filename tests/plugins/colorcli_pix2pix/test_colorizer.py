import pytest
import torch

import colorcli
from colorcli.errors import UsageError, WeightsCorrupt
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.testing import ColorizerSuite
from colorcli.weights import Header, write_state
from colorcli_pix2pix import Pix2Pix
from colorcli_pix2pix.discriminator import PatchDiscriminator
from colorcli_pix2pix.dynamic_unet import DynamicUnet
from colorcli_pix2pix.network import Ensemble, make_router
from colorcli_pix2pix.resnet import ResNet34
from colorcli_pix2pix.unet import UnetGenerator
from tests.plugins.colorcli_pix2pix.networks import SMALL, SMALL_ENSEMBLE, enliven, ensemble_that_takes, pictures


class TestGenerator(ColorizerSuite):
    colorizer = Pix2Pix()
    small = SMALL


class TestGeneratorInYuv(ColorizerSuite):
    colorizer = Pix2Pix()
    small = {**SMALL, "space": "yuv"}  # noqa: RUF012


class TestDynamicUnet(ColorizerSuite):
    colorizer = Pix2Pix()
    small = {"kind": "dynamic-unet", "width": 4}  # noqa: RUF012


class TestEnsemble(ColorizerSuite):
    colorizer = Pix2Pix()
    small = SMALL_ENSEMBLE

    def _trainable(self):
        return False  # its members are, in stages


def model_of(network, precision="fp32"):
    return Model(Pix2Pix(), network, choose("cpu", precision), tag="", fingerprint="", size=32)


# What is built


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({}, UnetGenerator),
        ({"kind": "generator", **SMALL, "space": "yuv"}, UnetGenerator),
        (SMALL_ENSEMBLE, Ensemble),
        ({"kind": "router", "router_width": 4, "router_size": 32}, type(make_router(4))),
        ({"kind": "dynamic-unet", "width": 4}, DynamicUnet),
    ],
)
def test_the_kind_says_what_is_built(arguments, kind):
    assert type(Pix2Pix().build(**arguments)) is kind


def test_a_kind_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="kind must be one of ensemble, generator, dynamic-unet, router"):
        Pix2Pix().build(kind="unet")
    with pytest.raises(ValueError, match="kind must be gan or router, got 'wgan'"):
        Pix2Pix().recipe(kind="wgan")


# Options


def test_options_reach_the_ensemble():
    model = model_of(ensemble_that_takes(pictures(), [4, 0, 4, 5, 0, 4]))
    routed = model.predict_with_notes(pictures())
    assert [note["category"] for note in routed.notes] == [
        "people",
        "animals",
        "people",
        "scenery",
        "animals",
        "people",
    ]
    forced = model.predict_with_notes(pictures(), category="people")
    assert forced.notes == [{"category": "people"}] * 6
    assert (forced.ab[0] - routed.ab[0]).abs().max() < 1e-3
    assert (forced.ab[1] - routed.ab[1]).abs().max() > 1
    blended = model.predict(pictures(), blend=True)
    assert (blended - routed.ab).abs().max() > 1


def test_a_category_is_one_of_the_six_or_auto():
    category, blend, noise, _ = Pix2Pix.options
    assert category.choices == ("auto", "animals", "city", "nature", "others", "people", "scenery")
    assert blend.parse("true") is True
    assert noise.parse("7") == 7
    with pytest.raises(UsageError, match="-p category must be one of auto, animals, city"):
        category.parse("pets")
    with pytest.raises(UsageError, match="must be true or false, got"):
        blend.parse("half")


def test_a_lone_generator_has_no_categories():
    model = model_of(UnetGenerator(**SMALL))
    assert model.predict(pictures(), blend=True).shape == (6, 2, 32, 32)
    with pytest.raises(UsageError, match="a single generator, which has no categories"):
        model.predict(pictures(), category="people")


# Precision and memory


@pytest.mark.parametrize("space", ["lab", "yuv"])
def test_bf16_is_close_to_fp32(space):
    colors = []
    for precision in ("fp32", "bf16"):
        model = model_of(ensemble_that_takes(pictures(), [4, 0, 4, 5, 0, 4], space=space), precision)
        prediction = model.predict_with_notes(pictures())
        assert prediction.notes[0]["category"] == "people"
        colors.append(prediction.ab)
    assert colors[0].std() > 5
    assert 0 < (colors[0] - colors[1]).abs().mean() < 0.1 * colors[0].std()


def test_members_that_no_picture_needs_are_never_moved_to_the_device():
    network = ensemble_that_takes(pictures(), [4, 0, 4, 5, 0, 4])
    model = model_of(network, "bf16")

    def arrived():
        members = {"router": network.router, **dict(network.generators.items())}
        return {name for name, member in members.items() if next(member.parameters()).dtype == torch.bfloat16}

    model.predict(pictures(), category="city")
    assert arrived() == {"city"}
    model.predict(pictures())
    assert arrived() == {"city", "router", "people", "animals", "scenery"}


# Published files


def published_gan(generator):
    """A whole model as Shariatnia's is published: generator, discriminator and the targets of the loss."""
    state = {f"net_G.{key}": value for key, value in generator.state_dict().items()}
    state |= {f"net_D.{key}": value for key, value in PatchDiscriminator(2).state_dict().items()}
    return {**state, "GANcriterion.real_label": torch.tensor(1.0), "GANcriterion.fake_label": torch.tensor(0.0)}


def test_shariatnias_file_is_loaded_as_published(tmp_path):
    generator = enliven(DynamicUnet())
    torch.save(published_gan(generator), tmp_path / "main-model.pt")
    model = colorcli.load("pix2pix", weights=tmp_path / "main-model.pt", device="cpu", precision="fp32")
    lightness = pictures(1, 64)
    with torch.no_grad():
        expected = generator(lightness / 50 - 1) * 110
    assert (model.predict(lightness) - expected).abs().max() < 1e-2 * expected.std()


@pytest.mark.parametrize("network", [UnetGenerator(**SMALL), DynamicUnet(4), Ensemble(**SMALL, router_width=4)])
def test_state_dicts_of_ours_and_bare_ones_are_left_as_they_are(network):
    state = network.state_dict()
    assert Pix2Pix().adapt(state, {}) == state


@pytest.mark.parametrize("generator", [UnetGenerator(**SMALL), DynamicUnet(4)])
def test_the_generator_of_a_whole_gan_is_used(generator):
    found = Pix2Pix().adapt(published_gan(generator), {})
    expected = generator.state_dict()
    assert found.keys() == expected.keys()
    assert all(found[key].equal(expected[key]) for key in expected)


@pytest.mark.parametrize(("width", "levels"), [(64, 8), (2, 5), (3, 6)])
@pytest.mark.parametrize("published", [lambda generator: generator.state_dict(), published_gan])
def test_a_unet_of_any_width_and_depth_is_recognized(width, levels, published):
    state = published(UnetGenerator(width, levels))
    network = Pix2Pix().recognize(state)
    assert network == {"kind": "generator", "width": width, "levels": levels}
    with torch.device("meta"):
        built = Pix2Pix().build(**network)
    built.load_state_dict(Pix2Pix().adapt(state, network), strict=True, assign=True)
    assert not any(parameter.is_meta for parameter in built.parameters())


def test_a_published_unet_is_loaded_from_its_bare_file(tmp_path):
    generator = UnetGenerator(2, 5)
    torch.save(generator.state_dict(), tmp_path / "latest_net_G.pth")
    model = colorcli.load("pix2pix", weights=tmp_path / "latest_net_G.pth", device="cpu", precision="fp32")
    lightness = torch.rand(1, 1, 64, 64) * 100
    with torch.inference_mode():
        assert torch.allclose(model.predict(lightness), generator.eval()(lightness / 50 - 1) * 110, atol=1e-3)


def test_other_networks_are_not_recognized_as_a_unet():
    for network in (DynamicUnet(4), Ensemble(**SMALL, router_width=4)):
        assert Pix2Pix().recognize(network.state_dict()) is None


def test_a_file_of_another_network_is_a_clear_error(tmp_path):
    torch.save(ResNet34(4).state_dict(), tmp_path / "other.pt")
    header = Header("pix2pix", "other", {"kind": "dynamic-unet", "width": 4})
    write_state(tmp_path / "other.safetensors", UnetGenerator(**SMALL).state_dict(), header)
    for file in ("other.pt", "other.safetensors"):
        with pytest.raises(WeightsCorrupt, match="does not fit the network of pix2pix"):
            colorcli.load("pix2pix", weights=tmp_path / file, device="cpu")


def test_the_published_weights_are_in_a_space_and_pinned():
    weights = Pix2Pix.weights["shariatnia"]
    assert next(iter(Pix2Pix.weights)) == "shariatnia"
    assert (weights.repo, weights.repo_type, weights.size) == ("PushkarA07/image-colorizer", "space", 135_587_239)
    assert weights.revision == "61ffd489d4d5bbbff68c09d5732c0d601e1a7bd4"
    assert weights.network == {"kind": "dynamic-unet"}
