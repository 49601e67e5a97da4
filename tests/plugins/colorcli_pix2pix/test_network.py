"""Which pictures go where, and how often each member of an ensemble is run."""

from collections import Counter

import pytest
import torch

from colorcli.errors import UsageError
from colorcli_pix2pix.categories import CATEGORIES
from colorcli_pix2pix.dynamic_unet import DynamicUnet
from colorcli_pix2pix.network import Ensemble, color, color_by, make_router
from colorcli_pix2pix.unet import UnetGenerator
from tests.plugins.colorcli_pix2pix.networks import SMALL, enliven, ensemble_that_takes, pictures

MIXED = [4, 0, 4, 5, 0, 4]  # people, animals, people, scenery, animals, people


@pytest.fixture(scope="module", params=["lab", "yuv"])
def ensemble(request):
    return ensemble_that_takes(pictures(), MIXED, space=request.param)


@pytest.fixture
def passes(ensemble):
    """Counts pictures: a list of how many came in each pass, by member."""
    counted = Counter()
    members = {"router": ensemble.router, **dict(ensemble.generators.items())}
    hooks = [
        member.register_forward_hook(lambda _, given, __, name=name: counted.update([(name, len(given[0]))]))
        for name, member in members.items()
    ]
    yield counted
    for hook in hooks:
        hook.remove()


def test_the_categories_are_those_of_the_paper_sorted():
    assert CATEGORIES == ("animals", "city", "nature", "others", "people", "scenery")


def test_a_batch_costs_one_pass_of_the_router_and_one_of_each_generator_that_it_needs(ensemble, passes):
    with torch.inference_mode():
        ensemble(pictures())
    assert passes == {("router", 6): 1, ("people", 3): 1, ("animals", 2): 1, ("scenery", 1): 1}


def test_every_picture_is_colored_by_the_generator_of_its_category(ensemble):
    with torch.inference_mode():
        prediction = ensemble(pictures())
        expected = torch.cat(
            [
                color_by(ensemble.generators[CATEGORIES[index]], picture[None])
                for index, picture in zip(MIXED, pictures(), strict=True)
            ]
        )
    assert expected.std() > 5
    assert (prediction.ab - expected).abs().max() < 1e-3
    assert [note["category"] for note in prediction.notes] == [CATEGORIES[index] for index in MIXED]


def test_notes_contain_the_probability_of_the_category(ensemble):
    with torch.inference_mode():
        probabilities = ensemble.router(pictures()).softmax(dim=1)
        notes = ensemble(pictures()).notes
    assert [note["probability"] for note in notes] == pytest.approx(probabilities.amax(dim=1).tolist(), abs=1e-5)
    assert all(isinstance(note["probability"], float) and 0.2 < note["probability"] < 1 for note in notes)


@pytest.mark.parametrize("blend", [False, True])
def test_a_picture_alone_gets_the_colors_and_notes_that_it_gets_in_a_batch(ensemble, blend):
    with torch.inference_mode():
        together = ensemble(pictures(), blend=blend)
        for index in range(6):
            alone = ensemble(pictures()[index : index + 1], blend=blend)
            assert (alone.ab[0] - together.ab[index]).abs().max() < 1e-3
            assert alone.notes[0]["category"] == together.notes[index]["category"]
            assert alone.notes[0]["probability"] == pytest.approx(together.notes[index]["probability"], abs=1e-5)


def test_a_requested_category_skips_the_router(ensemble, passes):
    with torch.inference_mode():
        prediction = ensemble(pictures(), "city", blend=True)
        assert passes == {("city", 6): 1}
        assert prediction.ab.equal(color_by(ensemble.generators["city"], pictures()))
    assert prediction.notes == [{"category": "city"}] * 6


def test_blending_mixes_all_generators_by_the_probabilities_of_the_router(ensemble, passes):
    with torch.inference_mode():
        prediction = ensemble(pictures(), blend=True)
        assert passes == {(name, 6): 1 for name in ("router", *CATEGORIES)}
        probabilities = ensemble.router(pictures()).softmax(dim=1).double()
        each = torch.stack([color_by(ensemble.generators[name], pictures()) for name in CATEGORIES], dim=1)
    expected = torch.einsum("bk,bkchw->bchw", probabilities, each.double())
    assert (prediction.ab - expected).abs().max() < 1e-3
    assert [note["category"] for note in prediction.notes] == [CATEGORIES[index] for index in MIXED]


def test_members_that_agree_blend_into_what_they_agree_on(ensemble):
    same = ensemble_that_takes(pictures(), MIXED, space=ensemble.space)
    for generator in same.generators.values():
        generator.load_state_dict(same.generators["city"].state_dict())
    with torch.inference_mode():
        blended = same(pictures(), blend=True).ab
        assert (blended - same(pictures(), "city").ab).abs().max() < 1e-3


def test_the_keys_are_those_of_the_members_under_their_names():
    ensemble = Ensemble(**SMALL, router_width=4, router_size=32)
    expected = {f"router.{key}" for key in make_router(4, 32).state_dict()}
    expected |= {f"generators.{name}.{key}" for name in CATEGORIES for key in UnetGenerator(**SMALL).state_dict()}
    assert set(ensemble.state_dict()) == expected


@pytest.mark.parametrize("generator", [UnetGenerator(**SMALL), DynamicUnet(4)])
def test_one_generator_colors_pictures_and_has_no_categories(generator):
    enliven(generator)
    with torch.inference_mode():
        ab = color(generator, pictures(), "auto", blend=False)
        assert ab.equal(color(generator, pictures(), "auto", blend=True))
        assert ab.allclose(generator(pictures() / 50 - 1) * 110)
    with pytest.raises(UsageError, match="category=people: these weights of pix2pix are for a single generator"):
        color(generator, pictures(), "people", blend=False)


def test_a_router_colors_nothing():
    with pytest.raises(UsageError, match="for a router, which classifies pictures and cannot colorize them"):
        color(make_router(4, 32), pictures(), "auto", blend=False)
