import pytest
import torch
from torch.nn import functional

from colorcli import Colorizer, Option
from colorcli.errors import ColorcliError, UsageError
from colorcli.inference.device import choose
from colorcli.inference.loading import load
from colorcli.inference.mixture import Member, Mixture
from colorcli.inference.model import Model
from colorcli.inference.pipeline import Pipeline

GRAY = torch.full((1, 1, 16, 16), 50.0)


class Flat(Colorizer):
    """One color everywhere."""

    summary = "Flat."
    options = (Option("amount", default=1.0, help="Factor.", minimum=0, maximum=2),)

    def __init__(self, name, a, side=4, size=16):
        self.name, self.a, self.side, self.size = name, a, side, size

    def build(self):
        return torch.nn.Identity()

    def predict(self, network, lightness, *, amount):
        self.seen = lightness.shape
        ab = torch.tensor([self.a, 0.0]).reshape(1, 2, 1, 1) * amount
        return ab.expand(len(lightness), 2, self.side, self.side)


class Sure(Flat):
    """Certain on the left, uncertain on the right."""

    def explain(self, network, lightness, *, amount):
        bits = torch.zeros(len(lightness), 1, 4, 4)
        bits[..., 2:] = 6.0
        return bits


def model(colorizer):
    fp32 = choose("cpu", "fp32")
    return Model(colorizer, colorizer.build(), fp32, tag="", fingerprint=colorizer.name, size=colorizer.size)


def mixture(*members):
    return Mixture([Member(model(colorizer), share) for colorizer, share in members])


def test_the_chroma_is_the_mean_of_the_models():
    mixed = mixture((Flat("warm", 40.0), 1.0), (Flat("cool", -20.0), 1.0))
    assert mixed.name == "warm+cool"
    assert torch.allclose(mixed.predict(GRAY)[:, 0], torch.tensor(10.0))


def test_shares_weigh_the_models():
    mixed = mixture((Flat("warm", 40.0), 0.75), (Flat("cool", -20.0), 0.25))
    assert mixed.name == "warm:0.75+cool:0.25"
    assert torch.allclose(mixed.predict(GRAY)[:, 0], torch.tensor(25.0))


def test_models_of_other_sizes_see_lightness_at_their_own():
    small, large = Flat("small", 10.0, side=2, size=8), Flat("large", 30.0, side=8, size=32)
    mixed = mixture((small, 1.0), (large, 1.0))
    assert mixed.size == 32
    ab = mixed.predict(torch.full((2, 1, 32, 32), 50.0))
    assert (small.seen, large.seen) == ((2, 1, 8, 8), (2, 1, 32, 32))
    assert ab.shape == (2, 2, 8, 8)
    assert torch.allclose(ab[:, 0], torch.tensor(20.0))


def test_a_model_without_a_size_takes_that_of_the_others():
    free = Flat("free", 10.0, size=None)
    mixed = mixture((free, 1.0), (Flat("square", 30.0), 1.0))
    assert mixed.size == 16
    mixed.predict(GRAY)
    assert free.seen == (1, 1, 16, 16)


def test_options_carry_the_names_of_their_models():
    mixed = mixture((Flat("warm", 40.0), 1.0), (Flat("cool", -20.0), 1.0))
    assert torch.allclose(mixed.predict(GRAY, **{"cool.amount": 0.0})[:, 0], torch.tensor(20.0))
    with pytest.raises(UsageError, match="has no option 'amount'"):
        mixed.predict(GRAY, amount=0.0)


def test_certainty_counts_place_by_place():
    mixed = mixture((Sure("sure", 40.0), 1.0), (Sure("other", 0.0), 1.0), (Flat("flat", 0.0), 1.0))
    ab = mixed.predict(GRAY, certainty=True)[0, 0]
    factors = torch.tensor([1.0, 2.0**-6])
    expected = 40 * factors / (2 * factors + factors.mean())
    assert torch.allclose(ab[:, [0, 3]], expected.expand(4, 2), atol=0.3)


def test_a_mixture_without_a_distribution_has_no_certainty_option():
    mixed = mixture((Flat("warm", 40.0), 1.0), (Flat("cool", -20.0), 1.0))
    assert "certainty" not in {option.name for option in mixed.colorizer.options}


def test_a_different_share_has_a_different_origin():
    first, second = (mixture((Flat("a", 1.0), share), (Flat("b", 2.0), 1.0)) for share in (1.0, 2.0))
    assert Pipeline(first).provenance.settings != Pipeline(second).provenance.settings


def test_a_model_twice_raises_usage_error():
    with pytest.raises(UsageError, match=r"must name each model once, got a\+a"):
        mixture((Flat("a", 1.0), 1.0), (Flat("a", 1.0), 1.0))


def test_names_with_a_plus_load_mixtures():
    mixed = load("zhang.starter:0.7+iizuka.starter:0.3", device="cpu", precision="fp32")
    assert mixed.name == "zhang.starter:0.7+iizuka.starter:0.3"
    lightness = torch.linspace(0, 100, mixed.size).expand(1, 1, mixed.size, mixed.size)

    def reduced(model):
        return functional.interpolate(model.predict(lightness), (4, 4), mode="area")

    alone = [load(name, device="cpu", precision="fp32") for name in ("zhang.starter", "iizuka.starter")]
    assert torch.allclose(reduced(mixed), 0.7 * reduced(alone[0]) + 0.3 * reduced(alone[1]), atol=0.5)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("zhang.starter:0+iizuka.starter", "The share of zhang.starter in a mixture must be above 0, got 0"),
        ("zhang.starter+nothing", "Colorizer not found: nothing"),
    ],
)
def test_a_wrong_mixture_raises_an_error(name, problem):
    with pytest.raises(ColorcliError, match=problem):
        load(name)


def test_weights_are_for_a_single_model():
    with pytest.raises(UsageError, match="weights are for a single model"):
        load("zhang.starter+iizuka.starter", weights="starter")
