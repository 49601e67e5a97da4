"""The Georgia Tech paper's open question: what does the embedding contribute? Zeroed or shuffled, at test time."""

import pytest
import torch

from colorcli.training.recipes import read_recipe
from colorcli_koalarization import Koalarization
from colorcli_koalarization.embedding import with_embedding
from colorcli_koalarization.extractors import Extractor


def paper(name):
    return read_recipe(Koalarization.recipe_folder / f"{name}.toml")


def network(kind):
    torch.manual_seed(0)
    made = Koalarization().build(**kind).eval()
    last = made.decoder[-1] if hasattr(made, "decoder") else made.color
    torch.nn.init.normal_(last.weight, std=0.5)
    return made


KINDS = [{"width": 0.05, "extractor": "resnet34-grey"}, {"encoder": "efficientnet-lite0", "widths": [8, 8, 8, 8]}]


@pytest.mark.parametrize("kind", KINDS, ids=["extractor", "encoder"])
def test_a_zeroed_and_a_shuffled_embedding_change_the_colors_and_not_the_network(kind):
    made, lightness = network(kind), torch.rand(2, 1, 64, 64) * 100
    with torch.inference_mode():
        own, zeroed, shuffled = (
            Koalarization().predict(made, lightness, embedding=each) for each in ("own", "zeroed", "shuffled")
        )
        assert torch.equal(Koalarization().predict(made, lightness, embedding="own"), own)
    assert not torch.equal(own, zeroed)
    assert not torch.equal(own, shuffled)
    assert not torch.equal(zeroed, shuffled)


def test_zeroed_is_all_zeros_and_shuffled_has_the_same_values():
    made, lightness = network(KINDS[0]), torch.rand(2, 1, 64, 64) * 100
    with torch.inference_mode():
        own = made.extractor(lightness)
        assert with_embedding(made, "zeroed").extractor(lightness).abs().max() == 0
        shuffled = with_embedding(made, "shuffled").extractor(lightness)
    assert torch.equal(shuffled.sort(dim=1).values, own.sort(dim=1).values)
    assert not torch.equal(shuffled, own)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_the_extractors_whose_weights_come_with_a_package_have_1000_dimensions(name):
    extractor = Extractor(name)
    assert extractor.dimensions == 1000
    with torch.inference_mode():
        assert extractor(torch.rand(1, 1, 32, 32) * 100).shape == (1, 1000)


@pytest.mark.paper("georgia-tech", "does a better extractor matter")
def test_the_recipes_of_the_question_differ_in_the_extractor_alone():
    """1,000 against 256 dimensions against none, and Lite0 against Lite2."""
    whole, half, none, other = (paper(f"georgia-tech-{name}") for name in ("lite0", "lite0-256", "none", "lite2"))
    assert whole.training == half.training == none.training == other.training
    assert half.network == {**whole.network, "dimensions": 256}
    assert other.network == {**whole.network, "extractor": "efficientnet-lite2"}
    assert none.network == {**whole.network, "extractor": "none"}
    published = paper("georgia-tech-inception-v3")
    assert published.network == {**whole.network, "extractor": "inception-v3"}
    assert published.recipe == whole.recipe
